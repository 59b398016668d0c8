"""From Temporal's failures to the stepper's: codes, and whether the effect may have happened all the same. Deterministic."""

from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.exceptions import TimeoutError as TemporalTimeout

from activities.failures import FailureDetails
from domain.errors import RunCancelled, StepTimedOut
from domain.resets import ResetPoint
from domain.state import Failure

SURELY_NOT = frozenset(
    {
        "tool-failed",
        "tool-unavailable",
        "invalid-input",
        "expression-failed",
        "stale-digest",
        "unknown-model",
        "sandbox-unavailable",
    }
)
"""Codes that say nothing was done, if they came at the first attempt: an earlier attempt may have done it.

Not `projection-too-large` and `reference-missing`: they come when the effect is done and its output cannot be carried on or is gone.
"""


def details_of(error: ActivityError) -> FailureDetails | None:
    """Return our details of an activity's failure, None for Temporal's own failures."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], dict):
        return FailureDetails.model_validate(cause.details[0])
    return None


def reset_of(error: ActivityError) -> ResetPoint | None:
    """Return where the run goes on when the failure tells of a reset, else None."""
    details = details_of(error)
    return details.reset if details is not None else None


def failure_of(error: ActivityError, step: str) -> Failure:
    """Return the stepper's failure; timeouts and cancellations leave the effect unknown."""
    cause, details = error.cause, details_of(error)
    if isinstance(cause, ApplicationError):
        code = cause.type or "step-failed"
        unknown = code not in SURELY_NOT or (details is not None and details.attempt > 1)
        return Failure(code=code, detail=details.detail if details else str(cause), step=step, unknown=unknown)
    if isinstance(cause, CancelledError):
        return Failure(code=RunCancelled.code, detail="cancelled while it ran; whether it happened is unknown", step=step, unknown=True)
    if isinstance(cause, TemporalTimeout):
        kind = cause.type.name.lower().replace("_", "-") if cause.type else "timeout"
        return Failure(code=StepTimedOut.code, detail=f"no attempt ended in time ({kind})", step=step, unknown=True)
    return Failure(code="step-failed", detail=str(cause), step=step, unknown=True)
