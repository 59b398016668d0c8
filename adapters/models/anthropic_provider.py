"""Anthropic's Messages API behind the model port, on the vendor's SDK."""

import contextlib
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import httpx2
from anthropic import AnthropicError, APIConnectionError, APIStatusError, AsyncAnthropic, transform_schema
from anthropic.types import (
    AssistantMessageParam,
    MessageParam,
    OutputConfigParam,
    RawContentBlockDeltaEvent,
    RawMessageStreamEvent,
    TextBlockParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    UserMessageParam,
)
from anthropic.types import Message as AnthropicMessage

from adapters.models.addresses import ANTHROPIC_BASE_URL
from adapters.models.output_schemas import instructions_with_schema, is_enforceable
from adapters.models.tool_arguments import echoed_arguments, tool_call
from adapters.models.tool_names import ToolNames, vendor_tool_name
from adapters.models.vendor_errors import VendorErrors
from domain.provider import CompletionReply, CompletionRequest, Delta, Message, OnDelta, StopReason

_STOPS = {
    "end_turn": StopReason.ANSWERED,
    "stop_sequence": StopReason.ANSWERED,
    "pause_turn": StopReason.ANSWERED,
    "tool_use": StopReason.TOOL_CALLS,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "refusal": StopReason.REFUSED,
}

_Block = TextBlockParam | ToolUseBlockParam | ToolResultBlockParam


class AnthropicProvider:
    """Calls Claude models; the part of `request.model` before the first `/` is dropped.

    Sampling is the model's own: the API takes no temperature. Thinking blocks are not asked for; those that come stream, and are not kept.
    """

    def __init__(self, *, api_key: str, base_url: str = ANTHROPIC_BASE_URL) -> None:
        self._client = AsyncAnthropic(api_key=api_key, base_url=base_url, max_retries=0)
        self._errors = VendorErrors("Anthropic", api_key)

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises; it streams when `on_delta` is given."""
        call = _call(request)
        draft = _Draft(ToolNames.of(request))
        async with self._errors.deadline(timeout_s):
            with _translated(self._errors):
                if on_delta is None:
                    answer = await self._client.messages.create(**call, timeout=timeout_s)
                    with self._errors.reading():
                        draft.take(answer)
                else:
                    await self._stream(call, draft, on_delta, timeout_s)
        with self._errors.reading():
            return draft.reply(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(self, call: "_Call", draft: "_Draft", on_delta: OnDelta, timeout_s: float) -> None:
        async with await self._client.messages.create(**call, stream=True, timeout=timeout_s) as events:
            async for event in events:
                with self._errors.reading():
                    delta = draft.add(event)
                if delta is not None:
                    await on_delta(delta)
        if not draft.complete:
            raise self._errors.cut_off()


class _Call(TypedDict):
    model: str
    max_tokens: int
    messages: list[MessageParam]
    system: NotRequired[str]
    tools: NotRequired[list[ToolParam]]
    output_config: NotRequired[OutputConfigParam]


@dataclass
class _Draft:
    """An answer while it arrives. `calls` maps the place of a block to its id, name and argument text."""

    names: ToolNames
    text: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    stop: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    complete: bool = False

    def take(self, answer: AnthropicMessage) -> None:
        """Read an answer that came whole."""
        for place, block in enumerate(answer.content):
            if block.type == "text":
                self.text += block.text
            elif block.type == "tool_use":
                given: object = block.input
                self.calls[place] = [block.id, block.name, given if isinstance(given, str) else json.dumps(given)]
        self._count(answer)
        self._stop(answer.stop_reason, answer.stop_details.explanation if answer.stop_details else None)

    def add(self, event: RawMessageStreamEvent) -> Delta | None:
        """Read one event of a stream; return what it adds to the answer."""
        if event.type == "message_start":
            self._count(event.message)
        elif event.type == "content_block_start" and event.content_block.type == "tool_use":
            self.calls[event.index] = [event.content_block.id, event.content_block.name, ""]
            place, name = len(self.calls) - 1, self.names.from_vendor(event.content_block.name)
            return Delta(kind="tool_arguments", text="", index=place, name=name)
        elif event.type == "content_block_delta":
            return self._piece(event)
        elif event.type == "message_delta":
            self.output_tokens = event.usage.output_tokens
            details = event.delta.stop_details
            self._stop(event.delta.stop_reason, details.explanation if details else None)
        elif event.type == "message_stop":
            self.complete = True
        return None

    def _piece(self, event: RawContentBlockDeltaEvent) -> Delta | None:
        delta = event.delta
        if delta.type == "input_json_delta" and delta.partial_json and event.index in self.calls:
            self.calls[event.index][2] += delta.partial_json
            return Delta(kind="tool_arguments", text=delta.partial_json, index=list(self.calls).index(event.index))
        if delta.type == "text_delta" and delta.text:
            self.text += delta.text
            return Delta(kind="text", text=delta.text)
        if delta.type == "thinking_delta" and delta.thinking:
            return Delta(kind="reasoning", text=delta.thinking)
        return None

    def reply(self, request: CompletionRequest) -> CompletionReply:
        """Return the reply.

        Raises:
            KeyError: the vendor named a stop reason that is not of its protocol.
        """
        stop = _STOPS[self.stop or ""]
        calls = [tool_call(vendor_id=id_, name=self.names.from_vendor(name), raw=raw) for id_, name, raw in self.calls.values()]
        return CompletionReply(
            text=self.text,
            tool_calls=calls,
            stop=StopReason.TOOL_CALLS if calls and stop is StopReason.ANSWERED else stop,
            model=request.model,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )

    def _count(self, answer: AnthropicMessage) -> None:
        usage = answer.usage
        self.input_tokens = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        self.output_tokens = usage.output_tokens

    def _stop(self, reason: str | None, explanation: str | None) -> None:
        self.stop = reason
        self.text = self.text or explanation or ""


@contextlib.contextmanager
def _translated(errors: VendorErrors) -> Generator[None]:
    """Turn the SDK's errors into ours. The chain is cut: the SDK's errors hold the request, and with it the key."""
    try:
        yield
    except APIStatusError as error:
        message = error.api_message or error.message
        if error.status_code < 400:
            raise errors.from_kind(error.type, message) from None
        raise errors.from_status(error.status_code, message, error.response.headers) from None
    except (APIConnectionError, httpx2.HTTPError) as error:
        raise errors.unreachable(_reason(error)) from None
    except (AnthropicError, json.JSONDecodeError) as error:
        raise errors.not_the_protocol(type(error).__name__) from None


def _reason(error: Exception) -> str:
    return f"{type(error.__cause__ or error).__name__}: {error.__cause__ or error}"


def _call(request: CompletionRequest) -> _Call:
    output_format = _output_format(request)
    call = _Call(
        model=request.model.partition("/")[2],
        max_tokens=request.max_output_tokens,
        messages=_conversation(request.messages),
    )
    if system := instructions_with_schema(request, enforced=output_format is not None):
        call["system"] = system
    if request.tools:
        call["tools"] = [
            ToolParam(name=vendor_tool_name(tool.name), description=tool.description, input_schema=dict(tool.parameters))
            for tool in request.tools
        ]
    if output_format is not None:
        call["output_config"] = output_format
    return call


def _output_format(request: CompletionRequest) -> OutputConfigParam | None:
    if request.output_schema is None or not is_enforceable(request.output_schema):
        return None
    return OutputConfigParam(format={"type": "json_schema", "schema": transform_schema(dict(request.output_schema))})


def _conversation(messages: list[Message]) -> list[MessageParam]:
    """Return the turns. One user turn holds all results that answer one assistant turn: the API refuses results spread over turns."""
    turns: list[UserMessageParam | AssistantMessageParam] = []
    blocks_of_turn: list[_Block] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            blocks_of_turn.extend(blocks)
        elif blocks:
            blocks_of_turn = blocks
            model_speaks = message.role == "assistant"
            turns.append(
                AssistantMessageParam(role="assistant", content=blocks) if model_speaks else UserMessageParam(role="user", content=blocks)
            )
    return [*turns]


def _blocks(message: Message) -> list[_Block]:
    if message.role == "tool":
        return [
            ToolResultBlockParam(type="tool_result", tool_use_id=message.vendor_id or "", content=message.text, is_error=message.is_error)
        ]
    # The API refuses blocks of white space only.
    texts: list[_Block] = [TextBlockParam(type="text", text=message.text)] if message.text.strip() else []
    calls = [
        ToolUseBlockParam(type="tool_use", id=call.vendor_id, name=vendor_tool_name(call.name), input=dict(echoed_arguments(call)))
        for call in message.tool_calls
    ]
    return [*texts, *calls]
