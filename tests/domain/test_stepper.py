"""The stepper: sequences, conditions, switches, values, deadlines, and facts."""

import pytest

from domain.envelope import Usage
from domain.ledger import Kind
from domain.runs import RunStatus
from domain.state import CallTool, Done, Finish, StepStatus
from tests.domain.play import Play
from tests.domain.programs import approve, call, do, program, put, saga, switch


def outcomes(play: Play) -> dict[str, str]:
    """Return the status of every step reached."""
    return {path: record.status.value for path, record in play.state.steps.items()}


class TestSequence:
    def test_asks_for_one_call_after_the_other(self) -> None:
        play = Play(program(call("a"), call("b"), output="${ steps.b.output }"))
        assert play.waiting == ["a#1/call"]
        play.done("a", 1)
        assert play.waiting == ["b#1/call"]
        play.done("b", {"paid": 2})
        assert (play.end.status, play.end.output) == (RunStatus.SUCCEEDED, {"paid": 2})

    def test_evaluates_arguments_when_the_step_is_reached(self) -> None:
        play = Play(program(call("a"), call("b", arguments={"amount": "${ steps.a.output.owed + input.n }"})))
        play.done("a", {"owed": 41})
        assert play.calling("b").arguments == {"amount": 42}

    def test_ends_with_the_failure_of_the_step_that_failed(self) -> None:
        play = Play(program(call("a"), call("b")))
        play.fail("a", "tool-failed")
        assert play.verdict == (RunStatus.FAILED, "tool-failed")
        assert play.end.error is not None
        assert play.end.error["step"] == "a"
        assert "b" not in play.state.steps

    def test_ignores_an_outcome_of_a_command_it_never_asked_for(self) -> None:
        play = Play(program(call("a")))
        before = play.state.model_dump_json()
        assert play.apply(Done.model_validate({"command": "other#1/call", "receipt": {}})) == []
        assert play.state.model_dump_json() == before

    def test_fails_when_the_output_of_the_run_cannot_be_computed(self) -> None:
        play = Play(program(put("a", 1), output="${ steps.a.output.missing }"))
        assert play.verdict == (RunStatus.FAILED, "expression-failed")

    def test_fails_a_call_whose_arguments_are_no_object(self) -> None:
        play = Play(program(call("a", arguments="${ input.n }")))
        assert play.verdict == (RunStatus.FAILED, "expression-failed")

    def test_adds_up_the_usage(self) -> None:
        play = Play(program(call("a"), call("b")))
        play.done("a", usage=Usage(cost_usd_micros=5))
        play.done("b", usage=Usage(cost_usd_micros=7))
        assert play.state.usage.cost_usd_micros == 12


class TestCondition:
    def test_skips_a_step_and_says_so(self) -> None:
        play = Play(program(call("a", when="input.n > 1"), put("b", "${ steps.a.status }"), output="${ steps.b.output }"))
        assert play.end.output == "skipped"
        assert "workflow:step:skipped a" in play.facts()

    def test_of_a_skipped_gate_outputs_that_it_was_skipped(self) -> None:
        play = Play(program(approve("gate", when="false"), output="${ steps.gate.output.decision }"))
        assert play.end.output == "skipped"

    @pytest.mark.parametrize("when", ["input.missing", "input.n"])
    def test_that_is_no_boolean_fails_the_step(self, when: str) -> None:
        play = Play(program(call("a", when=when)))
        assert play.verdict == (RunStatus.FAILED, "expression-failed")
        assert play.end.error is not None
        assert play.end.error["detail"].startswith("if: ")


class TestSwitch:
    def test_takes_the_first_branch_that_holds_and_the_default_last(self) -> None:
        steps = switch("s", ("input.n > 5", [call("s.big")]), ("input.n > 0", [call("s.small")]), (None, [call("s.none")]))
        assert Play(program(steps)).waiting == ["s.small#1/call"]
        assert Play(program(steps), given={"n": 0}).waiting == ["s.none#1/call"]

    def test_without_a_branch_is_no_failure(self) -> None:
        assert Play(program(switch("s", ("input.n > 5", [call("s.big")])))).end.status is RunStatus.SUCCEEDED

    def test_keeps_its_branch_although_the_condition_would_change(self) -> None:
        play = Play(program(switch("s", ("!has(steps.s)", [call("s.one"), call("s.two")]), (None, [call("s.other")]))))
        play.done("s.one")
        assert play.waiting == ["s.two#1/call"]

    def test_that_is_skipped_evaluates_no_case(self) -> None:
        play = Play(program(switch("s", ("input.missing", [call("s.a")]), when="false")))
        assert play.end.status is RunStatus.SUCCEEDED

    def test_whose_case_cannot_be_evaluated_fails(self) -> None:
        assert Play(program(switch("s", ("input.missing", [call("s.a")])))).verdict == (RunStatus.FAILED, "expression-failed")


class TestContainers:
    def test_output_the_map_of_their_steps_outputs(self) -> None:
        play = Play(program(do("d", put("d.a", 1), put("d.b", {"x": 2})), output="${ steps.d.output }"))
        assert play.end.output == {"a": 1, "b": {"x": 2}}

    def test_fail_with_the_failure_inside(self) -> None:
        play = Play(program(do("d", do("d.e", call("d.e.a")))))
        play.fail("d.e.a", "tool-failed")
        assert outcomes(play) == {"d": "failed", "d.e": "failed", "d.e.a": "failed"}
        assert play.end.error is not None
        assert play.end.error["step"] == "d.e.a"


class TestOutputAs:
    def test_makes_the_output_anew(self) -> None:
        play = Play(program(call("a", output_as={"id": "${ self.output.payment.id }"}), output="${ steps.a.output }"))
        play.done("a", {"payment": {"id": 7}, "more": "x"})
        assert play.end.output == {"id": 7}

    def test_fails_the_step_when_it_cannot_be_computed(self) -> None:
        play = Play(program(call("a", output_as="${ self.output.missing }")))
        play.done("a", {})
        assert play.verdict == (RunStatus.FAILED, "expression-failed")

    def test_that_fails_on_a_done_step_of_a_saga_still_undoes_it(self) -> None:
        play = Play(program(saga("s", call("s.a", undo="bank.refund", output_as="${ self.output.missing }"))))
        play.done("s.a", {})
        assert [(undo.step, undo.known) for undo in play.unwinding("s").undo] == [("s.a", "happened")]


class TestDeadline:
    def test_of_a_step_is_set_when_it_is_entered(self) -> None:
        play = Play(program(call("a", timeout_s=60)))
        assert play.calling("a").deadline == "2026-03-01T12:01:00.000000+00:00"

    def test_of_a_container_bounds_what_is_inside(self) -> None:
        play = Play(program(do("d", call("d.a"), call("d.b", timeout_s=60), timeout_s=90)))
        assert play.calling("d.a").deadline == "2026-03-01T12:01:30.000000+00:00"
        play.pass_time(20)
        play.done("d.a")
        assert play.calling("d.b").deadline == "2026-03-01T12:01:20.000000+00:00"

    def test_that_is_earlier_outside_wins(self) -> None:
        play = Play(program(do("d", call("d.a"), call("d.b", timeout_s=3600), timeout_s=90)))
        play.done("d.a")
        assert play.calling("d.b").deadline == "2026-03-01T12:01:30.000000+00:00"

    def test_that_is_over_fails_a_step_before_it_begins(self) -> None:
        play = Play(program(do("d", call("d.a"), call("d.b"), timeout_s=10)))
        play.pass_time(11)
        play.done("d.a")
        assert play.verdict == (RunStatus.FAILED, "step-timed-out")
        assert not any(isinstance(command, CallTool) for command in play.last)


class TestFacts:
    def test_are_gapless_and_committed_by_the_last(self) -> None:
        play = Play(program(put("a", 1), do("d", call("d.b"))))
        play.done("d.b")
        facts = play.state.unacked
        assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
        assert facts[0].kind == "workflow:run:started"
        assert facts[-1].kind == "workflow:run:finished"
        assert facts[-1].data["facts"] == len(facts)
        assert facts[-1].data["last_digest"] == facts[-2].digest()

    def test_tell_the_way_of_a_run(self) -> None:
        play = Play(program(call("a"), put("b", 1, when="false")))
        play.fail("a")
        assert play.facts() == [
            "workflow:run:started",
            "workflow:step:entered a",
            "workflow:step:failed a",
            "workflow:run:finished",
        ]

    def test_change_their_digest_with_every_field(self) -> None:
        [fact, *_] = Play(program(call("a"))).state.unacked
        others: list[dict[str, object]] = [{"seq": 2}, {"kind": "x:y:z"}, {"at": "2026-03-01T12:00:01Z"}, {"epoch": 2}, {"data": {"a": 1}}]
        digests = {fact.model_copy(update=other).digest() for other in others}
        assert len(digests) == len(others)
        assert fact.digest() not in digests

    def test_of_the_shell_are_numbered_in_the_same_row(self) -> None:
        play = Play(program(call("a")))
        play.stepper.note(play.tick(), Kind.APPROVAL_REFUSED, principal="prn_x", data={"code": "forbidden"})
        fact = play.state.unacked[-1]
        assert (fact.seq, fact.principal) == (play.state.fact_seq, "prn_x")


class TestStart:
    def test_with_a_carried_state_gives_the_pending_commands_again_and_no_new_fact(self) -> None:
        play = Play(program(call("a"), call("b")))
        play.done("a")
        carried = type(play.state).model_validate_json(play.state.model_dump_json())
        again = Play(play.stepper.program, state=carried)
        assert [command.model_dump() for command in again.last] == [play.pending("b").model_dump()]
        assert again.state.fact_seq == play.state.fact_seq

    def test_of_an_empty_program_finishes_at_once(self) -> None:
        play = Play(program(output={"n": "${ input.n }"}))
        assert isinstance(play.last[0], Finish)
        assert play.end.output == {"n": 1}


def test_a_step_that_succeeded_keeps_reference_and_digest() -> None:
    play = Play(program(call("a"), call("b")))
    play.done("a", 1)
    record = play.state.steps["a"]
    assert (record.status, record.ref, record.digest, record.fields) == (StepStatus.SUCCEEDED, "ref-a", "d" * 64, {"": 1})
