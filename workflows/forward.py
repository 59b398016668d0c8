"""Calls of which somebody must say what became of them: a pivot in doubt, and what stands after a pivot and failed. Deterministic.

After its pivot a saga goes forward only, so that a call there that failed for good is no failure of the run before a person says so.
"""

from domain.envelope import Receipt
from domain.errors import EffectSuperseded, ProjectionTooLarge
from domain.projection import project
from domain.runs import RunStatus
from domain.state import CallTool, Done, Failed, Failure, Outcome
from workflows.people import People

FAILED_STEP = "failed_step"
"""The kind of a human task about a step after a pivot that failed for good."""


class ForwardSteps:
    """Asks people about such calls."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def settle(self, command: CallTool, failure: Failure) -> Outcome:
        """Ask a person: it happened (with this output), did not and is done anew under a new key, or is given up."""
        kind, detail = (FAILED_STEP, _forward(command, failure)) if command.forward else ("in_doubt", _pivot(command, failure))
        while True:
            answer = await self._people.tasks.ask(
                kind,
                step=command.step,
                visit=command.visit,
                call=command.call,
                detail=detail,
                back_to=RunStatus.RUNNING,
                until_cancelled=False,
            )
            if answer is None or answer.resolution == "give_up":
                return Failed(command=command.id, failure=failure)
            if answer.resolution == "did_not_happen":
                return (
                    _again(command)
                    if command.forward
                    else Failed(command=command.id, failure=failure.model_copy(update={"unknown": False}))
                )
            try:
                return Done(command=command.id, receipt=Receipt(fields=project(answer.output, command.project)))
            except ProjectionTooLarge as error:
                detail = f"{command.tool}: the output told is too large: {error.detail}"


def _again(command: CallTool) -> Failed:
    """Have the step entered anew, under a new key: the old one may stand for a refusal outside."""
    return Failed(command=command.id, failure=Failure(code=EffectSuperseded.code, detail="it is done anew", step=command.step))


def _forward(command: CallTool, failure: Failure) -> str:
    return (
        f"{command.tool} could not do {command.step}: {failure.detail}. Its saga is past its pivot and cannot be undone. "
        "Do it by hand and answer `happened`, or answer `did_not_happen` to have it done anew."
    )


def _pivot(command: CallTool, failure: Failure) -> str:
    return (
        f"{command.tool}: {failure.detail}. It decides its saga: answer `happened`, and the saga goes on to its end; answer "
        "`did_not_happen`, and what came before it is undone."
    )
