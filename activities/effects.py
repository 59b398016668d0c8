"""The two effect activities: one tool call, one model call. The journal interceptor stands around both (JOURNAL §2)."""

import json
from datetime import datetime
from typing import Protocol, cast

from pydantic import JsonValue
from temporalio import activity

from activities.charges import bounded_in_tokens
from activities.requests import CALL_TOOL, COMPLETE_PROMPT, FlushRequest, PromptRequest, ToolRequest
from domain.approval import BoundCall, approval_digest
from domain.canonical import canonical_bytes
from domain.effects import EffectKey
from domain.envelope import Envelope, Receipt, Usage
from domain.errors import InvalidInput, StaleDigest, ToolAnswerInvalid, ToolFailed, UnknownModel
from domain.objects import PAYLOAD_BYTES_MAX
from domain.people_stores import ApprovalStore
from domain.provider import CompletionReply, CompletionRequest, LlmProvider, Message, ModelToolCall, PriceBook, StopReason
from domain.samples import sample
from domain.schemas import validate
from domain.stores import ConversationHead, MessageStore, PayloadStore
from domain.tools import DeclaredTools, ToolBox, ToolCall, ToolSpec

INLINE_ARGUMENTS_MAX = 2048
"""Larger arguments of a model's tool call travel by reference (bytes of canonical JSON)."""

CALLS_BYTES_MAX = 4096
"""Most that arguments or complaints of all calls of one turn put into history together: half of what a projection may hold."""


def effect_key(envelope: Envelope) -> EffectKey:
    """Return the key of the effect an envelope asks for."""
    return EffectKey(tenant=envelope.tenant, run=envelope.run, step=envelope.step, visit=envelope.visit, call=envelope.call)


class Records(Protocol):
    """Writes what a run knows; RunRecordActivities are one."""

    async def write(self, envelope: Envelope, request: FlushRequest) -> int:
        """Write the envelope's facts and the projection in one transaction; return the fact head."""
        ...


class ToolActivities:
    """Calls tools; without `records` a bound call finds its approval closed, or is refused."""

    def __init__(
        self, *, tools: ToolBox, declared: DeclaredTools, approvals: ApprovalStore, payloads: PayloadStore, records: Records | None = None
    ) -> None:
        self._records = records
        self._tools = tools
        self._declared = declared
        self._approvals = approvals
        self._payloads = payloads

    @activity.defn(name=CALL_TOOL)
    async def call_tool(self, envelope: Envelope) -> Receipt:
        """Call one tool once.

        Raises:
            ToolFailed: the arguments break the schema, or the tool says no.
            ToolUnavailable: it surely did not happen, and another attempt may help.
            ToolTimedOut: whether it happened is unknown.
            ToolAnswerInvalid: it answered, and not as its schema says.
            StaleDigest: it is not the call that was approved; nothing was done.
        """
        request = ToolRequest.model_validate(envelope.request)
        tool = self._declared.tool(request.declaration) if request.declaration else self._tools.find(request.tool, request.version)
        arguments = await self._arguments(envelope, request)
        if problems := validate(tool.spec.input_schema, arguments):
            raise ToolFailed(f"the arguments of {request.tool} break its schema: {'; '.join(problems)}")
        if request.simulate:
            return Receipt(output=await self._simulated(envelope.tenant, request, tool.spec))
        if request.approval is not None:
            await self._check_approved(envelope, request)
        output = await tool.call(
            ToolCall(
                tool=request.tool,
                version=request.version,
                arguments=arguments,
                idempotency_key=effect_key(envelope).outside_key(),
                correlation_id=envelope.correlation_id,
                tenant=envelope.tenant,
                run=envelope.run,
                deadline_s=envelope.deadline_s,
            )
        )
        _check_storable(request.tool, output)
        if tool.spec.output_schema and (problems := validate(tool.spec.output_schema, output)):
            raise ToolAnswerInvalid(f"{request.tool} answered, but its answer breaks its schema: {'; '.join(problems)}")
        return Receipt(output=output, usage=Usage(cost_usd_micros=request.cost_usd_micros))

    async def _simulated(self, tenant: str, request: ToolRequest, spec: ToolSpec) -> JsonValue:
        """What the same call gave the run this one was forked from, else a value made from the output schema; nothing is done."""
        if request.simulated_from is not None:
            return await self._payloads.get(tenant, request.simulated_from)
        return sample(spec.output_schema)

    async def _arguments(self, envelope: Envelope, request: ToolRequest) -> dict[str, JsonValue]:
        if request.arguments_from is None:
            return request.arguments
        stored = await self._payloads.get(envelope.tenant, request.arguments_from.ref)
        reply = Message.model_validate(cast("dict[str, JsonValue]", stored)["reply"])
        return reply.tool_calls[request.arguments_from.index].arguments or {}

    async def _check_approved(self, envelope: Envelope, request: ToolRequest) -> None:
        """Compare with the approved call once more, just before the effect (DESIGN §7).

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
        bound = {name: value for name, value in request.arguments.items() if name not in free}
        given = row.state == "approved" or (row.state == "timed_out" and not request.effect_class.changes_world)
        if not given or digest != asked.digest or not same or approved is None or approved.arguments != bound:
            raise StaleDigest(f"this call of {request.tool} is not what approval {asked.approval} allowed ({row.state}); nothing was done")


class PromptActivities:
    """Calls models."""

    def __init__(self, *, provider: LlmProvider, prices: PriceBook, messages: MessageStore, payloads: PayloadStore) -> None:
        self._provider = provider
        self._prices = prices
        self._messages = messages
        self._payloads = payloads

    @activity.defn(name=COMPLETE_PROMPT)
    async def complete_prompt(self, envelope: Envelope) -> Receipt:
        """Append the new messages to the conversation and ask the model once.

        Raises:
            UnknownModel: there is no price for it, so its cost could not be counted, and no budget bounds its tokens.
            ModelFailed: the provider refused for good.
            ModelUnavailable: the provider is busy or away.
            ReferenceMissing: a message of the conversation is gone.
        """
        request = PromptRequest.model_validate(envelope.request)
        at = datetime.fromisoformat(envelope.priced_at) if envelope.priced_at else None
        if self._prices.cost_usd_micros(model=request.model, input_tokens=0, output_tokens=0, at=at) is None and not bounded_in_tokens(
            envelope
        ):
            raise UnknownModel(
                f"there is no price for {request.model}: give one in the setting STANDFAST_PRICES, so that its cost can be counted,"
                " or bound its use by a budget in tokens"
            )
        head, messages = await self._conversation(envelope, request)
        reply = await self._provider.complete(
            CompletionRequest(
                model=request.model,
                instructions=request.instructions,
                messages=messages,
                tools=list(request.tools),
                output_schema=request.output_schema,
                max_output_tokens=request.max_output_tokens,
            ),
            timeout_s=envelope.deadline_s,
        )
        cost = self._prices.cost_usd_micros(model=request.model, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens, at=at)
        usage = Usage(input_tokens=reply.input_tokens, output_tokens=reply.output_tokens, cost_usd_micros=cost or 0, model=request.model)
        return Receipt(output=_outcome(request, reply, head.model_dump(mode="json")), usage=usage)

    async def _conversation(self, envelope: Envelope, request: PromptRequest) -> tuple[ConversationHead, list[Message]]:
        """The conversation with the new messages, and its head: they are stored, unless the conversation is another step's."""
        new = [await self._message(envelope.tenant, item) for item in request.append]
        if request.behind is not None:
            return request.head, [*await self._messages.load(envelope.tenant, envelope.run, request.behind, request.head), *new]
        conversation = f"{envelope.step}#{envelope.visit}"
        head = await self._messages.append(envelope.tenant, envelope.run, conversation, request.head, new)
        return head, await self._messages.load(envelope.tenant, envelope.run, conversation, head)

    async def _message(self, tenant: str, item: dict[str, JsonValue]) -> Message:
        if item["kind"] == "user":
            value = item["value"]
            return Message(role="user", text=value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
        if item["kind"] == "reply":
            stored = await self._payloads.get(tenant, str(item["ref"]))
            return Message.model_validate(cast("dict[str, JsonValue]", stored)["reply"])
        if item.get("error") is not None:
            return Message(role="tool", vendor_id=str(item["vendor_id"]), text=str(item["error"]), is_error=True)
        result = await self._payloads.get(tenant, str(item["ref"]))
        return Message(role="tool", vendor_id=str(item["vendor_id"]), text=json.dumps(result, ensure_ascii=False, sort_keys=True))


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


def _outcome(request: PromptRequest, reply: CompletionReply, head: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The stored outcome: the reply as a message, the calls checked against the tools, the answer against its schema."""
    message = Message(role="assistant", text=reply.text, tool_calls=reply.tool_calls)
    answer, problems = (None, []) if reply.stop is not StopReason.ANSWERED else read_answer(request.output_schema, reply.text)
    return {
        "stop": reply.stop.value,
        "head": head,
        "calls": [_checked(request, call, room=CALLS_BYTES_MAX // len(reply.tool_calls)) for call in reply.tool_calls],
        "problems": cast("list[JsonValue]", _within(problems, CALLS_BYTES_MAX)),
        "answer": answer,
        "scripted": reply.scripted,
        "model": reply.model,
        "reply": message.model_dump(mode="json"),
    }


def _within(problems: list[str], room: int) -> list[str]:
    """The first problems, as many as fit; at least the first, cut."""
    kept = problems[:1]
    for problem in problems[1:]:
        if sum(map(len, kept)) + len(problem) > room:
            break
        kept.append(problem)
    return [problem[:room] for problem in kept]


def _checked(request: PromptRequest, call: ModelToolCall, *, room: int) -> dict[str, JsonValue]:
    """The call as the workflow sees it; `room` bounds what it may put into history."""
    tool = next((t for t in request.tools if t.name == call.name), None)
    problem: str | None = None
    if call.arguments is None:
        problem = f"the arguments are no JSON object: {call.raw_arguments[:200]}"
    elif tool is not None and (problems := validate(tool.parameters, call.arguments)):
        problem = f"the arguments break the schema: {'; '.join(problems)[:800]}"
    told = problem[:room] if problem is not None else None
    checked: dict[str, JsonValue] = {"name": call.name[:200], "vendor_id": call.vendor_id, "problem": told, "arguments": None}
    if problem is None and len(canonical_bytes(call.arguments)) <= min(INLINE_ARGUMENTS_MAX, room):
        checked["arguments"] = call.arguments
    return checked


def read_answer(schema: dict[str, JsonValue] | None, text: str) -> tuple[JsonValue, list[str]]:
    """Return (answer, problems): text as it is without a schema, else JSON that must fit it; a fenced code block is unwrapped."""
    if schema is None:
        return text, []
    inner = text.strip()
    if inner.startswith("```") and inner.endswith("```"):
        inner = inner.removesuffix("```").partition("\n")[2]
    try:
        answer = cast("JsonValue", json.loads(inner))
    except ValueError as error:
        return None, [f"the answer is no JSON: {error}"]
    return answer, validate(schema, answer)
