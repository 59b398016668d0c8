"""Calls whose last attempt was lost with its worker: made again under the same key, and at last a person's matter. Deterministic.

Temporal tries an activity a bounded number of times. When the last of them ends by a timeout, nobody has said what became of it, and the
journal's row stays an intent. A repeated call finds out: the outside knows the key. If the repeats are lost as well, one more is sent as
if it could not be repeated: the journal then puts the effect in doubt, and a person is asked.
"""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TemporalTimeout

from domain.effects import RetryClass
from domain.errors import EffectLeased
from domain.program import CallStep, Program
from domain.state import CallTool
from domain.stepper import walk

LOST_ATTEMPTS = "lost-attempts"
"""Patch: a run of before takes a lost last attempt for a failure of its step."""

REPEATS = 3
"""How often a call is made again whose last attempt was lost: each time stands for all attempts that an activity has."""


class LostAttempts:
    """The calls of one program; those with a compensation that may run in doubt (`if_unknown: compensate`) never ask a person first."""

    def __init__(self, program: Program) -> None:
        calls = (step for step in walk(program.steps) if isinstance(step, CallStep) and step.compensate is not None)
        self._undoable = {step.path for step in calls if step.compensate is not None and step.compensate.if_unknown == "compensate"}

    def of(self, command: CallTool) -> "Repeats":
        """Return the repeats of one call."""
        return Repeats(command, asks=command.effect_class.changes_world and command.step not in self._undoable)


class Repeats:
    """How a call goes on after its last attempt was lost; `next` is the command to run."""

    def __init__(self, command: CallTool, *, asks: bool) -> None:
        self.next = command
        self._left = REPEATS
        self._asks = asks

    def repeats(self, error: ActivityError, *, cancelled: bool) -> bool:
        """Whether the call is to be made again, as `next` says: its last attempt was lost, and there is time and a try left."""
        if not _lost(error) or self._over(cancelled=cancelled) or not workflow.patched(LOST_ATTEMPTS):
            return False
        if self._left > 0:
            self._left -= 1
            return True
        if not self._asks or self.next.retry_class is RetryClass.AT_MOST_ONCE:
            return False
        self.next = self.next.model_copy(update={"retry_class": RetryClass.AT_MOST_ONCE})
        return True

    def _over(self, *, cancelled: bool) -> bool:
        command = self.next
        late = command.deadline is not None and datetime.fromisoformat(command.deadline) <= workflow.now()
        return late or (cancelled and not (command.pivot or command.forward))


def _lost(error: ActivityError) -> bool:
    """Whether the last attempt ended without a word, or only found the lease of one that did."""
    cause = error.cause
    return isinstance(cause, TemporalTimeout) or (isinstance(cause, ApplicationError) and cause.type == EffectLeased.code)
