"""The effect activity of models: one call over a stored conversation. The journal interceptor stands around it (JOURNAL §2)."""

import json
from datetime import datetime
from typing import cast

from pydantic import JsonValue
from temporalio import activity

from activities.able_models import unable_models
from activities.attached_files import AttachedFiles, InputOf
from activities.charges import bounded_in_tokens, priced_at, worst_call
from activities.model_chains import ChainWalk
from activities.policy_checks import verdicts_on
from activities.replies import noted_of, outcome
from activities.requests import COMPLETE_PROMPT, PromptRequest
from activities.stored_replies import stored_reply
from activities.transcripts import transcript
from domain.attachments import AttachmentPlace
from domain.breakers import Breakers
from domain.deltas import DeltaSink, DeltaStream, StreamKey
from domain.envelope import Envelope, Receipt, Usage
from domain.errors import UnknownModel
from domain.known_secrets import KnownSecrets
from domain.model_table import NO_ALIASES, ModelTable
from domain.policy import PolicyDecider
from domain.provider import CompletionReply, CompletionRequest, LlmProvider, Message, PriceBook
from domain.redacted_streams import RedactedDeltas, redacted_reply
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
        breakers: Breakers | None = None,
        input_of: InputOf | None = None,
        models: ModelTable = NO_ALIASES,
        policy: PolicyDecider | None = None,
        secrets: KnownSecrets | None = None,
    ) -> None:
        self._policy = policy
        self._secrets = secrets or KnownSecrets()
        self._deltas = None if deltas is None else RedactedDeltas(deltas, self._secrets)
        self._breakers = breakers
        self._input_of = input_of
        self._models = models
        self._provider = provider
        self._prices = prices
        self._messages = messages
        self._payloads = payloads

    @activity.defn(name=COMPLETE_PROMPT)
    async def complete_prompt(self, envelope: Envelope) -> Receipt:
        """Append the new messages to the conversation and ask the model once.

        Raises:
            UnknownModel: there is no price for it, so its cost could not be counted, and no budget bounds its tokens.
            ModelFailed: the provider refused for good, or no model of the chain can take the request.
            ModelUnavailable: the provider is busy or away.
            ReferenceMissing: a message of the conversation is gone.
        """
        request = PromptRequest.model_validate(envelope.request)
        at = priced_at(envelope)
        self._check_prices(envelope, request, at)
        files = AttachedFiles(envelope.tenant, envelope.run, payloads=self._payloads, input_of=self._input_of)
        head, messages = await self._conversation(envelope, request, files)
        asked = CompletionRequest(
            model=request.model,
            instructions=request.instructions,
            messages=await files.shown(messages),
            tools=list(request.tools),
            output_schema=request.output_schema,
            max_output_tokens=request.max_output_tokens,
            temperature=request.temperature,
            parallel_tools=request.parallel_tools,
        )
        await self._secrets.ready(envelope.tenant)
        stream = None if self._deltas is None else self._deltas.open(stream_key(envelope))
        walk = ChainWalk(
            tenant=envelope.tenant,
            call=lambda one, timeout_s, place: self._streamed(envelope, one, timeout_s, stream, place),
            worst_of=worst_call(request, self._prices, at),
            cost_of=lambda reply: self._cost(reply, at),
            timeout_s=envelope.deadline_s,
            unable=unable_models(request.chain, asked, self._models, known_tokens=request.known_tokens),
            breakers=self._breakers,
        )
        try:
            reply = await walk.ask(asked, request.chain)
        finally:
            if stream is not None:
                await stream.close()
        verdicts = [] if self._policy is None else await verdicts_on(self._policy, envelope, request, reply)
        return Receipt(
            output=outcome(request, reply, head.model_dump(mode="json"), verdicts),
            usage=self._usage(reply, at),
            noted=noted_of(request, reply),
        )

    def _check_prices(self, envelope: Envelope, request: PromptRequest, at: datetime | None) -> None:
        """Refuse a chain with a model whose cost could not be counted.

        Raises:
            UnknownModel: there is no price for it, and no budget in tokens.
        """
        for model in request.chain.models:
            cost = self._prices.cost_usd_micros(model=model, input_tokens=0, output_tokens=0, at=at)
            if cost is None and not bounded_in_tokens(envelope):
                raise UnknownModel(
                    f"there is no price for {model}: give one in the setting STANDFAST_PRICES, so that its cost can be counted,"
                    " or bound its use by a budget in tokens"
                )

    def _cost(self, reply: CompletionReply, at: datetime | None) -> int:
        """What a reply cost at the model that gave it; a model without a price costs nothing that is known."""
        cost = self._prices.cost_usd_micros(
            model=reply.answered_by,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cached_input_tokens=reply.cached_input_tokens,
            cache_write_tokens=reply.cache_write_tokens,
            at=at,
        )
        return cost or 0

    def _usage(self, reply: CompletionReply, at: datetime | None) -> Usage:
        """What the call used, at all of its models; it stands under the one that answered."""
        used = Usage(
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cached_input_tokens=reply.cached_input_tokens,
            cost_usd_micros=self._cost(reply, at),
            model=reply.answered_by,
        )
        for taken in reply.fallbacks:
            used = used + Usage(input_tokens=taken.input_tokens, output_tokens=taken.output_tokens, cost_usd_micros=taken.cost_usd_micros)
        return used

    async def _streamed(
        self, envelope: Envelope, asked: CompletionRequest, timeout_s: float, stream: DeltaStream | None, place: int
    ) -> CompletionReply:
        """The reply, told to whoever watches while it arrives; what an earlier model of the chain said is void.

        Raises:
            StandfastError: the provider's own, without secrets.
        """
        if stream is not None and place:
            await stream.restart()
        try:
            reply = await self._provider.complete(asked, None if stream is None else stream.write, timeout_s=timeout_s)
        except Exception as error:
            told = self._secrets.error(envelope.tenant, error)
            if told is error:
                raise
            raise told from None
        return redacted_reply(reply, envelope.tenant, self._secrets)

    async def _conversation(
        self, envelope: Envelope, request: PromptRequest, files: AttachedFiles
    ) -> tuple[ConversationHead, list[Message]]:
        """The conversation with the new messages, and its head: they are stored, unless the conversation is another step's."""
        new = [await self._message(envelope, item, files) for item in request.append]
        if request.behind is not None:
            return request.head, [*await self._messages.load(envelope.tenant, envelope.run, request.behind, request.head), *new]
        conversation = f"{envelope.step}#{envelope.visit}"
        head = await self._messages.append(envelope.tenant, envelope.run, conversation, request.head, new)
        return head, await self._messages.load(envelope.tenant, envelope.run, conversation, head)

    async def _message(self, envelope: Envelope, item: dict[str, JsonValue], files: AttachedFiles) -> Message:
        tenant = envelope.tenant
        if item["kind"] == "transcript":
            return await self._handed_over(envelope, item)
        if item["kind"] == "user":
            value = item["value"]
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
            places = [AttachmentPlace.model_validate(place) for place in cast("list[JsonValue]", item.get("attachments") or [])]
            return Message(role="user", text=text, attachments=[one for place in places for one in await files.at(place)])
        if item["kind"] == "reply":
            return await stored_reply(self._payloads, tenant, str(item["ref"]))
        if item.get("error") is not None:
            return Message(role="tool", vendor_id=str(item["vendor_id"]), text=str(item["error"]), is_error=True)
        result = await self._payloads.get(tenant, str(item["ref"]))
        if item.get("part") is not None:
            result = cast("dict[str, JsonValue]", result)[str(item["part"])]
        note = f"{item['note']}\n" if item.get("note") else ""
        return Message(role="tool", vendor_id=str(item["vendor_id"]), text=note + json.dumps(result, ensure_ascii=False, sort_keys=True))

    async def _handed_over(self, envelope: Envelope, item: dict[str, JsonValue]) -> Message:
        """What another agent of this run was told and did, its last reply included."""
        head = ConversationHead.model_validate(item["head"])
        earlier = await self._messages.load(envelope.tenant, envelope.run, str(item["conversation"]), head)
        last = await stored_reply(self._payloads, envelope.tenant, str(item["ref"]))
        return Message(role="user", text=transcript(str(item["of"]), [*earlier, last]))


def stream_key(envelope: Envelope) -> StreamKey:
    """Return the key of this attempt's stream."""
    return StreamKey(
        tenant=envelope.tenant,
        run=envelope.run,
        step=envelope.step,
        visit=envelope.visit,
        call=envelope.call,
        epoch=envelope.epoch,
        attempt=activity.info().attempt if activity.in_activity() else 1,
    )
