"""What stands around every effect: the journal and what it needs, and the intents and outcomes made of an attempt's plan."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue
from temporalio import activity

from activities.admissions import AgentAdmission
from activities.attempts import AttemptPlan
from activities.options import LEASE_MARGIN
from activities.resets import ResetWatch
from activities.run_records import carrier_of
from domain.effects import EffectJournal, EffectState, Intent, Outcome
from domain.envelope import Envelope, Receipt, Usage
from domain.errors import EffectLeased, PolicyDenied, StandfastError
from domain.ledger import Kind
from domain.provider import PriceBook

FaultPoint = Callable[[str, str, str], None]
"""Called at named points of an attempt with (point, step, call); tests end the process there (DESIGN §15)."""


def no_fault(point: str, step: str, call: str) -> None:
    """Do nothing: fault points are inert but in tests."""
    del point, step, call


@dataclass(frozen=True)
class JournalTools:
    """What the interceptor needs: the journal, the worker's clock (RFC 3339 UTC, microseconds), fresh attempt tokens and prices.

    Without prices nothing is reserved for model calls; without `resets` a reset run fails; without `admission` every agent runs.
    """

    journal: EffectJournal
    clock: Callable[[], str]
    token: Callable[[], str]
    fault_point: FaultPoint = no_fault
    prices: PriceBook | None = None
    resets: ResetWatch | None = None
    admission: AgentAdmission | None = None


@dataclass(frozen=True)
class AttemptName:
    """One attempt: its number from 1, its random token, and how long its lease lasts without renewal."""

    number: int
    token: str
    lease_ms: int


def lease_ms(deadline_s: float, heartbeat_s: float | None) -> int:
    """Return how long an attempt's lease lasts: its deadline with a margin, or until a heartbeat is missing."""
    whole = deadline_s + LEASE_MARGIN.total_seconds()
    return int(1000 * (whole if heartbeat_s is None else min(whole, heartbeat_s)))


def forestalled() -> EffectLeased:
    """Return what an attempt ends with whose outcome came after another attempt's."""
    return EffectLeased("another attempt's outcome stands; the next attempt reads it", retry_after_s=0.05)


def intent_of(plan: AttemptPlan, envelope: Envelope, name: AttemptName, at: str) -> Intent:
    """Return the intent of an attempt; the facts of the envelope ride along."""
    return Intent(
        carrier=carrier_of(envelope),
        key=plan.key,
        digest=plan.digest,
        effect_class=plan.effect_class,
        retry_class=plan.retry_class,
        subject=plan.subject,
        kind=plan.kinds.requested,
        at=at,
        attempt=name.number,
        lease_token=name.token,
        lease_ms=name.lease_ms,
        temporal_run_id=activity.info().workflow_run_id or "",
        request=plan.request,
        charge=plan.charge,
    )


def done_of(plan: AttemptPlan, envelope: Envelope, name: AttemptName, at: str, receipt: Receipt) -> Outcome:
    """Return the outcome of an attempt that succeeded; `receipt` has the output, and its `ref` names it beforehand when it is set."""
    return Outcome(
        carrier=carrier_of(envelope.without_facts()),
        key=plan.key,
        lease_token=name.token,
        state=EffectState.DONE,
        kind=plan.kinds.done,
        at=at,
        attempt=name.number,
        output=receipt.output,
        output_ref=receipt.ref,
        usage=receipt.usage,
        data={"subject": plan.subject, "code": None, **plan.told, **receipt.noted},
    )


def failed_of(
    plan: AttemptPlan, envelope: Envelope, name: AttemptName, at: str, error: StandfastError, *, final: bool, doubt: bool
) -> Outcome:
    """Return the outcome of an attempt that failed.

    Args:
        plan: The attempt's plan.
        envelope: What it was asked with; its facts do not come along.
        name: The attempt.
        at: When it ended, RFC 3339 UTC.
        error: Why.
        final: Whether nothing of this effect is tried again.
        doubt: Whether a person must tell if it happened.
    """
    return Outcome(
        carrier=carrier_of(envelope.without_facts()),
        key=plan.key,
        lease_token=name.token,
        state=EffectState.IN_DOUBT if doubt else EffectState.FAILED,
        kind=Kind.EFFECT_IN_DOUBT if doubt else plan.kinds.failed,
        at=at,
        attempt=name.number,
        error={"code": error.code, "detail": error.detail, "retryable": "false" if final else "true"},
        usage=Usage(),
        data={"subject": plan.subject, "code": error.code, **plan.told, **_policy_of(error)},
    )


def _policy_of(error: StandfastError) -> dict[str, JsonValue]:
    """The policy set that denied a call, for its ledger entry."""
    return {"policy": error.policy_sha256} if isinstance(error, PolicyDenied) else {}
