"""Streams in memory: what is written can be read at once, and watchers look every few milliseconds."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

from pydantic import JsonValue

from domain.deltas import StreamKey
from domain.ledger import Kind, StoredEntry
from domain.provider import Delta
from domain.runs import RunStatus
from domain.streams import Piece
from tests.fakes_database import MemoryDatabase

LOOK_S = 0.005


class FakeStreams:
    """`DeltaSink` and `StreamReader` over the fake database. Tests fill `texts`, the settled ones, and `outputs` of tools."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.kept: defaultdict[StreamKey, list[Piece]] = defaultdict(list)
        self.texts: dict[tuple[str, str, str, int, str], str] = {}
        self.outputs: dict[tuple[str, str, str, int, str], dict[str, JsonValue]] = {}

    def open(self, key: StreamKey) -> "FakeStream":
        """Return the stream of one attempt."""
        return FakeStream(key, self)

    async def standing(self, tenant: str, run: str) -> tuple[RunStatus, int]:
        """Return status and head. Raises: NotFound."""
        row = self._database.run(tenant, run)
        return row.status, len(self._database.entries.get((tenant, run), []))

    async def entries(self, tenant: str, run: str, *, after: int, limit: int) -> list[StoredEntry]:
        """Return entries in order. Raises: NotFound."""
        self._database.run(tenant, run)
        return self._database.entries.get((tenant, run), [])[after : after + limit]

    async def pieces(self, key: StreamKey, *, after: int, limit: int) -> list[Piece]:
        """Return deltas in order, each a row of its own."""
        return [piece for piece in self.kept[key] if piece.number > after][:limit]

    async def settled(self, key: StreamKey, kind: str) -> dict[str, JsonValue]:
        """Return the text of a recorded answer, or what is told of a tool's output."""
        place = (key.tenant, key.run, key.step, key.visit, key.call)
        if kind == Kind.TOOL_CALLED:
            return self.outputs.get(place, {})
        text = self.texts.get(place)
        return {"text": text} if kind == Kind.MODEL_ANSWERED and text is not None else {}

    def lose(self, key: StreamKey) -> None:
        """Lose what was written, as a crash of PostgreSQL does."""
        self.kept[key].clear()


class FakeStream:
    """Numbers what it is given."""

    def __init__(self, key: StreamKey, streams: FakeStreams) -> None:
        self._key = key
        self._streams = streams
        self._number = 0

    async def write(self, delta: Delta) -> None:
        """Keep a delta."""
        self._number += 1
        self._streams.kept[self._key].append(Piece(number=self._number, delta=delta))

    async def restart(self) -> None:
        """Keep that what came before is void."""
        self._number += 1
        self._streams.kept[self._key].append(Piece(number=self._number, delta=None))

    async def close(self) -> None:
        """Keep nothing more; everything can be seen already."""


class FakeWatching:
    """`Watching` whose watchers look again and again; `over` sends them away."""

    def __init__(self) -> None:
        self.over = False
        self.watchers = 0

    @contextmanager
    def watch(self, tenant: str, run: str) -> Generator["ShortSleep"]:
        """Give a wakeup that comes by itself."""
        del tenant, run
        self.watchers += 1
        try:
            yield ShortSleep()
        finally:
            self.watchers -= 1


class ShortSleep:
    """A wakeup that comes after some milliseconds."""

    def clear(self) -> None:
        """Do nothing."""

    async def wait(self) -> None:
        """Wait for so long."""
        await asyncio.sleep(LOOK_S)
