"""What the journal must know of an attempt, read from its envelope."""

from dataclasses import dataclass, field

from pydantic import JsonValue
from temporalio import activity

from activities.audited_calls import told_of
from activities.charges import prompt_charge, tool_charge
from activities.options import MARGIN
from activities.requests import CALL_TOOL, PromptRequest, ToolRequest
from activities.tool_calls import effect_key
from domain.budget import Charge
from domain.effects import EffectClass, EffectKey, IntentAnswer, IntentVerdict, RetryClass, request_digest
from domain.envelope import Envelope
from domain.errors import (
    BudgetExceeded,
    EffectDivergent,
    EffectInDoubt,
    EffectLeased,
    EffectSuperseded,
    FactDiverged,
    FactGap,
    RunUnlinked,
    StaleEpoch,
    StandfastError,
)
from domain.ledger import Kind
from domain.provider import PriceBook


@dataclass(frozen=True)
class Kinds:
    """The ledger kinds of an effect's intent and outcomes."""

    requested: str
    done: str
    failed: str


TOOL_KINDS = Kinds(Kind.TOOL_REQUESTED, Kind.TOOL_CALLED, Kind.TOOL_FAILED)
SIMULATED_KINDS = Kinds(Kind.TOOL_REQUESTED, Kind.TOOL_SIMULATED, Kind.TOOL_FAILED)
MODEL_KINDS = Kinds(Kind.MODEL_REQUESTED, Kind.MODEL_ANSWERED, Kind.MODEL_FAILED)


@dataclass(frozen=True)
class AttemptPlan:
    """Key, request digest, classes and names of an effect; `tried` counts attempts made before this activity.

    `charge` is what it may use at most; `told` stands in the entries of its outcomes.
    """

    key: EffectKey
    digest: str
    effect_class: EffectClass
    retry_class: RetryClass
    subject: str
    kinds: Kinds
    max_attempts: int
    request: JsonValue
    tried: int = 0
    charge: Charge | None = None
    told: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def at_most_once(self) -> bool:
        """Whether a lost attempt needs a person."""
        return self.retry_class is RetryClass.AT_MOST_ONCE


def plan_attempt(envelope: Envelope, prices: PriceBook | None = None) -> AttemptPlan:
    """Return the plan of the running effect activity; without prices nothing is reserved for model calls."""
    if activity.info().activity_type == CALL_TOOL:
        return plan_tool_call(envelope, ToolRequest.model_validate(envelope.request))
    request = PromptRequest.model_validate(envelope.request)
    asked: JsonValue = request.asked()
    return AttemptPlan(
        key=effect_key(envelope),
        digest=request_digest(tool="model", version=request.model, arguments=asked),
        effect_class=EffectClass.NONE,
        retry_class=RetryClass.IDEMPOTENT,
        subject=request.model,
        kinds=MODEL_KINDS,
        max_attempts=request.max_attempts,
        request=asked,
        charge=None if prices is None else prompt_charge(envelope, request, prices),
    )


def plan_tool_call(envelope: Envelope, request: ToolRequest) -> AttemptPlan:
    """Return the plan of a tool call."""
    arguments: JsonValue = request.arguments
    if request.arguments_from is not None:
        arguments = {"from": request.arguments_from.model_dump(mode="json")}
    return AttemptPlan(
        key=effect_key(envelope),
        digest=request_digest(tool=request.tool, version=request.version, arguments=arguments),
        effect_class=EffectClass.NONE if request.simulate else request.effect_class,
        retry_class=RetryClass.IDEMPOTENT if request.simulate else request.retry_class,
        subject=f"{request.tool}@{request.version}",
        kinds=SIMULATED_KINDS if request.simulate else TOOL_KINDS,
        max_attempts=request.max_attempts,
        request=arguments,
        tried=request.tried,
        charge=tool_charge(envelope, request),
        told=told_of(request, request.arguments),
    )


def within_step(envelope: Envelope) -> Envelope:
    """Return the envelope with its deadline cut to the time its step has left: an attempt never lives on while its step is undone."""
    info = activity.info()
    if info.schedule_to_close_timeout is None:
        return envelope
    left = info.schedule_to_close_timeout - MARGIN - (info.started_time - info.scheduled_time)
    return envelope.model_copy(update={"deadline_s": min(envelope.deadline_s, left.total_seconds())})


STOPS: dict[IntentAnswer, tuple[type[StandfastError], str]] = {
    IntentAnswer.NEW_VISIT: (EffectSuperseded, "this read was done before with other arguments: its step is entered anew"),
    IntentAnswer.UNLINKED: (RunUnlinked, "the run follows another execution"),
    IntentAnswer.STALE_EPOCH: (StaleEpoch, "a newer epoch of this run has begun"),
    IntentAnswer.BUDGET_EXCEEDED: (BudgetExceeded, "the budget does not allow this call"),
    IntentAnswer.FACT_GAP: (FactGap, "a fact is missing"),
    IntentAnswer.FACT_DIVERGED: (FactDiverged, "a fact came again with other content"),
}
"""The errors of answers that the journal explains itself, with what to say if it does not."""


def stopped(verdict: IntentVerdict) -> StandfastError:
    """The error that an answer other than GO and a recorded outcome stands for."""
    match verdict.answer:
        case IntentAnswer.LEASED:
            return EffectLeased(
                "an earlier attempt may still be alive; waiting for its lease", retry_after_s=max(verdict.wait_ms, 1) / 1000
            )
        case IntentAnswer.IN_DOUBT:
            return EffectInDoubt("an earlier attempt was lost, and this effect may not be repeated: a person must say whether it happened")
        case IntentAnswer.DIVERGENT:
            return EffectDivergent("this effect was done before with other arguments: a person must decide")
        case _:
            kind, otherwise = STOPS.get(verdict.answer, STOPS[IntentAnswer.FACT_DIVERGED])
            return kind(verdict.detail or otherwise)
