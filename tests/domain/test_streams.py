"""What watchers are told, and that a watch may be cut after any event: on random histories of model calls, and on planned ones."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.deltas import StreamKey
from domain.errors import InvalidInput
from domain.ledger import EntryBody, Kind
from domain.provider import Delta
from domain.runs import RunStatus
from domain.streams import Cursor, StreamEvent, news, resumed
from tests.contracts.postgres_bench import new_run
from tests.fakes_stores import FakeStores
from tests.fakes_streams import FakeStream

TENANT, RUN, AT = "default", "run_00000000000000000000000001", "2026-03-01T12:00:00.000000Z"
Place = tuple[str, int, str]
CALLS = ("review", "audit", "summary")


class World:
    """A run whose models answer, fail, are lost and begin anew, as its worker writes it down."""

    def __init__(self) -> None:
        self.stores = FakeStores()
        self.streams = self.stores.streams
        self.open: dict[str, tuple[StreamKey, FakeStream, str]] = {}
        self.lost: list[StreamKey] = []
        self.attempts: dict[str, int] = {}
        self.visits: dict[str, int] = {}
        self.words = 0
        self.is_lossy = False

    async def accept(self) -> "World":
        """Accept the run."""
        await self.stores.runs.accept(new_run(TENANT, RUN))
        return self

    def entry(self, kind: str, key: StreamKey | None = None, **data: JsonValue) -> None:
        """Append an entry."""
        place: dict[str, object] = {}
        if key is not None:
            place = {"step": key.step, "visit": key.visit, "call": key.call, "attempt": key.attempt}
        body = EntryBody.model_validate(
            {"kind": kind, "at": AT, "principal": "prn_a", "correlation_id": "c", "epoch": 1, "data": data, **place}
        )
        self.stores.database.append(TENANT, RUN, body)

    def request(self, step: str) -> None:
        """Begin an attempt; one that is open is lost, without a word."""
        if step not in self.open:
            self.visits[step] = self.visits.get(step, 0) + (self.attempts.get(step) is None)
        else:
            self.lost.append(self.open[step][0])
        self.attempts[step] = (self.attempts.get(step) or 0) + 1
        key = StreamKey(tenant=TENANT, run=RUN, step=step, visit=self.visits[step], call="0", epoch=1, attempt=self.attempts[step])
        self.entry(Kind.MODEL_REQUESTED, key)
        self.open[step] = (key, self.streams.open(key), "")

    async def write(self, step: str, text: str | None = None) -> None:
        """Stream a word, or nothing when no attempt is open."""
        if step not in self.open:
            return
        self.words += 1
        key, stream, so_far = self.open[step]
        word = f"{step[0]}{self.words} " if text is None else text
        await stream.write(Delta(kind="text", text=word))
        self.open[step] = (key, stream, so_far + word)

    def answer(self, step: str) -> None:
        """Settle the text."""
        if step in self.open:
            key, _, text = self.open.pop(step)
            self.streams.texts[TENANT, RUN, step, key.visit, "0"] = text
            self.attempts.pop(step)
            self.entry(Kind.MODEL_ANSWERED, key)

    def fail(self, step: str) -> None:
        """End the attempt badly; another one may come."""
        if step in self.open:
            self.entry(Kind.MODEL_FAILED, self.open.pop(step)[0])

    def fail_late(self) -> None:
        """Let an attempt that was lost long ago say that it failed: it ends nothing that is open."""
        if self.lost:
            self.entry(Kind.MODEL_FAILED, self.lost.pop())

    def crash(self) -> None:
        """Lose every delta, as PostgreSQL does when it crashes."""
        self.is_lossy = True
        for key, _, _ in self.open.values():
            self.streams.lose(key)

    def end(self) -> None:
        """End the run."""
        self.entry(Kind.RUN_FINISHED)
        self.stores.database.change_run(TENANT, RUN, status=RunStatus.SUCCEEDED)


@dataclass
class Watcher:
    """A client that keeps what it was told, and whether that made sense."""

    world: World
    cursor: str = ""
    entries: list[int] = field(default_factory=list[int])
    told: dict[Place, tuple[object, str]] = field(default_factory=dict[Place, tuple[object, str]])
    settled: dict[Place, JsonValue] = field(default_factory=dict[Place, JsonValue])
    events: list[StreamEvent] = field(default_factory=list[StreamEvent])
    ended: bool = False

    async def watch(self, most: int | None = None) -> None:
        """Connect at the cursor, take at most so many events, and be cut off."""
        narrator = await resumed(self.world.streams, Cursor.parse(self.cursor) if self.cursor else Cursor(), tenant=TENANT, run=RUN)
        async with aclosing(news(self.world.streams, narrator, tenant=TENANT, run=RUN)) as told:
            async for event in told:
                self.take(event)
                if most is not None and (most := most - 1) <= 0:
                    return

    def take(self, event: StreamEvent) -> None:
        """Do what a client does with an event."""
        self.cursor = str(event.cursor)
        self.events.append(event)
        data = event.data
        place = (str(data.get("step")), int(str(data.get("visit", 1))), str(data.get("call")))
        match event.kind:
            case "delta":
                attempt, text = self.told.get(place, (data["attempt"], ""))
                assert attempt == data["attempt"], "another attempt's deltas came without a reset"
                assert str(data["text"]) not in text, "a word came twice"
                self.told[place] = (attempt, text + str(data["text"]))
            case "reset":
                assert self.told.pop(place)[0] == data["attempt"]
            case "entry":
                self.entries.append(int(str(data["sequence"])))
                if data["kind"] == Kind.MODEL_ANSWERED:
                    shown = self.told.pop(place, (0, ""))[1]
                    assert str(data["text"]).startswith(shown)
                    assert self.world.is_lossy or shown == data["text"], "deltas are missing before the end"
                    self.settled[place] = data["text"]
            case "end":
                self.ended = True


ACTS = ("request", "write", "write", "write", "answer", "fail", "late", "note")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, int]]:
    """Draw (act, step, events taken after it): 0 looks away, 9 takes all that there is."""
    names = draw(st.sampled_from([ACTS, (*ACTS, "crash")]))
    acts = st.tuples(st.sampled_from(names), st.sampled_from(CALLS), st.sampled_from([0, 0, 1, 2, 3, 9]))
    return draw(st.lists(acts, min_size=5, max_size=60))


async def play(world: World, act: str, step: str) -> None:
    """Do one act."""
    if act == "request":
        world.request(step)
    elif act == "write":
        await world.write(step)
    elif act == "crash":
        world.crash()
    elif act == "late":
        world.fail_late()
    elif act == "note":
        world.entry(Kind.STEP_ENTERED)
    else:
        {"answer": world.answer, "fail": world.fail}[act](step)


class TestWatch:
    @settings(max_examples=150, deadline=None)
    @given(histories())
    def test_may_be_cut_anywhere_and_loses_and_repeats_nothing(self, history: list[tuple[str, str, int]]) -> None:
        async def main() -> None:
            world = await World().accept()
            watchers = [Watcher(world), Watcher(world)]
            for act, step, most in history:
                await play(world, act, step)
                if most:
                    await watchers[most % 2].watch(None if most == 9 else most)
            world.end()
            for watcher in watchers:
                while not watcher.ended:
                    await watcher.watch(most=2)
                head = len(await world.streams.entries(TENANT, RUN, after=0, limit=1000))
                assert watcher.entries == list(range(1, head + 1))
                assert watcher.told == {}
                assert watcher.settled == {(step, visit, call): text for (_, _, step, visit, call), text in world.streams.texts.items()}

        asyncio.run(main())


class TestOrder:
    async def test_has_the_deltas_of_an_attempt_between_its_request_and_its_end(self) -> None:
        world = await World().accept()
        watcher = Watcher(world)
        world.request("review")
        await world.write("review", "Yes.")
        world.answer("review")
        await watcher.watch()
        assert [event.kind for event in watcher.events[1:]] == ["entry", "delta", "entry"]
        assert watcher.settled == {("review", 1, "0"): "Yes."}

    async def test_takes_back_what_a_lost_attempt_said(self) -> None:
        world = await World().accept()
        watcher = Watcher(world)
        world.request("review")
        await world.write("review", "Yes")
        await watcher.watch()
        world.request("review")
        await world.write("review", "No.")
        await watcher.watch()
        assert [event.kind for event in watcher.events[2:]] == ["delta", "reset", "entry", "delta"]
        assert watcher.told == {("review", 1, "0"): (2, "No.")}

    async def test_goes_on_when_a_lost_attempt_says_late_that_it_failed(self) -> None:
        world = await World().accept()
        watcher = Watcher(world)
        for word in ("Yes", "No."):
            world.request("review")
            await world.write("review", word)
        await watcher.watch()
        world.fail_late()
        world.answer("review")
        await watcher.watch()
        assert [event.kind for event in watcher.events[-3:]] == ["delta", "entry", "entry"]
        assert watcher.settled == {("review", 1, "0"): "No."}

    async def test_takes_back_what_a_model_said_that_another_one_replaced(self) -> None:
        world = await World().accept()
        watcher = Watcher(world)
        world.request("review")
        await world.write("review", "I th")
        key, stream, _ = world.open["review"]
        await stream.restart()
        world.open["review"] = (key, stream, "")
        await world.write("review", "Yes.")
        world.answer("review")
        await watcher.watch()
        assert [event.kind for event in watcher.events[1:]] == ["entry", "delta", "reset", "delta", "entry"]

    async def test_tells_nothing_that_follows_a_gap(self) -> None:
        world = await World().accept()
        watcher = Watcher(world)
        world.request("review")
        await world.write("review", "a ")
        await watcher.watch()
        world.crash()
        for word in ("b ", "c "):
            await world.write("review", word)
        world.streams.kept[world.open["review"][0]].pop(0)
        await watcher.watch()
        assert watcher.events[-1].kind == "reset"
        world.answer("review")
        await watcher.watch()
        assert watcher.settled == {("review", 1, "0"): "a b c "}

    async def test_takes_back_what_never_ended_when_the_run_ends(self) -> None:
        world = await World().accept()
        watcher = Watcher(world)
        world.request("review")
        await world.write("review", "Ye")
        await watcher.watch()
        world.end()
        await watcher.watch()
        assert [event.kind for event in watcher.events[-2:]] == ["reset", "end"]

    async def test_tells_of_answers_settled_before_by_their_text_alone(self) -> None:
        world = await World().accept()
        world.request("review")
        await world.write("review", "Yes.")
        world.answer("review")
        narrator = await resumed(world.streams, Cursor(), tenant=TENANT, run=RUN)
        told = [event async for event in news(world.streams, narrator, tenant=TENANT, run=RUN, settled_until=3)]
        assert [event.kind for event in told] == ["entry", "entry", "entry"]
        assert told[-1].data["text"] == "Yes."


class TestCursor:
    @given(st.integers(0, 10**9), st.dictionaries(st.integers(1, 10**9), st.integers(-1, 10**6), max_size=5), st.booleans())
    def test_reads_what_it_wrote(self, seq: int, told: dict[int, int], ended: bool) -> None:  # noqa: FBT001 - drawn
        cursor = Cursor(max([seq, *told]), told, ended)
        assert Cursor.parse(str(cursor)) == cursor

    @pytest.mark.parametrize("text", ["x", "1.", "1.2", "-1", "1.2-3.", "1;2", "9" * 40, "1" + ".1-1" * 4000, "१"])
    def test_refuses_anything_else(self, text: str) -> None:
        with pytest.raises(InvalidInput, match="is no id of an event"):
            Cursor.parse(text)
