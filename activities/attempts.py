"""What the journal must know of an attempt, read from its envelope."""

from dataclasses import dataclass

from pydantic import JsonValue
from temporalio import activity

from activities.effects import effect_key
from activities.requests import CALL_TOOL, PromptRequest, ToolRequest
from domain.effects import EffectClass, EffectKey, RetryClass, request_digest
from domain.envelope import Envelope
from domain.ledger import Kind


@dataclass(frozen=True)
class Kinds:
    """The ledger kinds of an effect's intent and outcomes."""

    requested: str
    done: str
    failed: str


TOOL_KINDS = Kinds(Kind.TOOL_REQUESTED, Kind.TOOL_CALLED, Kind.TOOL_FAILED)
MODEL_KINDS = Kinds(Kind.MODEL_REQUESTED, Kind.MODEL_ANSWERED, Kind.MODEL_FAILED)


@dataclass(frozen=True)
class AttemptPlan:
    """Key, request digest, classes and names of an effect."""

    key: EffectKey
    digest: str
    effect_class: EffectClass
    retry_class: RetryClass
    subject: str
    kinds: Kinds
    max_attempts: int
    request: JsonValue

    @property
    def at_most_once(self) -> bool:
        """Whether a lost attempt needs a person."""
        return self.retry_class is RetryClass.AT_MOST_ONCE


def plan_attempt(envelope: Envelope) -> AttemptPlan:
    """Return the plan of the running effect activity."""
    if activity.info().activity_type == CALL_TOOL:
        return _tool_plan(envelope, ToolRequest.model_validate(envelope.request))
    request = PromptRequest.model_validate(envelope.request)
    asked: dict[str, JsonValue] = request.model_dump(mode="json", exclude={"max_attempts"})
    return AttemptPlan(
        key=effect_key(envelope),
        digest=request_digest(tool="model", version=request.model, arguments=asked),
        effect_class=EffectClass.NONE,
        retry_class=RetryClass.IDEMPOTENT,
        subject=request.model,
        kinds=MODEL_KINDS,
        max_attempts=request.max_attempts,
        request=asked,
    )


def _tool_plan(envelope: Envelope, request: ToolRequest) -> AttemptPlan:
    arguments: JsonValue = request.arguments
    if request.arguments_from is not None:
        arguments = {"from": request.arguments_from.model_dump(mode="json")}
    return AttemptPlan(
        key=effect_key(envelope),
        digest=request_digest(tool=request.tool, version=request.version, arguments=arguments),
        effect_class=request.effect_class,
        retry_class=request.retry_class,
        subject=f"{request.tool}@{request.version}",
        kinds=TOOL_KINDS,
        max_attempts=request.max_attempts,
        request=arguments,
    )
