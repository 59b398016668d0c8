"""Deltas, written and read: one suite for PostgreSQL and for the fake."""

from dataclasses import dataclass

import pytest
from pydantic import JsonValue

from adapters.postgres.deltas import PostgresDeltaSink
from adapters.postgres.pool import Database
from adapters.postgres.streams import OUTPUT_BYTES_MAX, PostgresStreamReader
from domain.deltas import DeltaSink, StreamKey
from domain.effects import EffectState
from domain.errors import NotFound
from domain.ledger import Kind
from domain.provider import Delta
from domain.runs import RunStatus
from domain.streams import Piece, StreamReader
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import RUN, intent, outcome
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.fakes_stores import FakeStores


@dataclass(frozen=True)
class Streams:
    """What writes, what reads, and whose run."""

    sink: DeltaSink
    reader: StreamReader
    tenant: str

    def key(self, *, attempt: int = 1, step: str = "review", tenant: str | None = None) -> StreamKey:
        """Name an attempt."""
        return StreamKey(tenant=tenant or self.tenant, run=RUN, step=step, visit=1, call="0", epoch=1, attempt=attempt)

    async def write(self, key: StreamKey, *deltas: Delta) -> None:
        """Write a whole stream."""
        stream = self.sink.open(key)
        for delta in deltas:
            await stream.write(delta)
        await stream.close()


@pytest.fixture(params=["postgres", "fake"])
async def streams(request: pytest.FixtureRequest, db: Database, tenant: str) -> Streams:
    """Each implementation, with a run."""
    if request.param == "fake":
        stores = FakeStores()
        await stores.runs.accept(new_run(tenant))
        return Streams(stores.streams, stores.streams, tenant)
    await PostgresBench(db, tenant).accept()
    return Streams(PostgresDeltaSink(db, XorCipher()), PostgresStreamReader(db, XorCipher()), tenant)


def said(*words: str) -> list[Delta]:
    """Return deltas of text."""
    return [Delta(kind="text", text=word) for word in words]


def text_of(pieces: list[Piece]) -> str:
    """Join what was read."""
    return "".join(piece.delta.text for piece in pieces if piece.delta is not None)


class TestDeltas:
    async def test_are_read_in_order_with_their_numbers(self, streams: Streams) -> None:
        words = [f"w{number} " for number in range(50)]
        await streams.write(streams.key(), *said(*words))
        pieces = await streams.reader.pieces(streams.key(), after=0, limit=1000)
        assert text_of(pieces) == "".join(words)
        assert [piece.number for piece in pieces] == list(range(1, len(pieces) + 1))

    async def test_are_read_on_after_any_number(self, streams: Streams) -> None:
        call = Delta(kind="tool_arguments", text="", name="notes.read")
        kinds = [Delta(kind="reasoning", text="hm"), *said("yes"), call, call.model_copy(update={"text": "{}", "name": None, "index": 1})]
        await streams.write(streams.key(), *kinds)
        whole = await streams.reader.pieces(streams.key(), after=0, limit=1000)
        assert [piece.delta for piece in whole] == kinds
        for place in range(len(whole) + 1):
            assert await streams.reader.pieces(streams.key(), after=place, limit=1000) == whole[place:]

    async def test_are_void_before_a_restart(self, streams: Streams) -> None:
        stream = streams.sink.open(streams.key())
        await stream.write(Delta(kind="text", text="I th"))
        await stream.restart()
        await stream.write(Delta(kind="text", text="Yes."))
        await stream.close()
        pieces = await streams.reader.pieces(streams.key(), after=0, limit=9)
        assert [piece.delta and piece.delta.text for piece in pieces] == ["I th", None, "Yes."]

    async def test_of_each_attempt_stand_apart(self, streams: Streams) -> None:
        for attempt in (1, 2):
            await streams.write(streams.key(attempt=attempt), *said(f"attempt {attempt}"))
        assert text_of(await streams.reader.pieces(streams.key(attempt=2), after=0, limit=9)) == "attempt 2"
        assert await streams.reader.pieces(streams.key(attempt=3), after=0, limit=9) == []

    async def test_are_none_of_another_tenant(self, streams: Streams) -> None:
        await streams.write(streams.key(), *said("secret"))
        assert await streams.reader.pieces(streams.key(tenant="other"), after=0, limit=9) == []
        with pytest.raises(NotFound):
            await streams.reader.standing("other", RUN)

    async def test_close_at_once_when_nothing_was_said(self, streams: Streams) -> None:
        await streams.write(streams.key())
        assert await streams.reader.pieces(streams.key(), after=0, limit=9) == []


class TestStanding:
    async def test_names_status_and_last_entry(self, streams: Streams) -> None:
        status, head = await streams.reader.standing(streams.tenant, RUN)
        assert (status, head) == (RunStatus.ACCEPTED, len(await streams.reader.entries(streams.tenant, RUN, after=0, limit=9)))


class TestSettledText:
    async def test_is_that_of_the_recorded_answer(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        reader = PostgresStreamReader(db, bench.cipher)
        key = StreamKey(tenant=tenant, run=RUN, step="settle.pay", visit=1, call="0", epoch=1, attempt=1)
        await bench.journal.intent(intent(bench))
        assert await reader.settled(key, Kind.MODEL_ANSWERED) == {}
        call: JsonValue = {"name": "notes.read", "arguments": {"n": 1}, "vendor_id": "v"}
        stored: JsonValue = {"reply": {"text": "Yes.", "tool_calls": [call]}}
        await bench.journal.outcome(outcome(bench, state=EffectState.DONE, output=stored))
        told = {"text": "Yes.", "calls": [{"name": "notes.read", "arguments": {"n": 1}}]}
        assert await reader.settled(key, Kind.MODEL_ANSWERED) == told
        assert await reader.settled(key, Kind.TOOL_CALLED) == {"output": stored, "request_sha256": "a" * 64}
        assert await reader.settled(key.model_copy(update={"tenant": "other"}), Kind.MODEL_ANSWERED) == {}

    async def test_of_a_tool_is_left_out_when_it_is_large(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        reader = PostgresStreamReader(db, bench.cipher)
        key = StreamKey(tenant=tenant, run=RUN, step="settle.pay", visit=1, call="0", epoch=1, attempt=1)
        await bench.journal.intent(intent(bench))
        await bench.journal.outcome(outcome(bench, state=EffectState.DONE, output="x" * (OUTPUT_BYTES_MAX + 1)))
        assert await reader.settled(key, Kind.TOOL_CALLED) == {"output_bytes": OUTPUT_BYTES_MAX + 1, "request_sha256": "a" * 64}
