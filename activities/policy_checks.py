"""Asks policy about calls: of a model's reply, and about each call once more just before its effect."""

from pydantic import JsonValue

from activities.requests import PromptRequest, ToolRequest
from domain.envelope import Envelope
from domain.errors import ApprovalRequired, PolicyDenied, PolicyUnavailable
from domain.labels import Label
from domain.past import is_undo
from domain.policy import Origin, PolicyDecider, PolicyVerdict
from domain.policy_input import CallInput
from domain.provider import CompletionReply, ModelToolCall
from domain.schemas import validate

UNKNOWN: list[Label] = ["tool:untrusted"]
"""The labels of what nobody has labelled."""


async def verdicts_on(
    decider: PolicyDecider, envelope: Envelope, request: PromptRequest, reply: CompletionReply
) -> list[PolicyVerdict | None]:
    """Return the verdict on each call of a reply; None on one that is no call of a tool of this agent, and is refused anyway."""
    return [await _verdict(decider, envelope, request, call) for call in reply.tool_calls]


async def _verdict(decider: PolicyDecider, envelope: Envelope, request: PromptRequest, call: ModelToolCall) -> PolicyVerdict | None:
    tool = next((tool for tool in request.tools if tool.name == call.name), None)
    known = None if request.policy is None or call.arguments is None else request.policy.call(call.name, call.arguments)
    if known is None or request.policy is None or tool is None or call.arguments is None or validate(tool.parameters, call.arguments):
        return None
    asked = known.request(
        tenant=envelope.tenant,
        run=envelope.run,
        step=envelope.step,
        principal=envelope.principal,
        tool=call.name,
        version=tool.version,
        effect_class=request.policy.tools[call.name].effect_class,
    )
    return await decider.decide(asked.model_copy(update={"arguments": call.arguments}))


async def permit(
    decider: PolicyDecider,
    envelope: Envelope,
    request: ToolRequest,
    arguments: dict[str, JsonValue],
    *,
    roles: tuple[str, ...],
    approved: bool,
    guarded: tuple[str, ...] = (),
) -> PolicyVerdict:
    """Return the verdict that lets a call through, just before it is made; `guarded` are the tool's arguments that choose a target.

    Raises:
        PolicyDenied: policy does not permit it. ApprovalRequired: it does once a person has approved it, and nobody has.
        PolicyUnavailable: nobody can say now.
    """
    asked = (request.policy or _unknown(envelope, request, guarded)).request(
        tenant=envelope.tenant,
        run=envelope.run,
        step=envelope.step,
        principal=envelope.principal,
        tool=request.tool,
        version=request.version,
        effect_class=request.effect_class,
    )
    verdict = await decider.decide(asked.model_copy(update={"arguments": arguments, "roles": list(roles), "approved": approved}))
    if verdict.effect == "allow":
        return verdict
    if verdict.transient:
        raise PolicyUnavailable(f"{request.tool}: {verdict.reason}")
    error = _refused(request.tool, verdict)
    error.policy_sha256 = verdict.policy_sha256
    raise error


def _unknown(envelope: Envelope, request: ToolRequest, guarded: tuple[str, ...]) -> CallInput:
    """What is known of a call that carries nothing for policy, of before there were policies: anything may have chosen its targets."""
    origin: Origin = "undo" if is_undo(envelope.call) else "call" if request.agent is None else "agent"
    definition = (request.agent or "").partition("/")[0]
    return CallInput(definition=definition, origin=origin, sensitive=list(guarded), taint=UNKNOWN)


def _refused(tool: str, verdict: PolicyVerdict) -> PolicyDenied:
    if verdict.effect == "require_approval":
        roles = " or ".join(verdict.reviewers)
        return ApprovalRequired(
            f"{tool} was not called: {verdict.reason}. Let an `approve` step bind this call (role {roles}), or let a policy permit it"
        )
    return PolicyDenied(f"{tool} was not called: {verdict.reason}")
