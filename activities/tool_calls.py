"""The effect activity of tools: one call, checked against its schema and its approval just before it is made (JOURNAL §2)."""

from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue
from temporalio import activity

from activities.audited_calls import told_of
from activities.policy_checks import UNKNOWN, permit
from activities.requests import CALL_TOOL, FlushRequest, ToolRequest
from activities.stored_replies import stored_reply
from domain.approval import BoundCall, approval_digest
from domain.canonical import canonical_bytes
from domain.effects import EffectKey
from domain.envelope import Envelope, Receipt, Usage
from domain.errors import InvalidInput, StaleDigest, ToolAnswerInvalid, ToolFailed
from domain.known_secrets import KnownSecrets
from domain.large_arguments import arguments_sha256
from domain.mcp import SERVER_TOOLS
from domain.mcp_stores import TenantTools
from domain.objects import PAYLOAD_BYTES_MAX
from domain.people_stores import ApprovalStore
from domain.policy import PolicyDecider
from domain.samples import sample
from domain.schemas import validate
from domain.stores import PayloadStore
from domain.tool_access import ToolGate, ToolUse
from domain.tools import DeclaredTools, Tool, ToolBox, ToolCall, ToolSpec, metered


def effect_key(envelope: Envelope) -> EffectKey:
    """Return the key of the effect an envelope asks for."""
    return EffectKey(tenant=envelope.tenant, run=envelope.run, step=envelope.step, visit=envelope.visit, call=envelope.call)


@dataclass(frozen=True)
class CheckedCall:
    """A call that may be made now: the tool, its arguments, the roles of the run's principal, and what to note of the policy's verdict."""

    envelope: Envelope
    request: ToolRequest
    tool: Tool
    arguments: dict[str, JsonValue]
    roles: tuple[str, ...] = ()
    policy: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def call(self) -> ToolCall:
        """Return it as the tool gets it."""
        envelope, request = self.envelope, self.request
        return ToolCall(
            tool=request.tool,
            version=request.version,
            arguments=self.arguments,
            idempotency_key=effect_key(envelope).outside_key(),
            correlation_id=envelope.correlation_id,
            tenant=envelope.tenant,
            run=envelope.run,
            deadline_s=envelope.deadline_s,
            agent=request.agent,
            principal=envelope.principal,
            roles=self.roles,
            labels=tuple(UNKNOWN if request.policy is None else request.policy.taint),
        )


class Records(Protocol):
    """Writes what a run knows; RunRecordActivities are one."""

    async def write(self, envelope: Envelope, request: FlushRequest) -> int:
        """Write the envelope's facts and the projection in one transaction; return the fact head."""
        ...


class ToolActivities:
    """Calls tools; without `records` a bound call finds its approval closed, or is refused, and without `gate` all tools are open.

    Without `policy` nothing is decided: a worker always has one.
    """

    def __init__(
        self,
        *,
        tools: ToolBox,
        declared: DeclaredTools,
        approvals: ApprovalStore,
        payloads: PayloadStore,
        records: Records | None = None,
        gate: ToolGate | None = None,
        servers: TenantTools | None = None,
        secrets: KnownSecrets | None = None,
        policy: PolicyDecider | None = None,
    ) -> None:
        self._policy = policy
        self._servers = servers
        self._secrets = secrets or KnownSecrets()
        self._gate = gate
        self._records = records
        self._tools = tools
        self._declared = declared
        self._approvals = approvals
        self._payloads = payloads

    @activity.defn(name=CALL_TOOL)
    async def call_tool(self, envelope: Envelope) -> Receipt:
        """Call the tool that the envelope's request names, once. Raises: as `check` and `make`."""
        return await self.make(await self.check(envelope, ToolRequest.model_validate(envelope.request)))

    async def check(self, envelope: Envelope, request: ToolRequest) -> CheckedCall:
        """Find the tool and look whether it may be called so, just before it is; nothing is done.

        Raises:
            ToolFailed: this worker has no such tool, or the arguments break its schema.
            StaleDigest: it is not the call that was approved.
            ToolDenied: no grant lets it through. ToolQuarantined: the tool is held back.
            PolicyDenied: policy does not permit it, or not without a person. PolicyUnavailable: nobody can say now.
        """
        tool = await self._found(envelope.tenant, request)
        arguments = await self._arguments(envelope, request)
        if problems := validate(tool.spec.input_schema, arguments):
            raise ToolFailed(f"the arguments of {request.tool} break its schema: {'; '.join(problems)}")
        if request.simulate:
            return CheckedCall(envelope, request, tool, arguments)
        roles = await self._admitted(envelope, request)
        approved = request.approval is not None and await self._check_approved(envelope, request, arguments)
        if self._policy is None:
            return CheckedCall(envelope, request, tool, arguments, roles)
        guarded = tool.spec.guarded
        verdict = await permit(self._policy, envelope, request, arguments, roles=roles, approved=approved, guarded=guarded)
        return CheckedCall(envelope, request, tool, arguments, roles, {"policy": verdict.policy_sha256})

    async def make(self, checked: CheckedCall) -> Receipt:
        """Make a call that was checked, once.

        Raises:
            ToolFailed: the tool says no.
            ToolUnavailable: it surely did not happen, and another attempt may help.
            ToolTimedOut: whether it happened is unknown.
            ToolAnswerInvalid: it answered, and not as its schema says.
        """
        request, tool = checked.request, checked.tool
        if request.simulate:
            return Receipt(output=await self._simulated(checked.envelope.tenant, request, tool.spec))
        output, used = await self._called(tool, checked.call())
        _check_storable(request.tool, output)
        if tool.spec.output_schema and (problems := validate(tool.spec.output_schema, output)):
            raise ToolAnswerInvalid(f"{request.tool} answered, but its answer breaks its schema: {'; '.join(problems)}")
        noted = {} if request.arguments_from is None else told_of(request, dict(checked.arguments))
        return Receipt(output=output, usage=used + Usage(cost_usd_micros=request.cost_usd_micros), noted={**noted, **checked.policy})

    async def _admitted(self, envelope: Envelope, request: ToolRequest) -> tuple[str, ...]:
        """Ask the tenant's grants just before the effect; return the roles of the run's principal."""
        if self._gate is None:
            return ()
        return await self._gate.admit(
            ToolUse(
                tenant=envelope.tenant,
                tool=request.tool,
                version=request.version,
                agent=request.agent,
                registered=request.policy.registered if request.policy is not None else None,
                principal=envelope.principal,
            )
        )

    async def _found(self, tenant: str, request: ToolRequest) -> Tool:
        """Return the tool: of the run's bundle, of the tenant's MCP servers, or of this worker."""
        if request.declaration:
            return self._declared.tool(request.declaration)
        if self._servers is not None and request.tool.startswith(SERVER_TOOLS):
            return await self._servers.find(tenant, request.tool, request.version)
        return self._tools.find(request.tool, request.version)

    async def _called(self, tool: Tool, call: ToolCall) -> tuple[JsonValue, Usage]:
        """Call the tool; return its result and what it used.

        No secret of the tenant that this worker knows comes back with its answer or its error.

        Raises:
            StandfastError: the tool's own, without secrets.
            RuntimeError: instead of any other error whose text held one.
        """
        await self._secrets.ready(call.tenant)
        try:
            meter = metered(tool)
            output, used = await meter.call_metered(call) if meter is not None else (await tool.call(call), Usage())
        except Exception as error:
            told = self._secrets.error(call.tenant, error)
            if told is error:
                raise
            raise told from None
        return self._secrets.value(call.tenant, output), used

    async def _simulated(self, tenant: str, request: ToolRequest, spec: ToolSpec) -> JsonValue:
        """What the same call gave the run this one was forked from, else a value made from the output schema; nothing is done."""
        if request.simulated_from is not None:
            return await self._payloads.get(tenant, request.simulated_from)
        return sample(spec.output_schema)

    async def _arguments(self, envelope: Envelope, request: ToolRequest) -> dict[str, JsonValue]:
        if request.arguments_from is None:
            return request.arguments
        reply = await stored_reply(self._payloads, envelope.tenant, request.arguments_from.ref)
        return reply.tool_calls[request.arguments_from.index].arguments or {}

    async def _check_approved(self, envelope: Envelope, request: ToolRequest, arguments: dict[str, JsonValue]) -> bool:
        """Compare with the approved call once more, just before the effect (DESIGN §7); return whether a person approved it.

        Raises:
            StaleDigest: it is another call, or the approval is not an approval.
        """
        row = await self._approvals.get(envelope.tenant, request.approval or "")
        if row.state == "open" and request.closing is not None and self._records is not None:
            await self._records.write(envelope, request.closing)  # the flush beside this call has not come yet, or was lost
            row = await self._approvals.get(envelope.tenant, request.approval or "")
        asked = row.projection
        calls = [BoundCall.model_validate(call) for call in asked.calls]
        digest = approval_digest(
            tenant=envelope.tenant,
            run=envelope.run,
            approval=asked.approval,
            step=asked.step,
            visit=asked.visit,
            nonce=asked.nonce,
            calls=calls,
        )
        approved = next((c for c in calls if c.step == envelope.step), None)
        same = approved is not None and approved.tool == request.tool and approved.version == request.version
        free = {name.removeprefix(envelope.step + ".") for name in asked.unbound if name.startswith(envelope.step + ".")}
        given = row.state == "approved" or (row.state == "timed_out" and not request.effect_class.changes_world)
        same = same and asked.call in ("", envelope.call)
        if not given or digest != asked.digest or not same or approved is None or not _same_arguments(approved, request, arguments, free):
            raise StaleDigest(f"this call of {request.tool} is not what approval {asked.approval} allowed ({row.state}); nothing was done")
        return row.state == "approved"


def _same_arguments(approved: BoundCall, request: ToolRequest, arguments: dict[str, JsonValue], free: set[str]) -> bool:
    """Whether a call has the approved arguments, but for those that are `free`; large ones lie elsewhere, and are known by their digest."""
    if approved.large is None:
        return request.arguments_from is None and approved.arguments == {
            n: value for n, value in request.arguments.items() if n not in free
        }
    return request.arguments_from is not None and arguments_sha256(arguments) == approved.large.sha256


def _check_storable(tool: str, output: JsonValue) -> None:
    """Refuse an answer the ledger could not hold, while it can still be told as a failure of the tool.

    Raises:
        ToolAnswerInvalid: it has no canonical JSON form, such as an integer beyond ±(2⁵³−1), or is over 32 MiB.
    """
    try:
        size = len(canonical_bytes(output))
    except InvalidInput as error:
        raise ToolAnswerInvalid(f"{tool} answered, but its answer cannot be stored: {error.detail}") from error
    if size > PAYLOAD_BYTES_MAX:
        raise ToolAnswerInvalid(f"{tool} answered, but its answer of {size} bytes cannot be stored: at most {PAYLOAD_BYTES_MAX}")
