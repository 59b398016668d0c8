"""How sagas change the walk over a program: what may still begin, what is called off, and which failure counts. Pure.

Separate from the stepper, which asks these questions at each step: a parallel saga stops beginning things as soon as one of its branches
fails, and what stands after a pivot goes on whatever happens.
"""

from domain.errors import RunCancelled
from domain.program import SagaStep, Step
from domain.state import Command, Failure, Finish, State, StepStatus, Unwind


class SagaWalk:
    """The sagas of one program; only those that run their steps at once need looking after."""

    def __init__(self, steps: list[Step]) -> None:
        self._parallel = [step for step in steps if isinstance(step, SagaStep) and step.mode == "parallel"]

    def may_begin(self, step: Step, state: State) -> bool:
        """Whether a step may be entered now: after a cancellation, or a failure beside it, only what stands after a pivot may."""
        if step.forward:
            return True
        return not state.cancelled and not any(_failing(saga, state) for saga in self._parallel if _inside(step.path, saga))

    def called_off(self, state: State) -> list[Command]:
        """Return the commands that are not wanted any more: of branches that are not awaited, beside one that failed."""
        failing = [saga for saga in self._parallel if saga.on_failure == "cancel" and _failing(saga, state)]
        if not failing:
            return []
        asked = [command for command in state.pending.values() if not isinstance(command, Finish | Unwind)]
        return [command for command in asked if any(_inside(command.step, saga) for saga in failing)]


def _failing(saga: SagaStep, state: State) -> bool:
    """Whether anything inside has failed: no keyword of today catches a failure, so that the saga will be undone."""
    return any(record.status is StepStatus.FAILED and _inside(path, saga) for path, record in state.steps.items())


def _inside(path: str, saga: SagaStep) -> bool:
    return path.startswith(saga.path + ".")


def first_failure(state: State, path: str) -> Failure | None:
    """Return the failure below a path that counts: a branch that was called off for another's failure is not the cause."""
    found = [r.failure for inner, r in state.steps.items() if r.failure is not None and (not path or inner.startswith(path + "."))]
    return next((failure for failure in found if failure.code != RunCancelled.code), found[0] if found else None)
