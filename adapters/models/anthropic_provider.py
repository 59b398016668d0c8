"""Anthropic's Messages API behind the model port, on the vendor's SDK; what is sent stands in `anthropic_request.py`."""

import contextlib
import json
from collections.abc import Generator
from dataclasses import dataclass, field

import httpx2
from anthropic import AnthropicError, APIConnectionError, APIStatusError, AsyncAnthropic
from anthropic.lib.bedrock import AsyncAnthropicBedrock
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawContentBlockDeltaEvent, RawMessageStreamEvent

from adapters.models.addresses import ANTHROPIC_BASE_URL
from adapters.models.anthropic_request import MessagesCall, messages_call
from adapters.models.tool_arguments import tool_call
from adapters.models.tool_names import ToolNames
from adapters.models.vendor_errors import VendorErrors
from domain.provider import CompletionReply, CompletionRequest, Delta, OnDelta, StopReason

_STOPS = {
    "end_turn": StopReason.ANSWERED,
    "stop_sequence": StopReason.ANSWERED,
    "pause_turn": StopReason.ANSWERED,
    "tool_use": StopReason.TOOL_CALLS,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "refusal": StopReason.REFUSED,
}


class ClaudeProvider:
    """Calls Claude models over a client of the vendor's; the part of `request.model` before the first `/` is dropped.

    Sampling is the model's own: the API takes no temperature. Thinking blocks are not asked for; those that come stream, and are not kept.
    """

    def __init__(self, client: AsyncAnthropic | AsyncAnthropicBedrock, errors: VendorErrors) -> None:
        self._client = client
        self._errors = errors

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises; it streams when `on_delta` is given."""
        call = messages_call(request)
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

    async def _stream(self, call: MessagesCall, draft: "_Draft", on_delta: OnDelta, timeout_s: float) -> None:
        async with await self._client.messages.create(**call, stream=True, timeout=timeout_s) as events:
            async for event in events:
                with self._errors.reading():
                    delta = draft.add(event)
                if delta is not None:
                    await on_delta(delta)
        if not draft.complete:
            raise self._errors.cut_off()


class AnthropicProvider(ClaudeProvider):
    """Anthropic's own API."""

    def __init__(self, *, api_key: str, base_url: str = ANTHROPIC_BASE_URL, http: httpx2.AsyncClient | None = None) -> None:
        client = AsyncAnthropic(api_key=api_key, base_url=base_url, max_retries=0, http_client=http)
        super().__init__(client, VendorErrors("Anthropic", api_key))


@dataclass
class _Draft:
    """An answer while it arrives. `calls` maps the place of a block to its id, name and argument text."""

    names: ToolNames
    text: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    stop: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    written_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
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
            cached_input_tokens=self.cached_tokens,
            cache_write_tokens=self.written_tokens,
            reasoning_tokens=self.thought_tokens,
        )

    def _count(self, answer: AnthropicMessage) -> None:
        usage = answer.usage
        self.cached_tokens, self.written_tokens = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        self.input_tokens = usage.input_tokens + self.cached_tokens + self.written_tokens
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
