"""Work that people finished stays done when a run is redriven; what nobody finished is asked again as another task."""

from pydantic import JsonValue

from domain.past import KnownTask, Past
from domain.program import Program, TaskStep
from domain.rebuild import rebuild_for_redrive
from domain.state import AskPerson, RunContext, StepStatus, Tick
from tests.domain.programs import call, program

WHO = RunContext(tenant="default", run="run_1", principal="prn_a", input={})
TICK = Tick(now="2026-04-01T12:00:00.000000+00:00", entropy="0" * 32)


def work() -> Program:
    """Build work for a person, and a call that needs what they filled in."""
    pay = call("pay", arguments={"iban": "${ steps.ask.output.iban }"})
    return program(TaskStep(path="ask", title="t"), pay, projections={"ask": [""]})


def past(*, completed: bool) -> Past:
    """Return the past of a run whose task was finished, or was not."""
    output: JsonValue = {"iban": "DE1"} if completed else None
    task = KnownTask(step="ask", visit=1, completed=completed, at="2026-04-01T11:00:00.000000Z", output=output, ref="r", by="prn_b")
    return Past(run="run_1", epoch=1, fact_head=3, tasks=(task,))


class TestRedrive:
    def test_keeps_what_a_person_filled_in(self) -> None:
        rebuilt = rebuild_for_redrive(work(), WHO, past(completed=True), TICK)
        (pending,) = rebuilt.state.pending.values()
        assert pending.kind == "call_tool"
        assert (pending.step, pending.arguments) == ("pay", {"iban": "DE1"})
        assert (rebuilt.state.steps["ask"].status, rebuilt.state.steps["ask"].ref) == (StepStatus.SUCCEEDED, "r")

    def test_asks_again_for_what_nobody_finished(self) -> None:
        (pending,) = rebuild_for_redrive(work(), WHO, past(completed=False), TICK).state.pending.values()
        assert isinstance(pending, AskPerson)
        assert (pending.visit, pending.task.visit) == (2, 2)
