"""Golden traces with what people filled in and what was undone; and those that hold what no replay can play, which are refused."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from adapters.tools.builtins.human_ask import HumanAsk
from domain.effects import EffectClass, request_digest
from domain.errors import InvalidInput
from domain.golden import Trace, record
from domain.program import Program
from domain.tools import ToolSpec
from tests.wiring.test_golden import compiled, event, played

RUN = "run_00000000000000000000000001"


def tool(name: str) -> ToolSpec:
    """Return a tool of one argument that changes the world."""
    schema: dict[str, JsonValue] = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    effect_class = EffectClass.WRITE
    return ToolSpec(name=name, version="1.0.0", description="does", input_schema=schema, effect_class=effect_class)


TOOLS = [tool("trip.book"), tool("trip.cancel"), tool("trip.pay"), HumanAsk().spec]
TRIP = """\
standfast: 1
name: trip
version: 1.0.0
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
do:
  - trip:
      saga:
        - flight: {call: trip.book, with: {n: "${ input.n }"}, compensate: {call: trip.cancel, with: {n: "${ input.n }"}}}
        - hotel: {call: trip.book, with: {n: 2}, compensate: {call: trip.cancel, with: {n: 2}}}
        - pay: {call: trip.pay, with: {n: 3}, compensate: {call: trip.cancel, with: {n: 3}}}
"""
DESK = """\
standfast: 1
name: desk
version: 1.0.0
input: {schema: {type: object}}
do:
  - look:
      task: {title: "Which one?", form: {schema: {type: object, properties: {n: {type: integer}}}}, timeout: 1h}
output: {n: "${ steps.look.output.n }"}
"""
ASKING = """\
standfast: 1
name: asking
version: 1.0.0
input: {schema: {type: object}}
do:
  - ask:
      agent:
        model: anthropic/claude-sonnet-4-5
        instructions: {text: "Ask."}
        input: "which?"
        tools: [human.ask]
        max_turns: 3
        output: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
output: {n: "${ steps.ask.output.n }"}
"""
WAITING = """\
standfast: 1
name: waiting
version: 1.0.0
input: {schema: {type: object}}
do:
  - hear: {listen: {signal: paid, timeout: 1h}}
"""


def program(text: str, changes: dict[str, str] | None = None) -> Program:
    """Compile a definition; `changes` replace parts of its text."""
    return compiled(text, TOOLS, changes)


def given(status: str = "succeeded", result: JsonValue = None) -> dict[str, JsonValue]:
    """Return what a trace says beside its events."""
    return {"name": "one", "run": RUN, "definition": "one", "input": {"n": 1}, "status": status, "result": result}


def called(step: str, name: str, n: int, *, call: str = "call") -> list[dict[str, JsonValue]]:
    """Return the events of a call that was made."""
    request = request_digest(tool=name, version="1.0.0", arguments={"n": n})
    return [
        event("agent:tool:requested", step, call, data={"subject": f"{name}@1.0.0"}),
        event("agent:tool:called", step, call, output={"ok": True}, request_sha256=request),
    ]


def failed(step: str, name: str, *, error: str = "tool-failed", call: str = "call", attempt: int = 1) -> list[dict[str, JsonValue]]:
    """Return the events of a call that failed for good."""
    return [
        event("agent:tool:requested", step, call, data={"subject": f"{name}@1.0.0"}),
        event("agent:tool:failed", step, call, data={"error": error}, attempt=attempt),
    ]


def completed(step: str, answer: JsonValue, *, call: str = "", task: str = "tsk_1") -> list[dict[str, JsonValue]]:
    """Return the events of a task that a person completed."""
    return [
        event("workflow:task:opened", step, call, data={"task": task, "role": None}),
        event("human:task:completed", step, call, data={"task": task}, task={"kind": "human", "own": False, "answer": answer}),
    ]


UNDONE = [
    *called("trip.flight", "trip.book", 1),
    *called("trip.hotel", "trip.book", 2),
    *failed("trip.pay", "trip.pay"),
    event("workflow:saga:compensating", "trip", "", data={"undo": ["trip.hotel", "trip.flight"]}),
    *called("trip.hotel", "trip.cancel", 2, call="compensate"),
    *called("trip.flight", "trip.cancel", 1, call="compensate"),
]
UNDONE_TRACE = record(given("failed"), UNDONE)


class TestCompensations:
    async def test_are_played_as_they_were(self, tmp_path: Path) -> None:
        found = await played(tmp_path, UNDONE_TRACE, program(TRIP))
        assert (found.differences, found.status) == ([], "failed")

    @pytest.mark.parametrize(("error", "attempt"), [("tool-timed-out", 1), ("tool-unavailable", 3)])
    async def test_undo_a_step_of_which_nobody_knew(self, tmp_path: Path, error: str, attempt: int) -> None:
        unknown = {"with: {n: 3}, compensate: {call": "with: {n: 3}, compensate: {if_unknown: compensate, call"}
        events = [
            *UNDONE[:4],
            *failed("trip.pay", "trip.pay", error=error, attempt=attempt),
            *called("trip.pay", "trip.cancel", 3, call="compensate"),
            *UNDONE[7:],
        ]
        assert (await played(tmp_path, record(given("failed"), events), program(TRIP, unknown))).differences == []

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            (
                {'{call: trip.cancel, with: {n: "${ input.n }"}}': "{call: trip.cancel, with: {n: 9}}"},
                "trip.flight: is undone by trip.cancel",
            ),
            (
                {"{call: trip.cancel, with: {n: 2}}": "{call: trip.pay, with: {n: 2}}"},
                "trip.hotel: is undone by trip.pay@1.0.0, and trip.cancel",
            ),
            (
                {", compensate: {call: trip.cancel, with: {n: 2}}": ""},
                "trip.hotel: it does not call trip.cancel@1.0.0, and that was recorded",
            ),
        ],
    )
    async def test_that_would_be_others_today_are_told(self, tmp_path: Path, changes: dict[str, str], said: str) -> None:
        found = await played(tmp_path, UNDONE_TRACE, program(TRIP, changes))
        assert len(found.differences) == 1
        assert found.differences[0].startswith(said)

    async def test_in_another_order_are_told(self, tmp_path: Path) -> None:
        trace = record(given("failed"), [*UNDONE[:7], *UNDONE[9:], *UNDONE[7:9]])
        found = await played(tmp_path, trace, program(TRIP))
        assert found.differences == ["trip.flight: is undone in another order than was recorded"]

    @pytest.mark.parametrize("events", [UNDONE[:7], [*UNDONE[:9], *failed("trip.flight", "trip.cancel", call="compensate")]])
    async def test_that_were_not_recorded_to_their_end_stop_the_replay(self, tmp_path: Path, events: list[dict[str, JsonValue]]) -> None:
        found = await played(tmp_path, record(given("failed"), events), program(TRIP))
        assert found.differences[-1] == "the recording has no answer to: unwind at trip"


class TestTasks:
    @pytest.fixture
    def trace(self) -> Trace:
        """A run whose person chose 4."""
        return record(given(result={"n": 4}), completed("look", {"n": 4}))

    async def test_are_answered_as_they_were(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace, program(DESK))
        assert (found.differences, found.result) == ([], {"n": 4})

    async def test_that_nobody_is_given_any_more_are_told(self, trace: Trace, tmp_path: Path) -> None:
        no_task = {
            'task: {title: "Which one?", form: {schema: {type: object, properties: {n: {type: integer}}}}, timeout: 1h}': "set: {n: 4}"
        }
        found = await played(tmp_path, trace, program(DESK, no_task))
        assert found.differences == ["look: no task is given to a person, and one was recorded"]

    async def test_that_were_not_recorded_stop_the_replay(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace.model_copy(update={"tasks": []}), program(DESK))
        assert found.differences == ["the recording has no answer to: ask_person at look"]

    async def test_of_agents_questions_are_answered_too(self, tmp_path: Path) -> None:
        question: JsonValue = {"name": "human.ask", "arguments": {"question": "Which?"}}
        trace = record(
            given(result={"n": 4}),
            [
                event("agent:model:answered", "ask", "1.model", text="", calls=[question]),
                *completed("ask", {"answer": "4"}, call="1.0"),
                event("agent:model:answered", "ask", "2.model", text='{"n": 4}'),
            ],
        )
        found = await played(tmp_path, trace, program(ASKING))
        assert (found.differences, found.result) == ([], {"n": 4})

    async def test_of_a_persons_own_are_nobodys_answer(self) -> None:
        own = event("human:task:completed", "", "", data={"task": "tsk_2"}, task={"kind": "human", "own": True, "answer": {"n": 1}})
        assert record(given(), [own]).tasks == []


class TestLeftOut:
    """What no replay plays is refused when it is recorded, by its name."""

    @pytest.mark.parametrize(
        ("events", "said"),
        [
            ([event("workflow:signal:received", "hear", "", data={"signal": "paid"})], "the signal paid at hear"),
            ([event("worker:effect:in_doubt", "pay", "call")], "an effect in doubt at pay"),
            ([event("agent:tool:simulated", "pay", "call")], "a simulated call at pay"),
            ([event("gateway:run:cancel_requested", "", "")], "that it was asked to end"),
            ([event("gateway:run:compensate_requested", "", "")], "that it was asked to undo what it did"),
            ([event("gateway:run:redriven", "", "")], "that it was redriven"),
            (completed("look", {})[:1], "a task nobody answered at look"),
            (
                [event("workflow:task:opened", "pay", "compensate", data={"task": "tsk_9", "kind": "failed_compensation"})],
                r"what a person said of pay \(failed_compensation\)",
            ),
            ([event("human:task:completed", "pay", "call", data={"happened": True})], "what a person said of pay"),
        ],
    )
    def test_is_told_by_its_name(self, events: list[dict[str, JsonValue]], said: str) -> None:
        with pytest.raises(InvalidInput, match=f"a replay would leave out {said}$"):
            record(given(), [*completed("look", {}, task="tsk_0"), *events])

    def test_is_told_whole(self) -> None:
        signal = event("workflow:signal:received", "hear", "", data={"signal": "paid"})
        with pytest.raises(InvalidInput, match=r"leave out the signal paid at hear; that it was asked to end$"):
            record(given(), [signal, event("gateway:run:cancel_requested", "", ""), signal])

    async def test_stops_the_replay_of_a_trace_of_before(self, tmp_path: Path) -> None:
        found = await played(tmp_path, record(given(), []), program(WAITING))
        assert found.differences == ["the recording has no answer to: listen at hear (a replay plays no signals)"]
