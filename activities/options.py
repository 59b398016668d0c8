"""Timeouts and retry posture of every activity, in one table; nobody sets them elsewhere.

An attempt has its own deadline (`Envelope.deadline_s`) and ends itself there; Temporal's start-to-close comes `MARGIN` later, and
the lease ends between the two (JOURNAL §2.4). Attempts are bounded; flushes and compensations by schedule-to-close.
"""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

from domain.program import RetryRule

MARGIN = timedelta(seconds=4)
"""Start-to-close minus the attempt's own deadline: time to record the outcome."""

LEASE_MARGIN = timedelta(seconds=2)
"""Lease minus the attempt's own deadline."""

PROMPT_DEADLINE = timedelta(seconds=120)
"""One model call; above the 99th percentile of a long generation."""

PROMPT_HEARTBEAT = timedelta(seconds=15)
FLUSH_BOUND = timedelta(days=7)
"""A run waits this long for PostgreSQL before its facts are given up."""

COMPENSATION_BOUND = timedelta(hours=24)
"""How long one compensation is tried before a person is asked."""

SPARE_ATTEMPTS = 12
"""Attempts beyond the tool's own, for waits on a lease and for PostgreSQL being away."""


class ActivityOptions(TypedDict):
    """Keyword arguments of `workflow.start_activity`."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy


def _policy(rule: RetryRule, *, attempts: int) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=rule.delay_s),
        backoff_coefficient=rule.backoff,
        maximum_interval=timedelta(seconds=max(rule.max_delay_s, rule.delay_s)),
        maximum_attempts=attempts,
    )


def effect_options(*, deadline: timedelta, heartbeat: timedelta | None, rule: RetryRule, bound: timedelta | None) -> ActivityOptions:
    """Return the options of a tool or model call; `bound` is the time left to its step, None for the default.

    The bound gets `MARGIN` too: attempts end themselves within it.
    """
    attempts = rule.max_attempts + SPARE_ATTEMPTS
    whole = (deadline + MARGIN) * attempts + timedelta(seconds=rule.max_delay_s) * attempts
    return {
        "start_to_close_timeout": deadline + MARGIN,
        "schedule_to_close_timeout": min(bound + MARGIN, whole) if bound is not None else whole,
        "heartbeat_timeout": heartbeat,
        "retry_policy": _policy(rule, attempts=attempts),
    }


def compensation_options(*, deadline: timedelta, heartbeat: timedelta | None, rule: RetryRule | None = None) -> ActivityOptions:
    """Return the options of a compensation, or of a step after a pivot: many attempts within a day, at the pace of `rule` if there is one.

    How many of them count is the attempt's own matter: those that are lost with a worker or wait for a lease do not.
    """
    default = RetryRule(delay_s=1, backoff=2, max_delay_s=300)
    return {
        "start_to_close_timeout": deadline + MARGIN,
        "schedule_to_close_timeout": COMPENSATION_BOUND,
        "heartbeat_timeout": heartbeat,
        "retry_policy": _policy(rule or default, attempts=0),
    }


SEGMENT_HEARTBEAT = timedelta(seconds=5)
"""A segment's lost worker is noticed after this."""

SEGMENT_ATTEMPTS = 3
"""Attempts of a segment that make calls; later ones only collect what was recorded: a call that takes the worker down then goes alone."""


def segment_options(*, deadline: timedelta) -> ActivityOptions:
    """Return the options of a segment: tried until PostgreSQL has told what became of its calls, like a flush."""
    return {
        "start_to_close_timeout": deadline + MARGIN,
        "schedule_to_close_timeout": FLUSH_BOUND,
        "heartbeat_timeout": SEGMENT_HEARTBEAT,
        "retry_policy": FLUSH_OPTIONS["retry_policy"],
    }


COMPENSATION_ATTEMPTS = 30
"""The compensation's own tries; attempts lost to outages are bounded by `COMPENSATION_BOUND` alone."""

FLUSH_ATTEMPT = timedelta(seconds=10)
"""One transaction takes milliseconds: an attempt that lost its worker is made again soon, for deadlines and answers wait behind it."""

FLUSH_OPTIONS: ActivityOptions = {
    "start_to_close_timeout": FLUSH_ATTEMPT,
    "schedule_to_close_timeout": FLUSH_BOUND,
    "heartbeat_timeout": None,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5), maximum_attempts=0
    ),
}

CHECK_OPTIONS: ActivityOptions = {
    "start_to_close_timeout": timedelta(seconds=15),
    "schedule_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": None,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5), maximum_attempts=0
    ),
}


class LocalOptions(TypedDict):
    """Keyword arguments of `workflow.execute_local_activity_method`."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    retry_policy: RetryPolicy


CHECK_AT_HAND: LocalOptions = {
    "start_to_close_timeout": timedelta(seconds=2),
    "schedule_to_close_timeout": timedelta(seconds=2),
    "retry_policy": RetryPolicy(maximum_attempts=1),
}
"""One try within the workflow task, which has 10 s; `CHECK_OPTIONS` follow it if nothing came of it."""

DELIVERY_OPTIONS: ActivityOptions = {
    "start_to_close_timeout": timedelta(seconds=40),
    "schedule_to_close_timeout": timedelta(days=30),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1), maximum_attempts=0
    ),
}
"""An attempt at a delivery ends itself after 30 s; retries are for a lost worker, which the heartbeat tells, and for PostgreSQL being away,
not for the endpoint."""
