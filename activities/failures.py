"""From the error tree to Temporal's ApplicationError; total (a test proves it). The workflow reads the details back."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from domain.errors import EffectLeased, StandfastError, Unavailable
from domain.model import Wire
from domain.resets import ResetPoint

JOURNAL_RETRY = timedelta(seconds=3)
"""Pause before the next attempt when PostgreSQL is away: an outage shall not use up a tool's attempts quickly."""


OUTAGE_STEPS = 20
"""The pause grows with each attempt up to this many times its first length: an hour's outage costs few attempts."""


class FailureDetails(Wire):
    """What an activity's failure tells the workflow; facts up to `fact_head` are in the ledger although the activity failed.

    `reset` says where a reset run goes on.
    """

    detail: str
    attempt: int = 1
    fact_head: int = 0
    recorded: bool = False
    reset: ResetPoint | None = None


def application_error(error: StandfastError, details: FailureDetails, *, final: bool = False) -> ApplicationError:
    """Return the ApplicationError of an error: `type` is its code, retried only where a retry may help and `final` is not set."""
    delay = timedelta(seconds=error.retry_after_s) if error.retry_after_s is not None else None
    if delay is None and isinstance(error, Unavailable):
        delay = JOURNAL_RETRY * min(details.attempt, OUTAGE_STEPS)
    expected = isinstance(error, EffectLeased)
    return ApplicationError(
        error.detail,
        details.model_dump(mode="json"),
        type=error.code,
        non_retryable=final or not error.retryable,
        next_retry_delay=delay,
        category=ApplicationErrorCategory.BENIGN if expected else ApplicationErrorCategory.UNSPECIFIED,
    )
