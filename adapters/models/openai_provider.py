"""OpenAI's Responses API behind the model port, on the vendor's SDK."""

import json
from typing import Literal, NotRequired, TypedDict

from openai import AsyncOpenAI
from openai.types.responses import (
    EasyInputMessageParam,
    FunctionToolParam,
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseFunctionToolCallParam,
    ResponseIncompleteEvent,
    ResponseInputItemParam,
    ResponseInputParam,
    ResponseStreamEvent,
    ResponseTextConfigParam,
)
from openai.types.responses.response_input_param import FunctionCallOutput

from adapters.models.addresses import OPENAI_BASE_URL
from adapters.models.openai_errors import translated
from adapters.models.output_schemas import instructions_with_schema, is_enforceable
from adapters.models.tool_arguments import echoed_arguments, tool_call
from adapters.models.tool_names import ToolNames, vendor_tool_name
from adapters.models.vendor_errors import VendorErrors
from domain.provider import CompletionReply, CompletionRequest, Delta, Message, OnDelta, StopReason

_OUTPUT_TOKENS_MIN = 16
"""The API refuses a smaller `max_output_tokens` (Responses API reference)."""


class OpenAIProvider:
    """Calls OpenAI models; the part of `request.model` before the first `/` is dropped.

    Nothing is stored at the vendor (`store=False`): each call carries the whole conversation. Reasoning items are not kept.
    """

    def __init__(self, *, api_key: str, base_url: str = OPENAI_BASE_URL) -> None:
        self._client = AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0)
        self._errors = VendorErrors("OpenAI", api_key)

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises; it streams when `on_delta` is given."""
        call = _call(request)
        async with self._errors.deadline(timeout_s):
            with translated(self._errors):
                if on_delta is None:
                    response = await self._client.responses.create(**call, timeout=timeout_s)
                else:
                    response = await self._stream(call, _Pieces(ToolNames.of(request)), on_delta, timeout_s=timeout_s)
        with self._errors.reading():
            self._check(response)
            return _reply(response, request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(self, call: "_Call", pieces: "_Pieces", on_delta: OnDelta, *, timeout_s: float) -> Response:
        last: Response | None = None
        async with await self._client.responses.create(**call, stream=True, timeout=timeout_s) as events:
            async for event in events:
                if event.type == "error":
                    raise self._errors.from_kind(event.code, event.message)
                last = _settled(event) or last
                with self._errors.reading():
                    delta = pieces.add(event)
                if delta is not None:
                    await on_delta(delta)
        if last is None:
            raise self._errors.cut_off()
        return last

    def _check(self, response: Response) -> None:
        """Raise if the response failed. A policy's veto is no failure but a refusal, and is left to the reply."""
        if response.status not in ("failed", "cancelled") or _is_veto(response):
            return
        code, message = (response.error.code, response.error.message) if response.error else (response.status, "no reason given")
        raise self._errors.from_kind(code, message)


class _Call(TypedDict):
    model: str
    input: ResponseInputParam
    max_output_tokens: int
    store: bool
    instructions: NotRequired[str]
    tools: NotRequired[list[FunctionToolParam]]
    text: NotRequired[ResponseTextConfigParam]


class _Pieces:
    """What the events of one stream add to the answer; a call is known by the place of its item in the output."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._calls: list[int] = []

    def add(self, event: ResponseStreamEvent) -> Delta | None:
        """Return the piece that an event brings, or None."""
        match event.type:
            case "response.output_text.delta" if event.delta:
                return Delta(kind="text", text=event.delta)
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" if event.delta:
                return Delta(kind="reasoning", text=event.delta)
            case "response.output_item.added" if event.item.type == "function_call":
                self._calls.append(event.output_index)
                name = self._names.from_vendor(event.item.name)
                return Delta(kind="tool_arguments", text="", index=len(self._calls) - 1, name=name)
            case "response.function_call_arguments.delta" if event.delta and event.output_index in self._calls:
                return Delta(kind="tool_arguments", text=event.delta, index=self._calls.index(event.output_index))
            case _:
                return None


def _settled(event: ResponseStreamEvent) -> Response | None:
    """Return the whole response if the event ends the stream."""
    if isinstance(event, ResponseCompletedEvent | ResponseIncompleteEvent | ResponseFailedEvent):
        return event.response
    return None


def _reply(response: Response, request: CompletionRequest) -> CompletionReply:
    names = ToolNames.of(request)
    calls = [
        tool_call(vendor_id=item.call_id, name=names.from_vendor(item.name), raw=item.arguments)
        for item in response.output
        if item.type == "function_call"
    ]
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    refusals = [part.refusal for part in parts if part.type == "refusal"]
    refused = bool(refusals) or _is_veto(response)
    if response.error is not None:
        refusals.append(response.error.message)
    if response.usage is None:
        raise LookupError
    return CompletionReply(
        text="".join([*(part.text for part in parts if part.type == "output_text"), *refusals]),
        tool_calls=calls,
        stop=_stop(response, refused=refused, called=bool(calls)),
        model=request.model,
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
    )


def _stop(response: Response, *, refused: bool, called: bool) -> StopReason:
    """Return the stop reason.

    Raises:
        ValueError: the response has no state that ends it.
    """
    cut = response.incomplete_details.reason if response.incomplete_details else None
    if refused or cut == "content_filter":
        return StopReason.REFUSED
    if cut == "max_output_tokens":
        return StopReason.LENGTH
    if response.status != "completed":
        message = f"status {response.status}"
        raise ValueError(message)
    return StopReason.TOOL_CALLS if called else StopReason.ANSWERED


def _is_veto(response: Response) -> bool:
    """Return whether a content policy ended the response (`bio_policy`, `misalignment_policy_violation` and their kin)."""
    return response.error is not None and "policy" in response.error.code


def _call(request: CompletionRequest) -> _Call:
    call = _Call(
        model=request.model.partition("/")[2],
        input=[item for message in request.messages for item in _items(message)],
        max_output_tokens=max(_OUTPUT_TOKENS_MIN, request.max_output_tokens),
        store=False,
    )
    schema = request.output_schema if request.output_schema is not None and is_enforceable(request.output_schema) else None
    if instructions := instructions_with_schema(request, enforced=schema is not None):
        call["instructions"] = instructions
    if request.tools:
        call["tools"] = [
            FunctionToolParam(
                type="function",
                name=vendor_tool_name(tool.name),
                description=tool.description,
                parameters=dict(tool.parameters),
                strict=False,
            )
            for tool in request.tools
        ]
    if schema is not None:
        call["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": dict(schema), "strict": True}}
    return call


def _items(message: Message) -> list[ResponseInputItemParam]:
    if message.role == "tool":
        return [FunctionCallOutput(type="function_call_output", call_id=message.vendor_id or "", output=message.text)]
    role: Literal["user", "assistant"] = message.role
    said: list[ResponseInputItemParam] = []
    if message.text or role == "user":
        said.append(EasyInputMessageParam(type="message", role=role, content=message.text))
    calls = [
        ResponseFunctionToolCallParam(
            type="function_call", call_id=call.vendor_id, name=vendor_tool_name(call.name), arguments=json.dumps(echoed_arguments(call))
        )
        for call in message.tool_calls
    ]
    return [*said, *calls]
