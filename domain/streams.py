"""What a watcher of a run is told, in which order, and where it can go on: ledger entries and the deltas between them. Pure (JOURNAL §6).

A delta is told after the entry that requested its attempt and before the one that ended it. What was told of an attempt that is given up
is taken back by a `reset`; the entry of an answer has the settled text, which replaces what was told.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from pydantic import JsonValue

from domain.deltas import StreamKey
from domain.errors import InvalidInput
from domain.ledger import Kind, StoredEntry
from domain.model import Value
from domain.provider import Delta
from domain.runs import RunStatus

ENTRIES_READ = 100
"""Ledger entries of one read."""

ROWS_READ = 64
"""Rows of deltas of one read; a row holds what one flush of a worker's writer had of an attempt."""

CURSOR_CHARS_MAX = 8_000
_CURSOR = re.compile(r"([0-9]{1,15})((?:\.[0-9]{1,15}-(?:[0-9]{1,9}|x))*)(\.end)?")
_LOST = -1
_SETTLED = frozenset({Kind.MODEL_ANSWERED, Kind.TOOL_CALLED})


@dataclass(frozen=True)
class Cursor:
    """How far a watcher was told: the last ledger entry, and of each attempt that was then open the last delta.

    `told` maps the sequence of the entry that requested an attempt to the number of its last delta told (0: none yet, -1: some were
    lost, and no more are told). As text, `7.5-12` is entry 7 and delta 12 of the attempt requested by entry 5.
    """

    seq: int = 0
    told: Mapping[int, int] = field(default_factory=dict[int, int])
    ended: bool = False

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        places = "".join(f".{seq}-{'x' if number == _LOST else number}" for seq, number in sorted(self.told.items()))
        return f"{self.seq}{places}{'.end' if self.ended else ''}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor.

        Raises:
            InvalidInput: it is none.
        """
        found = _CURSOR.fullmatch(text) if len(text) <= CURSOR_CHARS_MAX else None
        if found is None:
            raise InvalidInput(f"'{text[:40]}' is no id of an event; send the id of the last event that came, or none to begin anew")
        pairs = [part.split("-") for part in found[2].split(".") if part]
        told = {int(seq): _LOST if number == "x" else int(number) for seq, number in pairs}
        seq = int(found[1])
        return cls(seq, {place: number for place, number in told.items() if 0 < place <= seq}, found[3] is not None)


class Piece(Value):
    """A delta with its number in its attempt, from 1; None says that those before it are void: another model gives the answer."""

    number: int
    delta: Delta | None


@dataclass(frozen=True)
class StreamEvent:
    """One thing told. `cursor` is where a watcher goes on that has seen it."""

    kind: Literal["entry", "delta", "reset", "end"]
    data: dict[str, JsonValue]
    cursor: Cursor


class StreamReader(Protocol):
    """What a watcher is told from."""

    async def standing(self, tenant: str, run: str) -> tuple[RunStatus, int]:
        """Return the run's status and the sequence of its last entry. Raises: NotFound."""
        ...

    async def entries(self, tenant: str, run: str, *, after: int, limit: int) -> list[StoredEntry]:
        """Return entries with a greater sequence, in order."""
        ...

    async def pieces(self, key: StreamKey, *, after: int, limit: int) -> list[Piece]:
        """Return deltas with a greater number, in order, of at most `limit` rows; none when they are gone."""
        ...

    async def settled(self, key: StreamKey, kind: str) -> dict[str, JsonValue]:
        """Return what the event of a recorded outcome shows of it: an answer's `text` and `calls`, a tool's `output`; {} when erased."""
        ...


class Wakeup(Protocol):
    """Is set when there may be news; the watcher clears it before it looks. An `asyncio.Event` is one."""

    def clear(self) -> None:
        """Forget what was set."""
        ...

    async def wait(self) -> object:
        """Wait until it is set."""
        ...


class Watching(Protocol):
    """Wakes watchers."""

    @property
    def over(self) -> bool:
        """Whether the process stops: a watcher that is woken then goes."""
        ...

    def watch(self, tenant: str, run: str) -> AbstractContextManager[Wakeup]:
        """Give a wakeup for as long as a run is watched."""
        ...


class Narrator:
    """Decides what is told of each entry and delta, and keeps the cursor. It reads nothing itself."""

    def __init__(self, cursor: Cursor, opened: Iterable[StoredEntry] = ()) -> None:
        """Go on at `cursor`; `opened` are the entries that its `told` names."""
        self._seq = cursor.seq
        self._told = dict(cursor.told)
        self._keys = {entry.seq: _key(entry, _body(entry)) for entry in opened if entry.seq in self._told}
        self._told = {seq: number for seq, number in self._told.items() if seq in self._keys}

    @property
    def cursor(self) -> Cursor:
        """Where it stands."""
        return Cursor(self._seq, dict(self._told))

    def open_streams(self) -> list[tuple[StreamKey, int]]:
        """Return the attempts that may still bring deltas, each with the number of the last one told."""
        return [(self._keys[seq], number) for seq, number in sorted(self._told.items()) if number != _LOST]

    def ended_by(self, entry: StoredEntry) -> StreamKey | None:
        """Return the attempt that this entry ends, if its deltas are to be told first."""
        if entry.kind not in (Kind.MODEL_ANSWERED, Kind.MODEL_FAILED):
            return None
        seq = self._open_at(_key(entry, _body(entry)))
        if seq is None or self._told[seq] == _LOST or self._keys[seq] != _key(entry, _body(entry)):
            return None
        return self._keys[seq]

    def number_told(self, key: StreamKey) -> int:
        """Return the number of the last delta told of an open attempt."""
        seq = self._open_at(key)
        return 0 if seq is None else self._told[seq]

    def deltas(self, key: StreamKey, pieces: Iterable[Piece]) -> list[StreamEvent]:
        """Tell deltas of an open attempt; where one is missing the rest would mislead, so what was told is taken back."""
        seq = self._open_at(key)
        events: list[StreamEvent] = []
        if seq is None:
            return events
        for piece in pieces:
            told = self._told[seq]
            if told == _LOST or piece.number <= told:
                continue
            if piece.number > told + 1:
                self._told[seq] = _LOST
                return [*events, *([self._event("reset", _place(key))] if told else [])]
            self._told[seq] = piece.number
            if piece.delta is None:
                events += [self._event("reset", _place(key))] if told else []
                continue
            shown = piece.delta.model_dump(mode="json", exclude_defaults=True) | {"kind": piece.delta.kind, "text": piece.delta.text}
            events.append(self._event("delta", _place(key) | shown))
        return events

    def entry(self, entry: StoredEntry, settled: Mapping[str, JsonValue] = {}) -> list[StreamEvent]:
        """Tell the next entry; `settled` is what its event shows of the outcome. The attempt it replaces or ends is taken back first."""
        body = _body(entry)
        events: list[StreamEvent] = []
        requested = entry.kind == Kind.MODEL_REQUESTED
        if requested or entry.kind in (Kind.MODEL_ANSWERED, Kind.MODEL_FAILED):
            key = _key(entry, body)
            seq = self._open_at(key)
            is_own = seq is not None and self._keys[seq] == key
            if seq is not None and (is_own or entry.kind != Kind.MODEL_FAILED):
                events += self._closed(seq, kept=is_own and entry.kind == Kind.MODEL_ANSWERED)
            if requested:
                self._keys[entry.seq], self._told[entry.seq] = key, 0
        self._seq = entry.seq
        return [*events, self._event("entry", {**_shown(entry, body), **settled})]

    def end(self, status: RunStatus) -> list[StreamEvent]:
        """Tell that the run has ended; what was told of attempts that never ended is taken back."""
        events = [event for seq in sorted(self._told) for event in self._closed(seq, kept=False)]
        return [*events, StreamEvent("end", {"status": status.value}, Cursor(self._seq, {}, ended=True))]

    def _closed(self, seq: int, *, kept: bool) -> list[StreamEvent]:
        told, key = self._told.pop(seq), self._keys.pop(seq)
        return [self._event("reset", _place(key))] if told > 0 and not kept else []

    def _open_at(self, key: StreamKey) -> int | None:
        """The newest open attempt at the same call."""
        place = (key.step, key.visit, key.call)
        return next((seq for seq, one in sorted(self._keys.items(), reverse=True) if (one.step, one.visit, one.call) == place), None)

    def _event(self, kind: Literal["entry", "delta", "reset"], data: dict[str, JsonValue]) -> StreamEvent:
        return StreamEvent(kind, data, self.cursor)


async def resumed(reader: StreamReader, cursor: Cursor, *, tenant: str, run: str) -> Narrator:
    """Return a narrator that goes on at a cursor."""
    opened = [entry for seq in cursor.told for entry in await reader.entries(tenant, run, after=seq - 1, limit=1)]
    return Narrator(cursor, opened)


async def news(reader: StreamReader, narrator: Narrator, *, tenant: str, run: str, settled_until: int = 0) -> AsyncGenerator[StreamEvent]:
    """Tell what there is now. Entries are read before deltas: those of an attempt can be seen before its end can.

    Args:
        reader: What is told from.
        narrator: What was told.
        tenant: Whose run.
        run: Which.
        settled_until: Answers up to this entry are told by their text alone: they were settled before the watcher came.

    Raises:
        NotFound: there is no such run.
    """
    status, head = await reader.standing(tenant, run)
    while entries := await reader.entries(tenant, run, after=narrator.cursor.seq, limit=ENTRIES_READ):
        for entry in entries:
            ended = narrator.ended_by(entry)
            if ended is not None and entry.seq > settled_until:
                async for event in deltas_of(reader, narrator, ended):
                    yield event
            settled = await reader.settled(_key(entry, _body(entry)), entry.kind) if entry.kind in _SETTLED else {}
            for event in narrator.entry(entry, settled):
                yield event
        if len(entries) < ENTRIES_READ:
            break
    if status.closed and narrator.cursor.seq >= head:
        for event in narrator.end(status):
            yield event
        return
    async for event in open_deltas(reader, narrator):
        yield event


async def open_deltas(reader: StreamReader, narrator: Narrator) -> AsyncGenerator[StreamEvent]:
    """Tell the deltas of the attempts that are open: no entry needs to be read for that."""
    for key, _ in narrator.open_streams():
        async for event in deltas_of(reader, narrator, key):
            yield event


async def deltas_of(reader: StreamReader, narrator: Narrator, key: StreamKey) -> AsyncGenerator[StreamEvent]:
    """Tell what is there of one attempt, read by read."""
    while pieces := await reader.pieces(key, after=narrator.number_told(key), limit=ROWS_READ):
        for event in narrator.deltas(key, pieces):
            yield event
        if narrator.number_told(key) != pieces[-1].number:
            return


def _body(entry: StoredEntry) -> dict[str, JsonValue]:
    return cast("dict[str, JsonValue]", json.loads(entry.body))


def _key(entry: StoredEntry, body: dict[str, JsonValue]) -> StreamKey:
    return StreamKey(
        tenant=entry.tenant,
        run=entry.run,
        step=str(body.get("step") or ""),
        visit=int(cast("int", body.get("visit") or 1)),
        call=str(body.get("call") or ""),
        epoch=entry.epoch,
        attempt=int(cast("int", body.get("attempt") or 1)),
    )


def _place(key: StreamKey) -> dict[str, JsonValue]:
    return {"step": key.step, "visit": key.visit, "call": key.call, "attempt": key.attempt}


def _shown(entry: StoredEntry, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
    told = ("kind", "at", "principal", "step", "visit", "call", "attempt", "data")
    return {"sequence": entry.seq} | {name: body[name] for name in told if body.get(name) not in (None, "", {})}
