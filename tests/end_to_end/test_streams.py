"""Streams on the real stack: watched through kill -9 of the gateway and of the worker, to exactly the settled text."""

import threading
from collections.abc import Generator

import pytest
from temporalio.client import Client

from standfast_client import AsyncStandfast, RunEvent, Standfast
from tests.examples.running_service import wait_until
from tests.servers.model_server import Answer, ModelServer
from tests.servers.stack import LiveStack, live_stack

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


@pytest.fixture(scope="module")
def models() -> Generator[ModelServer]:
    """The vendor's server."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models: ModelServer) -> Generator[LiveStack]:
    """A stack whose worker asks that server."""
    environment = {
        "STANDFAST_COMPATIBLE_BASE_URL": models.openai_url,
        "STANDFAST_COMPATIBLE_API_KEY": models.api_key,
        "STANDFAST_PRICES": '{"compatible/any": [1000000, 2000000]}',
    }
    with live_stack(tmp_path_factory.mktemp("streams") / "state", environment=environment) as running:
        with running.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": {"speaker.yaml": SPEAKER}})
            assert answer.status_code == 201, answer.text
        yield running


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
