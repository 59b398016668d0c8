"""Any server that speaks OpenAI's chat completions (vLLM, Ollama, llama.cpp, hosted ones) behind the model port, by base URL."""

from dataclasses import dataclass, field

import httpx2
from openai import AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
)
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceDeltaToolCall

from adapters.models.compatible_request import ChatCall, chat_call
from adapters.models.openai_errors import translated
from adapters.models.token_estimate import estimated_input_tokens, estimated_output_tokens
from adapters.models.tool_arguments import tool_call
from adapters.models.tool_names import ToolNames
from adapters.models.vendor_errors import VendorErrors
from domain.provider import CompletionReply, CompletionRequest, Delta, OnDelta, StopReason

_NO_KEY = "none"
"""Sent where the server wants no key: the SDK insists on one."""

_STOPS = {
    "stop": StopReason.ANSWERED,
    "tool_calls": StopReason.TOOL_CALLS,
    "function_call": StopReason.TOOL_CALLS,
    "length": StopReason.LENGTH,
    "content_filter": StopReason.REFUSED,
}


class CompatibleProvider:
    """Calls models of one server; the part of `request.model` before the first `/` is dropped.

    `name` is what people call the server. A server that reports no usage gets an estimate, four characters to a token.
    """

    def __init__(self, *, name: str, base_url: str, api_key: str | None = None, http: httpx2.AsyncClient | None = None) -> None:
        self._client = AsyncOpenAI(api_key=api_key or _NO_KEY, base_url=base_url, max_retries=0, http_client=http)
        self._errors = VendorErrors(f"The model server '{name}'", api_key)

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises; it streams when `on_delta` is given."""
        call = chat_call(request)
        draft = _Draft(ToolNames.of(request))
        async with self._errors.deadline(timeout_s):
            with translated(self._errors):
                if on_delta is None:
                    completion = await self._client.chat.completions.create(**call, timeout=timeout_s)
                    with self._errors.reading():
                        draft.take(completion)
                else:
                    await self._stream(call, draft, on_delta, timeout_s)
        with self._errors.reading():
            return draft.reply(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(self, call: ChatCall, draft: "_Draft", on_delta: OnDelta, timeout_s: float) -> None:
        async with await self._client.chat.completions.create(
            **call, stream=True, stream_options={"include_usage": True}, timeout=timeout_s
        ) as chunks:
            async for chunk in chunks:
                with self._errors.reading():
                    deltas = draft.add(chunk)
                for delta in deltas:
                    await on_delta(delta)
        if draft.finish is None:
            raise self._errors.cut_off()


@dataclass
class _Draft:
    """An answer while it arrives. `calls` maps the place of a call to its id, name and argument text."""

    names: ToolNames
    text: str = ""
    refusal: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    finish: str | None = None
    usage: CompletionUsage | None = None

    def take(self, completion: ChatCompletion) -> None:
        """Read an answer that came whole."""
        choice = completion.choices[0]
        self.text, self.refusal, self.finish = choice.message.content or "", choice.message.refusal or "", choice.finish_reason
        for place, call in enumerate(choice.message.tool_calls or []):
            if call.type == "function":
                self.calls[place] = [call.id, call.function.name, call.function.arguments]
        self.usage = completion.usage

    def add(self, chunk: ChatCompletionChunk) -> list[Delta]:
        """Read one chunk of a stream; return what it adds to the answer. The last chunk has usage and no choice."""
        if chunk.usage:
            self.usage = chunk.usage
        if not chunk.choices:
            return []
        delta = chunk.choices[0].delta
        self.finish = chunk.choices[0].finish_reason or self.finish
        self.refusal += delta.refusal or ""
        self.text += delta.content or ""
        pieces = [("reasoning", _reasoning(delta)), ("text", delta.content or "")]
        told = [Delta.model_validate({"kind": kind, "text": text}) for kind, text in pieces if text]
        return [*told, *filter(None, map(self._called, delta.tool_calls or []))]

    def _called(self, part: ChoiceDeltaToolCall) -> Delta | None:
        is_new = part.index not in self.calls
        call = self.calls.setdefault(part.index, ["", "", ""])
        call[0] = part.id or call[0]
        text = ""
        if part.function:
            text = part.function.arguments or ""
            call[1] += part.function.name or ""
            call[2] += text
        if not (is_new or text):
            return None
        name = self.names.from_vendor(call[1]) if is_new and call[1] else None
        return Delta(kind="tool_arguments", text=text, index=list(self.calls).index(part.index), name=name)

    def reply(self, request: CompletionRequest) -> CompletionReply:
        """Return the reply; servers that leave out the id of a call get one that is unique in the conversation.

        Raises:
            KeyError: the server named a finish reason that is not of the protocol.
        """
        turn = len(request.messages)
        calls = [
            tool_call(vendor_id=id_ or f"call_{turn}_{place}", name=self.names.from_vendor(name), raw=raw)
            for place, (id_, name, raw) in self.calls.items()
        ]
        stop = StopReason.REFUSED if self.refusal else _STOPS[self.finish or ""]
        usage = self.usage or CompletionUsage(
            prompt_tokens=estimated_input_tokens(request), completion_tokens=estimated_output_tokens(self.text, calls), total_tokens=0
        )
        read, written = usage.prompt_tokens_details, usage.completion_tokens_details
        return CompletionReply(
            text=self.text + self.refusal,
            tool_calls=calls,
            stop=StopReason.TOOL_CALLS if calls and stop is StopReason.ANSWERED else stop,
            model=request.model,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cached_input_tokens=(read.cached_tokens or 0) if read else 0,
            reasoning_tokens=(written.reasoning_tokens or 0) if written else 0,
        )


def _reasoning(delta: ChoiceDelta) -> str:
    """The reasoning that a piece brings: outside the protocol, and named in two ways by the servers that send it (vLLM, DeepSeek)."""
    extra = delta.model_extra or {}
    text = extra.get("reasoning_content") or extra.get("reasoning")
    return text if isinstance(text, str) else ""
