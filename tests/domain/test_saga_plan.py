"""Sagas in the stepper: what is registered when, what is undone and in which order, and cancellation at every point."""

import pytest

from domain.runs import RunStatus
from domain.state import CallTool, Unwind
from tests.domain.play import Play
from tests.domain.programs import approve, call, do, program, put, saga, switch

SETTLE = program(
    saga(
        "s",
        call(
            "s.reserve", tool="bank.reserve", arguments={"id": "r1"}, undo="bank.release", undo_arguments={"id": "${ self.arguments.id }"}
        ),
        call("s.pay", undo="bank.refund", undo_arguments={"payment": "${ self.output.id }"}),
        call("s.notify", tool="mail.send"),
    )
)


def undone(play: Play, saga_path: str = "s") -> list[tuple[str, str]]:
    """Return what the pending unwind will undo."""
    return [(undo.step, undo.known) for undo in play.unwinding(saga_path).undo]


class TestRegistration:
    def test_stands_before_the_call_is_made(self) -> None:
        play = Play(SETTLE)
        assert [undo.step for undo in play.state.undo["s"]] == ["s.reserve"]
        assert play.facts()[-1] == "workflow:compensation:registered s.reserve"

    def test_happens_only_inside_a_saga(self) -> None:
        assert Play(program(call("a", undo="bank.refund"))).state.undo == {}

    def test_reaches_the_saga_through_containers(self) -> None:
        inner = switch("s.w", (None, [do("s.w.d", call("s.w.d.pay", undo="bank.refund"))]))
        assert [undo.step for undo in Play(program(saga("s", inner))).state.undo["s"]] == ["s.w.d.pay"]


class TestUnwind:
    def test_undoes_in_reverse_with_arguments_of_the_moment(self) -> None:
        play = Play(SETTLE)
        play.done("s.reserve", {})
        play.done("s.pay", {"id": "p7"})
        play.fail("s.notify")
        assert [(undo.tool, undo.arguments) for undo in play.unwinding("s").undo] == [
            ("bank.refund", {"payment": "p7"}),
            ("bank.release", {"id": "r1"}),
        ]
        play.unwound("s")
        assert play.verdict == (RunStatus.FAILED, "tool-failed")
        assert play.facts("workflow:saga") == ["workflow:saga:started s", "workflow:saga:compensating s", "workflow:saga:compensated s"]

    def test_leaves_out_a_step_that_surely_did_not_happen(self) -> None:
        play = Play(SETTLE)
        play.done("s.reserve", {})
        play.fail("s.pay")
        assert undone(play) == [("s.reserve", "happened")]

    def test_takes_in_a_step_in_doubt(self) -> None:
        play = Play(SETTLE)
        play.done("s.reserve", {})
        play.fail("s.pay", "tool-timed-out", unknown=True)
        assert undone(play) == [("s.pay", "unknown"), ("s.reserve", "happened")]

    def test_undoes_what_a_saga_did_whose_own_output_cannot_be_made(self) -> None:
        play = Play(program(saga("s", call("s.a", undo="undo.a"), output_as="${ self.output.missing }")))
        play.done("s.a", {})
        assert undone(play) == [("s.a", "happened")]
        play.cancel()
        assert not play.state.finished, "the run waits for its compensations, asked to end or not"
        play.unwound("s")
        assert play.state.finished
        assert play.facts("workflow:saga") == ["workflow:saga:started s", "workflow:saga:compensating s", "workflow:saga:compensated s"]

    def test_says_when_arguments_cannot_be_computed(self) -> None:
        play = Play(SETTLE)
        play.done("s.reserve", {})
        play.fail("s.pay", "tool-timed-out", unknown=True)
        [pay, reserve] = play.unwinding("s").undo
        assert pay.problem is not None
        assert reserve.problem is None

    def test_is_not_asked_for_when_nothing_is_to_undo(self) -> None:
        play = Play(SETTLE)
        play.fail("s.reserve")
        assert play.verdict == (RunStatus.FAILED, "tool-failed")

    def test_runs_no_further_step(self) -> None:
        play = Play(program(saga("s", call("s.a", undo="bank.refund"), call("s.b"), call("s.c")), call("after")))
        play.done("s.a")
        play.fail("s.b")
        play.unwound("s")
        assert "s.c" not in play.state.steps
        assert "after" not in play.state.steps


class TestNested:
    PROGRAM = program(
        saga("s", call("s.a", undo="undo.a"), saga("s.t", call("s.t.b", undo="undo.b"), call("s.t.c", undo="undo.c")), call("s.d"))
    )

    def test_hand_over_to_the_saga_around_when_they_are_done(self) -> None:
        play = Play(self.PROGRAM)
        for step in ("s.a", "s.t.b", "s.t.c"):
            play.done(step)
        play.fail("s.d")
        assert undone(play) == [("s.t.c", "happened"), ("s.t.b", "happened"), ("s.a", "happened")]

    def test_undo_their_own_steps_first(self) -> None:
        play = Play(self.PROGRAM)
        play.done("s.a")
        play.done("s.t.b")
        play.fail("s.t.c")
        assert undone(play, "s.t") == [("s.t.b", "happened")]
        play.unwound("s.t")
        assert undone(play) == [("s.a", "happened")]
        play.unwound("s")
        assert play.verdict == (RunStatus.FAILED, "tool-failed")

    def test_that_are_done_are_not_undone_by_a_failure_after_the_outermost(self) -> None:
        play = Play(program(saga("s", call("s.a", undo="undo.a")), call("after")))
        play.done("s.a")
        play.fail("after")
        assert play.verdict == (RunStatus.FAILED, "tool-failed")
        assert not any(isinstance(command, Unwind) for command in play.last)


class TestCancel:
    def test_before_the_first_outcome_waits_for_what_is_in_flight(self) -> None:
        play = Play(SETTLE)
        assert play.cancel() == []
        play.fail("s.reserve", "run-cancelled", unknown=True)
        assert undone(play) == [("s.reserve", "unknown")]
        play.unwound("s")
        assert play.verdict == (RunStatus.CANCELLED, "run-cancelled")

    def test_undoes_a_step_that_was_done_all_the_same(self) -> None:
        play = Play(SETTLE)
        play.cancel()
        play.done("s.reserve", {})
        assert undone(play) == [("s.reserve", "happened")]

    @pytest.mark.parametrize("done", [0, 1, 2])
    def test_starts_no_step_after_it(self, done: int) -> None:
        play = Play(SETTLE)
        for step in ("s.reserve", "s.pay")[:done]:
            play.done(step, {"id": "p7"})
        play.cancel()
        reached = set(play.state.steps)
        play.done(("s.reserve", "s.pay", "s.notify")[done], {"id": "p7"})
        assert set(play.state.steps) == reached
        assert not any(isinstance(command, CallTool) for command in play.last)

    def test_of_a_waiting_gate_ends_the_run(self) -> None:
        play = Play(program(approve("gate"), call("pay")))
        play.cancel()
        play.fail("gate", "run-cancelled")
        assert play.verdict == (RunStatus.CANCELLED, "run-cancelled")

    def test_while_it_undoes_changes_nothing_but_the_verdict(self) -> None:
        play = Play(SETTLE)
        play.done("s.reserve", {})
        play.fail("s.pay")
        assert play.cancel() == []
        play.unwound("s")
        assert play.verdict == (RunStatus.CANCELLED, "run-cancelled")

    def test_after_the_end_changes_nothing(self) -> None:
        play = Play(program(put("a", 1)))
        before = play.state.fact_seq
        assert play.cancel() == []
        assert play.state.fact_seq == before

    def test_twice_is_once(self) -> None:
        play = Play(SETTLE)
        play.cancel()
        assert play.cancel() == []
