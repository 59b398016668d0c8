"""Streams on the real stack: watched through kill -9 of the gateway and of the worker, to exactly the settled text."""

import json
import threading
from collections.abc import Generator

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from standfast_client import AsyncStandfast, RunEvent, Standfast
from tests.end_to_end.vendors import VENDORS
from tests.examples.running_service import wait_until
from tests.servers.model_server import Answer, ModelServer, PlannedCall
from tests.servers.stack import LiveStack

SPEAKER = """\
standfast: 1
name: speaker
version: 1.0.0
input: {schema: {type: object, required: [question], properties: {question: {type: string}}}}
do:
  - say:
      agent: {model: compatible/any, instructions: {text: "Speak."}, input: "${ input.question }", max_turns: 2}
output: {text: "${ steps.say.output }"}
"""
WORDS = 1_000

TALKER = """\
standfast: 1
name: talker
version: 1.0.0
input: {schema: {type: object}}
config:
  schema: {type: object, properties: {model: {type: string}}, required: [model]}
  defaults: {model: compatible/any}
do:
  - work:
      agent: {model: "${ config.model }", instructions: {text: "Speak."}, input: "go on", tools: [python.run], max_turns: 3}
output: {text: "${ steps.work.output }"}
"""
PIECES = 200
SAID = "".join(f"w{number:04d} " for number in range(PIECES))
LAST = "It is 42."
TRIES = 3
THOUGHT = "The sum is easy, and a tool is there for it."
WORK = PlannedCall("python.run", {"code": "20 + 22"})
UNTOLD = ("SIGNALED", "UPDATE", "MARKER", "HEARTBEAT", "CHILD")
"""Kinds of history events by which pieces of an answer could get into a history."""


@pytest.fixture(scope="module", autouse=True)
def speaker(stack: LiveStack) -> None:
    """Register the definitions."""
    with stack.api("developer") as api:
        for name, text in (("speaker", SPEAKER), ("talker", TALKER)):
            answer = api.post("/v1/definitions", json={"files": {f"{name}.yaml": text}})
            assert answer.status_code == 201, answer.text


@pytest.fixture
def user(stack: LiveStack) -> Generator[Standfast]:
    """A client that starts runs."""
    with Standfast(stack.dev["gateway_url"], stack.dev["api_keys"]["operator"]) as client:
        yield client


def speech(name: str, *, pause_s: float = 0.0) -> Answer:
    """Return an answer of a thousand words, a word a piece."""
    return Answer(text="".join(f"{name}{number:05d} " for number in range(WORDS)), pieces=WORDS, pause_s=pause_s)


class Watcher:
    """Follows a run in a thread and keeps what it is told: the text on its screen, and whether anything came twice."""

    def __init__(self, user: Standfast, run: str) -> None:
        self.events: list[RunEvent] = []
        self.screen = ""
        self._follow = user.runs.handle(run).events()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        for event in self._follow:
            self.events.append(event)
            if event.kind == "delta" and event.what == "text":
                self.screen += event.text or ""
            elif event.kind == "reset":
                self.screen = ""

    def join(self) -> None:
        """Wait until the stream ends."""
        self._thread.join(90)
        assert self.events[-1].kind == "end", self.events[-1]

    @property
    def sequences(self) -> list[int]:
        """The ledger entries told."""
        return [event.sequence for event in self.events if event.sequence is not None]

    @property
    def settled(self) -> str:
        """The text of the last answer."""
        return [event.text for event in self.events if event.what == "agent:model:answered"][-1] or ""


def assert_whole(watcher: Watcher, result: object) -> None:
    """Check that entries came once and in order, and that screen, settled text and result are the same."""
    assert watcher.sequences == list(range(1, len(watcher.sequences) + 1))
    assert watcher.screen == watcher.settled
    assert result == {"text": watcher.settled}


@pytest.mark.timeout(180)
class TestStream:
    def test_survives_kill_9_of_the_gateway(self, stack: LiveStack, user: Standfast, models: ModelServer) -> None:
        models.plan(speech("a", pause_s=0.004))
        run = user.runs.start("speaker", {"question": "?"})
        watchers = [Watcher(user, run.id), Watcher(user, run.id)]
        wait_until(lambda: all(len(watcher.screen) > 500 for watcher in watchers))
        stack.kill("gateway")
        for watcher in watchers:
            watcher.join()
            assert_whole(watcher, run.result(timeout=100))
            assert "reset" not in {event.kind for event in watcher.events}

    def test_survives_kill_9_of_the_gateway_and_then_of_the_worker(self, stack: LiveStack, user: Standfast, models: ModelServer) -> None:
        models.plan(speech("a", pause_s=0.1), speech("b"))
        run = user.runs.start("speaker", {"question": "?"})
        watcher = Watcher(user, run.id)
        wait_until(lambda: len(watcher.screen) > 100)
        stack.kill("gateway")
        seen = len(watcher.screen)
        wait_until(lambda: len(watcher.screen) > seen + 100)
        stack.kill("worker")
        watcher.join()
        assert_whole(watcher, run.result(timeout=100))
        assert [event.attempt for event in watcher.events if event.kind == "reset"] == [1]
        assert watcher.settled.startswith("b00000 ")

    async def test_costs_no_event_of_history_and_no_entry(self, stack: LiveStack, models: ModelServer) -> None:
        models.plan(Answer(text="one"), speech("a"))
        lengths: list[tuple[int, int]] = []
        temporal = await Client.connect(stack.dev["temporal_address"])
        async with AsyncStandfast(stack.dev["gateway_url"], stack.dev["api_keys"]["operator"]) as client:
            for _ in range(2):
                run = await client.runs.start("speaker", {"question": "?"})
                events = [event async for event in run.events()]
                history = await temporal.get_workflow_handle(run.id).fetch_history()
                lengths.append((len(history.events), len([event for event in events if event.kind == "entry"])))
        assert lengths[0] == lengths[1]


@pytest.mark.timeout(120)
class TestVendors:
    @pytest.mark.parametrize("vendor", VENDORS)
    async def test_tell_reasoning_text_and_arguments_before_they_settle_and_outside_history(
        self, stack: LiveStack, models: ModelServer, vendor: str
    ) -> None:
        run, events = await watched(stack, models, vendor)
        answers = [place for place, event in enumerate(events) if event.what == "agent:model:answered"]
        ended = next(place for place, event in enumerate(events) if event.what == "workflow:step:completed")
        assert len(answers) == 2
        assert max(place for place, event in enumerate(events) if event.kind == "delta") < ended
        first, second = events[: answers[0]], events[answers[0] : answers[1]]
        assert [told(first, kind) for kind in ("reasoning", "text")] == [THOUGHT, SAID]
        assert json.loads(told(first, "tool_arguments")) == WORK.arguments
        assert [event.name for event in first if event.name] == ["python.run"]
        assert events[answers[0]].text == SAID
        assert [(call["name"], call["arguments"]) for call in events[answers[0]].calls] == [(WORK.name, WORK.arguments)]
        assert told(second, "text") == events[answers[1]].text == LAST
        temporal = await Client.connect(stack.dev["temporal_address"])
        history = await temporal.get_workflow_handle(run).fetch_history()
        kinds = [EventType.Name(event.event_type) for event in history.events]
        assert len(kinds) < PIECES
        assert [kind for kind in kinds if any(untold in kind for untold in UNTOLD)] == []


async def watched(stack: LiveStack, models: ModelServer, vendor: str) -> tuple[str, list[RunEvent]]:
    """Play a run of two answers whose watcher is there before the first, and return what it saw.

    A worker waits for PostgreSQL to take the last deltas for a second; on a machine that is slower than that the run is played again.
    """
    tried = 0
    while True:
        there = threading.Event()
        models.plan(Answer(reasoning=THOUGHT, text=SAID, calls=(WORK,), pieces=PIECES, after=there), Answer(text=LAST, pieces=3))
        async with AsyncStandfast(stack.dev["gateway_url"], stack.dev["api_keys"]["operator"]) as client:
            run = await client.runs.start("talker", {}, config={"model": VENDORS[vendor]})
            events: list[RunEvent] = []
            async for event in run.events():
                there.set()
                events.append(event)
            assert await run.result(timeout=100) == {"text": LAST}
        tried += 1
        if told(events, "text") == SAID + LAST or tried == TRIES:
            return run.id, events


def told(events: list[RunEvent], kind: str) -> str:
    """Return the deltas of one kind, joined."""
    return "".join(event.text or "" for event in events if event.kind == "delta" and event.what == kind)
