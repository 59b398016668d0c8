"""The effect activity of models: one call over a stored conversation. The journal interceptor stands around it (JOURNAL §2)."""

import json
from datetime import datetime
from typing import cast

from pydantic import JsonValue
from temporalio import activity

from activities.charges import bounded_in_tokens
from activities.replies import outcome
from activities.requests import COMPLETE_PROMPT, PromptRequest
from domain.deltas import DeltaSink, StreamKey
from domain.envelope import Envelope, Receipt, Usage
from domain.errors import UnknownModel
from domain.provider import CompletionReply, CompletionRequest, LlmProvider, Message, PriceBook
from domain.stores import ConversationHead, MessageStore, PayloadStore


class PromptActivities:
    """Calls models."""

    def __init__(
        self,
        *,
        provider: LlmProvider,
        prices: PriceBook,
        messages: MessageStore,
        payloads: PayloadStore,
        deltas: DeltaSink | None = None,
    ) -> None:
        self._deltas = deltas
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
        asked = CompletionRequest(
            model=request.model,
            instructions=request.instructions,
            messages=messages,
            tools=list(request.tools),
            output_schema=request.output_schema,
            max_output_tokens=request.max_output_tokens,
        )
        reply = await self._streamed(envelope, asked)
        cost = self._prices.cost_usd_micros(model=request.model, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens, at=at)
        usage = Usage(input_tokens=reply.input_tokens, output_tokens=reply.output_tokens, cost_usd_micros=cost or 0, model=request.model)
        return Receipt(output=outcome(request, reply, head.model_dump(mode="json")), usage=usage)

    async def _streamed(self, envelope: Envelope, asked: CompletionRequest) -> CompletionReply:
        """The reply, told to whoever watches while it arrives; the stream is closed before the outcome is recorded."""
        if self._deltas is None:
            return await self._provider.complete(asked, timeout_s=envelope.deadline_s)
        stream = self._deltas.open(stream_key(envelope, attempt=activity.info().attempt))
        try:
            return await self._provider.complete(asked, stream.write, timeout_s=envelope.deadline_s)
        finally:
            await stream.close()

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


def stream_key(envelope: Envelope, *, attempt: int) -> StreamKey:
    """Return the key of one attempt's stream."""
    return StreamKey(
        tenant=envelope.tenant,
        run=envelope.run,
        step=envelope.step,
        visit=envelope.visit,
        call=envelope.call,
        epoch=envelope.epoch,
        attempt=attempt,
    )
