"""The one writer of deltas in a worker: what all its runs stream goes out in one statement, at once when it is idle (JOURNAL §6).

Each row is sealed under its run's key, so that erasing a data subject reaches it. A stream that cannot be kept loses deltas, never the
answer: numbers go on, so that a watcher sees the gap and waits for the settled text.
"""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from dataclasses import dataclass, field

from psycopg.types.numeric import Int4

from adapters.postgres.pool import Database
from adapters.postgres.vault import Vault
from domain.deltas import StreamKey
from domain.errors import StandfastError
from domain.provider import Delta
from domain.stores import PayloadCipher

log = logging.getLogger(__name__)

PAUSE_S = 0.010
"""Seconds from one write to the next while deltas keep coming (JOURNAL §6)."""

HELD_CHARS_MAX = 4_000_000
"""Text that waits for PostgreSQL in one process, at most; streams that come on top lose their deltas."""

CLOSE_S_MAX = 1.0
"""How long the end of a call may wait for its last deltas to be written."""

FORGET_S = 300.0
"""How often a worker that streams has old deltas forgotten; a partition lasts half an hour."""

CHANNEL = "standfast_deltas"
PAYLOAD_BYTES_MAX = 7_900
"""A notification holds less than 8,000 bytes; when the names of the runs do not fit, everybody is woken."""

_WRITE = b"""
WITH setting AS MATERIALIZED (
    SELECT set_config('standfast.tenant', %s, true) AS tenant, set_config('synchronous_commit', 'off', true) AS how
), written AS (
    INSERT INTO stream_deltas (tenant_id, run, step, visit, call, epoch, attempt, last, slot, sealed)
    SELECT setting.tenant, d.run, d.step, d.visit, d.call, d.epoch, d.attempt, d.last, delta_slot(), d.sealed
    FROM setting, unnest(%s::text[], %s::text[], %s::integer[], %s::text[], %s::integer[], %s::integer[], %s::integer[], %s::bytea[])
        AS d(run, step, visit, call, epoch, attempt, last, sealed)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) AS n, pg_notify('standfast_deltas', %s) AS told FROM written
"""


@dataclass
class _Stream:
    """A stream of one attempt, as `domain.deltas.DeltaStream`: `number` is that of its last delta, `held` those not yet written.

    None among them says that what came before is void.
    """

    key: StreamKey
    sink: "PostgresDeltaSink"
    number: int = 0
    held: list[Delta | None] = field(default_factory=list[Delta | None])
    written: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, delta: Delta) -> None:
        """Take a delta; it joins the last one that waits if both continue the same text."""
        self.sink.take(self, delta)

    async def restart(self) -> None:
        """Take note that what came before is void."""
        self.sink.take(self, None)

    async def close(self) -> None:
        """Wait until what was taken is written, for a second at most."""
        if not self.held and self.written.is_set():
            return
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.sink.flushed(self)
        except TimeoutError:
            log.warning("the last deltas of %s of run %s are not written in time", self.key.step, self.key.run)


class PostgresDeltaSink:
    """Implements `DeltaSink`. Close it before its database."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault, *, pause_s: float = PAUSE_S) -> None:
        self._db = db
        self._ciphers = Vault.over(db, cipher).ciphers
        self._pause_s = pause_s
        self._waiting: dict[int, _Stream] = {}
        self._held_chars = 0
        self._writer: asyncio.Task[None] | None = None
        self._forgotten_at = float("-inf")

    def open(self, key: StreamKey) -> _Stream:
        """Return the stream of one attempt."""
        stream = _Stream(key, self)
        stream.written.set()
        return stream

    def take(self, stream: _Stream, delta: Delta | None) -> None:
        """Hold a delta until the writer comes; beyond the bound it is dropped, and its number with it."""
        chars = 0 if delta is None else len(delta.text)
        if self._held_chars + chars > HELD_CHARS_MAX:
            stream.number += len(stream.held) + 1
            self._drop(stream)
            stream.written.set()
            return
        self._held_chars += chars
        last = stream.held[-1] if stream.held else None
        if last is not None and delta is not None and delta.name is None and (last.kind, last.index) == (delta.kind, delta.index):
            stream.held[-1] = last.model_copy(update={"text": last.text + delta.text})
        else:
            stream.held.append(delta)
        stream.written.clear()
        self._waiting[id(stream)] = stream
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_on())

    async def flushed(self, stream: _Stream) -> None:
        """Wait until nothing of a stream waits."""
        await stream.written.wait()

    async def aclose(self) -> None:
        """Write what waits, and stop."""
        if self._writer is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                for stream in list(self._waiting.values()):
                    await stream.written.wait()
        self._writer.cancel()
        await asyncio.wait([self._writer])

    async def _write_on(self) -> None:
        """Write as long as something waits: the first delta after a silence goes at once, those after it together."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            began = loop.time()
            await self._write()
            if began - self._forgotten_at > FORGET_S:
                self._forgotten_at = began
                await self._forget()
            await asyncio.sleep(max(0.0, self._pause_s - (loop.time() - began)))

    async def _write(self) -> None:
        """Write what waits; what PostgreSQL does not take is lost to watchers."""
        streams, self._waiting = list(self._waiting.values()), {}
        batches: defaultdict[str, list[tuple[StreamKey, int, bytes]]] = defaultdict(list)
        for stream in streams:
            row = await self._row(stream)
            if row is not None:
                batches[stream.key.tenant].append(row)
        for tenant, rows in batches.items():
            try:
                await self._db.select(_WRITE, [tenant, *_columns(rows), _notice(rows)])
            except StandfastError as error:
                log.warning("deltas of %d streams are lost to their watchers: %s", len(rows), error.detail)
        for stream in streams:
            if not stream.held:
                stream.written.set()

    async def _row(self, stream: _Stream) -> tuple[StreamKey, int, bytes] | None:
        """Number and seal what a stream holds; None when its run was erased."""
        key = stream.key
        if not stream.held:
            return None
        try:
            cipher = await self._ciphers.of_run(key.tenant, key.run)
        except StandfastError as error:
            stream.number += len(stream.held)
            self._drop(stream)
            log.info("deltas of run %s are not kept: %s", key.run, error.detail)
            return None
        first, held = stream.number + 1, list(stream.held)
        stream.number += len(held)
        self._drop(stream)
        told = {
            "first": first,
            "deltas": [None if delta is None else delta.model_dump(mode="json", exclude_defaults=True) for delta in held],
        }
        return key, stream.number, cipher.seal(key.tenant, place_of(key, stream.number), json.dumps(told, ensure_ascii=False).encode())

    def _drop(self, stream: _Stream) -> None:
        self._held_chars -= sum(len(delta.text) for delta in stream.held if delta is not None)
        stream.held.clear()

    async def _forget(self) -> None:
        try:
            async with self._db.platform() as tx:
                await tx.execute("SELECT forget_deltas()")
        except StandfastError as error:
            log.warning("old deltas stay for now: %s", error.detail)


def place_of(key: StreamKey, last: int) -> str:
    """Return what the bytes of a row are bound to."""
    return f"deltas/{key.run}/{key.step}/{key.visit}/{key.call}/{key.epoch}/{key.attempt}/{last}"


def _columns(rows: list[tuple[StreamKey, int, bytes]]) -> list[object]:
    keys = [key for key, _, _ in rows]
    return [
        [key.run for key in keys],
        [key.step for key in keys],
        [Int4(key.visit) for key in keys],
        [key.call for key in keys],
        [Int4(key.epoch) for key in keys],
        [Int4(key.attempt) for key in keys],
        [Int4(last) for _, last, _ in rows],
        [sealed for _, _, sealed in rows],
    ]


def _notice(rows: list[tuple[StreamKey, int, bytes]]) -> str:
    """Whom to wake: run ids, which name no person."""
    runs = " ".join(sorted({key.run for key, _, _ in rows}))
    return runs if len(runs.encode()) <= PAYLOAD_BYTES_MAX else "*"
