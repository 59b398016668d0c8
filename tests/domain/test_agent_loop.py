"""The agent step: turns, parallel calls, refused calls, the repair turn, and every way it ends."""

from typing import Any

import pytest
from pydantic import JsonValue

from domain.effects import EffectClass
from domain.envelope import Receipt
from domain.program import Program
from domain.runs import RunStatus
from domain.state import CallTool, Command, CompletePrompt, Done
from tests.domain.play import Play
from tests.domain.programs import agent, call, pinned, program

READ = pinned("flights.lookup", effect_class=EffectClass.READ)
NOTE = pinned("notes.read", effect_class=EffectClass.NONE)
PAY = pinned("bank.pay")


def judged(**more: object) -> Program:
    """Build a program with one agent that has three tools."""
    step = agent("judge", tools=["flights.lookup", "notes.read", "bank.pay"], input="${ input }", **more)
    return program(step, output="${ steps.judge.output }", tools=[READ, NOTE, PAY])


def replied(play: Play, stop: str, *, calls: list[dict[str, JsonValue]] | None = None, **more: JsonValue) -> list[Command]:
    """Let the model reply."""
    command = play.prompting("judge")
    head: JsonValue = {"count": 2 * play.state.agents["judge"].turn, "digest": "h"}
    fields: dict[str, JsonValue] = {"stop": stop, "head": head, "calls": list(calls or []), "problems": [], "scripted": True, **more}
    return play.apply(Done(command=command.id, receipt=Receipt(ref=f"reply-{command.call}", digest="d", fields=fields)))


def wants(name: str, *, problem: str | None = None, arguments: JsonValue = None, vendor_id: str = "v") -> dict[str, JsonValue]:
    """Build one call as the activity reports it."""
    return {"name": name, "vendor_id": vendor_id, "problem": problem, "arguments": {} if arguments is None else arguments}


def appended(play: Play) -> Any:  # noqa: ANN401 - tests index into JSON
    """Return the messages that the pending prompt appends."""
    return play.prompting("judge").request["append"]


def finish_call(play: Play, call_id: str, ref: str) -> list[Command]:
    """Let one of several tool calls succeed."""
    return play.apply(Done(command=f"judge#1/{call_id}", receipt=Receipt(ref=ref)))


class TestPrompt:
    def test_begins_with_the_input_as_the_users_message(self) -> None:
        play = Play(judged())
        assert appended(play) == [{"kind": "user", "value": {"n": 1}}]
        request = play.prompting("judge").request
        assert (request["model"], request["instructions"]) == ("fake/model", "Decide.")
        assert isinstance(request["tools"], list)
        assert len(request["tools"]) == 3

    def test_asks_for_the_fields_that_expressions_read(self) -> None:
        assert play_projection(judged()) == ["stop", "head", "calls", "problems", "scripted", "answer"]

    def test_that_cannot_be_rendered_fails_the_step(self) -> None:
        play = Play(program(agent("judge", input="${ input.missing }")))
        assert play.verdict == (RunStatus.FAILED, "expression-failed")


def play_projection(given: Program) -> list[str]:
    """Return what the first prompt projects."""
    return Play(given).prompting("judge").project


class TestAnswer:
    def test_ends_the_step_with_the_answer(self) -> None:
        play = Play(judged())
        replied(play, "answered", answer={"verdict": "pay"})
        assert play.end.output == {"verdict": "pay"}

    def test_that_breaks_its_schema_gets_one_repair_turn(self) -> None:
        play = Play(judged())
        replied(play, "answered", problems=["/verdict: missing"])
        reply, user = appended(play)
        assert reply == {"kind": "reply", "ref": "reply-1.model"}
        assert "/verdict: missing" in user["value"]
        replied(play, "answered", answer={"verdict": "pay"})
        assert play.end.status is RunStatus.SUCCEEDED

    def test_that_breaks_its_schema_again_fails_the_step(self) -> None:
        play = Play(judged())
        replied(play, "answered", problems=["a"])
        replied(play, "answered", problems=["b"])
        assert play.verdict == (RunStatus.FAILED, "output-invalid")

    @pytest.mark.parametrize(("stop", "code"), [("refused", "model-refused"), ("length", "model-cut-off")])
    def test_that_is_none_fails_the_step(self, stop: str, code: str) -> None:
        play = Play(judged())
        replied(play, stop)
        assert play.verdict == (RunStatus.FAILED, code)

    def test_that_never_comes_fails_the_step_after_its_turns(self) -> None:
        play = Play(judged(max_turns=2))
        for turn in ("1.0", "2.0"):
            replied(play, "tool_calls", calls=[wants("notes.read")])
            finish_call(play, turn, "r")
        assert play.verdict == (RunStatus.FAILED, "turns-exhausted")

    def test_counts_the_repair_turn(self) -> None:
        play = Play(judged(max_turns=1))
        replied(play, "answered", problems=["a"])
        assert play.verdict == (RunStatus.FAILED, "turns-exhausted")

    def test_of_a_failed_model_call_is_its_failure(self) -> None:
        play = Play(judged())
        play.fail("judge", "model-failed")
        assert play.verdict == (RunStatus.FAILED, "model-failed")


class TestToolCalls:
    def test_of_one_turn_run_at_once_and_are_answered_in_order(self) -> None:
        play = Play(judged())
        commands = replied(play, "tool_calls", calls=[wants("flights.lookup", vendor_id="x"), wants("notes.read", vendor_id="y")])
        assert [(c.call, c.tool) for c in commands if isinstance(c, CallTool)] == [("1.0", "flights.lookup"), ("1.1", "notes.read")]
        assert finish_call(play, "1.1", "ref-y") == []
        finish_call(play, "1.0", "ref-x")
        assert appended(play) == [
            {"kind": "reply", "ref": "reply-1.model"},
            {"kind": "tool", "vendor_id": "x", "ref": "ref-x", "error": None, "bytes": 0},
            {"kind": "tool", "vendor_id": "y", "ref": "ref-y", "error": None, "bytes": 0},
        ]

    def test_carry_large_arguments_by_reference(self) -> None:
        play = Play(judged())
        replied(play, "tool_calls", calls=[{**wants("notes.read"), "arguments": None}])
        command = next(c for c in play.last if isinstance(c, CallTool))
        assert command.arguments_from is not None
        assert (command.arguments_from.ref, command.arguments_from.index) == ("reply-1.model", 0)

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            (wants("no.such.tool"), "there is no tool 'no.such.tool'"),
            (wants("notes.read", problem="the arguments are no JSON object: {"), "refused: the arguments are no JSON object"),
            (wants("bank.pay"), "changes the world"),
        ],
    )
    def test_that_may_not_run_are_told_to_the_model(self, asked: dict[str, JsonValue], told: str) -> None:
        play = Play(judged())
        commands = replied(play, "tool_calls", calls=[asked])
        assert not any(isinstance(command, CallTool) for command in commands)
        assert told in appended(play)[1]["error"]
        assert "agent:tool:refused judge" in play.facts()

    def test_beside_a_refused_one_still_run(self) -> None:
        play = Play(judged())
        commands = replied(play, "tool_calls", calls=[wants("bank.pay"), wants("notes.read")])
        assert [c.call for c in commands if isinstance(c, CallTool)] == ["1.1"]
        finish_call(play, "1.1", "r")
        assert [bool(item["error"]) for item in appended(play)[1:]] == [True, False]

    def test_that_fail_are_told_to_the_model(self) -> None:
        play = Play(judged())
        replied(play, "tool_calls", calls=[wants("notes.read")])
        play.fail("judge", "tool-failed")
        assert appended(play)[1]["error"] == "tool-failed: no"

    @pytest.mark.parametrize("code", ["effect-divergent", "stale-epoch", "reference-missing", "step-timed-out"])
    def test_that_fail_beyond_the_model_fail_the_step_once_all_have_ended(self, code: str) -> None:
        play = Play(judged())
        replied(play, "tool_calls", calls=[wants("flights.lookup"), wants("notes.read")])
        assert play.fail("judge", code) == []
        play.done("judge")
        assert play.verdict == (RunStatus.FAILED, code)

    def test_never_use_the_models_own_id(self) -> None:
        play = Play(judged())
        replied(play, "tool_calls", calls=[wants("notes.read", vendor_id="1.9"), wants("notes.read", vendor_id="1.9")])
        assert play.waiting == ["judge#1/1.0", "judge#1/1.1"]


class TestEnd:
    def test_of_the_time_stops_the_loop(self) -> None:
        play = Play(judged(timeout_s=60))
        replied(play, "tool_calls", calls=[wants("notes.read")])
        play.pass_time(61)
        finish_call(play, "1.0", "r")
        assert play.verdict == (RunStatus.FAILED, "step-timed-out")

    def test_by_cancellation_starts_neither_tools_nor_a_turn(self) -> None:
        play = Play(judged())
        play.cancel()
        commands = replied(play, "tool_calls", calls=[wants("notes.read")])
        assert not any(isinstance(command, CallTool | CompletePrompt) for command in commands)
        assert play.verdict == (RunStatus.CANCELLED, "run-cancelled")

    def test_by_cancellation_between_a_tool_and_the_next_turn(self) -> None:
        play = Play(judged())
        replied(play, "tool_calls", calls=[wants("notes.read")])
        play.cancel()
        finish_call(play, "1.0", "r")
        assert play.verdict == (RunStatus.CANCELLED, "run-cancelled")

    def test_lets_the_next_step_read_the_answer(self) -> None:
        given = program(agent("judge"), call("pay", arguments={"amount": "${ steps.judge.output.amount }"}))
        play = Play(given)
        replied(play, "answered", answer={"amount": 80})
        assert play.calling("pay").arguments == {"amount": 80}


class TestLaterTurn:
    def test_that_cannot_be_rendered_any_more_fails_the_step_with_its_code(self) -> None:
        step = agent("judge", tools=["notes.read"], instructions="${ steps.note.output.text }")
        play = Play(program(call("note"), step, tools=[NOTE, READ, PAY]))
        play.done("note", {"text": "Decide."})
        replied(play, "tool_calls", calls=[wants("notes.read")])
        play.state.steps["note"].fields = {}
        finish_call(play, "1.0", "note-1")
        assert play.verdict == (RunStatus.FAILED, "expression-failed")
