"""Google's Gemini API behind the model port, on the vendor's SDK (google-genai), over httpx2."""

import contextlib
import json
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, field
from typing import cast

import httpx2
from google.genai import Client
from google.genai.errors import APIError, UnknownApiResponseError
from google.genai.types import FinishReason, GenerateContentResponse, HttpOptions, Part
from pydantic import ValidationError

from adapters.models.addresses import GEMINI_BASE_URL
from adapters.models.gemini_request import SIGNED, ContentCall, content_call
from adapters.models.tool_names import ToolNames
from adapters.models.vendor_errors import VendorErrors
from domain.errors import ModelFailed, ModelUnavailable
from domain.provider import CompletionReply, CompletionRequest, Delta, ModelToolCall, OnDelta, StopReason

_REFUSALS = frozenset(
    {
        FinishReason.SAFETY,
        FinishReason.RECITATION,
        FinishReason.LANGUAGE,
        FinishReason.BLOCKLIST,
        FinishReason.PROHIBITED_CONTENT,
        FinishReason.SPII,
        FinishReason.MODEL_ARMOR,
    }
)
_STOPS = {
    FinishReason.STOP: StopReason.ANSWERED,
    FinishReason.MAX_TOKENS: StopReason.LENGTH,
    **dict.fromkeys(_REFUSALS, StopReason.REFUSED),
}
_RETRY_INFO = "google.rpc.RetryInfo"


class GeminiProvider:
    """Calls Gemini models; the part of `request.model` before the first `/` is dropped.

    The SDK never calls tools by itself and never retries. Thoughts are not asked for; those that come stream, and are not kept, but for
    the signature that Gemini 3 wants back with each call. A call that the vendor itself could not read is no reply: it may be asked anew.
    """

    def __init__(self, *, api_key: str, base_url: str = GEMINI_BASE_URL, http: httpx2.AsyncClient | None = None) -> None:
        self._http = http or httpx2.AsyncClient(timeout=None, follow_redirects=False)
        options = HttpOptions(base_url=base_url, api_version="v1beta", httpx_async_client=self._http)
        self._client = Client(vertexai=False, api_key=api_key, http_options=options)
        self._errors = VendorErrors("Gemini", api_key)

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises; it streams when `on_delta` is given."""
        call = content_call(request)
        draft = _Draft(ToolNames.of(request), turn=len(request.messages))
        async with self._errors.deadline(timeout_s):
            with _translated(self._errors):
                if on_delta is None:
                    models = self._client.aio.models
                    answer = await models.generate_content(**call)  # pyright: ignore[reportUnknownMemberType]  # its unions name PIL
                    with self._errors.reading():
                        draft.add(answer)
                else:
                    await self._stream(call, draft, on_delta)
        if draft.finish is None:
            raise self._errors.cut_off() if on_delta is not None else self._errors.not_the_protocol("no finish reason")
        if draft.finish not in _STOPS:
            raise self._errors.from_kind(draft.finish.value, draft.explanation or "no reason given")
        with self._errors.reading():
            return draft.reply(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _stream(self, call: ContentCall, draft: "_Draft", on_delta: OnDelta) -> None:
        models = self._client.aio.models
        given = await models.generate_content_stream(**call)  # pyright: ignore[reportUnknownMemberType]  # its unions name PIL
        # It is a generator, and only its end closes the connection: a receiver that raises must not leave it open.
        async with contextlib.aclosing(cast("AsyncGenerator[GenerateContentResponse]", given)) as chunks:
            async for chunk in chunks:
                with self._errors.reading():
                    deltas = draft.add(chunk)
                for delta in deltas:
                    await on_delta(delta)


@dataclass
class _Draft:
    """An answer while it arrives. `turn` makes ids of calls that came without one unique within the conversation."""

    names: ToolNames
    turn: int
    text: str = ""
    calls: list[ModelToolCall] = field(default_factory=list[ModelToolCall])
    finish: FinishReason | None = None
    explanation: str = ""
    tokens: tuple[int, int, int, int] = (0, 0, 0, 0)

    def add(self, chunk: GenerateContentResponse) -> list[Delta]:
        """Read a whole answer or one chunk of a stream; return what it adds.

        Raises:
            ValueError: it counted no tokens and is the whole answer.
        """
        self._count(chunk)
        blocked = chunk.prompt_feedback.block_reason if chunk.prompt_feedback else None
        if blocked is not None and chunk.prompt_feedback is not None:
            self.finish, self.explanation = FinishReason.PROHIBITED_CONTENT, chunk.prompt_feedback.block_reason_message or blocked.value
        if not chunk.candidates:
            return []
        candidate = chunk.candidates[0]
        self.finish = candidate.finish_reason or self.finish
        self.explanation = candidate.finish_message or self.explanation
        parts = candidate.content.parts if candidate.content else None
        return [delta for part in parts or [] for delta in self._part(part)]

    def _part(self, part: Part) -> list[Delta]:
        if part.function_call is not None:
            return self._call(part)
        if not part.text:
            return []
        if part.thought:
            return [Delta(kind="reasoning", text=part.text)]
        self.text += part.text
        return [Delta(kind="text", text=part.text)]

    def _call(self, part: Part) -> list[Delta]:
        """Arguments come as an object, never in pieces: the first piece names the tool, the second has them all."""
        given, place = part.function_call, len(self.calls)
        if given is None or not given.name:
            return []
        call = ModelToolCall(
            vendor_id=given.id or f"call_{self.turn}_{place}",
            name=self.names.from_vendor(given.name),
            arguments=given.args or {},
            signature=SIGNED + part.thought_signature.hex() if part.thought_signature else "",
        )
        self.calls.append(call)
        shown = Part.model_construct(function_call=given).model_dump_json(include={"function_call": {"args"}}, exclude_none=True)
        arguments = shown.removeprefix('{"function_call":{"args":').removesuffix("}}") if given.args else "{}"
        return [
            Delta(kind="tool_arguments", text="", index=place, name=call.name),
            Delta(kind="tool_arguments", text=arguments, index=place),
        ]

    def _count(self, chunk: GenerateContentResponse) -> None:
        usage = chunk.usage_metadata
        if usage is not None:
            read = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
            thought = usage.thoughts_token_count or 0
            self.tokens = (read, (usage.candidates_token_count or 0) + thought, usage.cached_content_token_count or 0, thought)

    def reply(self, request: CompletionRequest) -> CompletionReply:
        """Return the reply.

        Raises:
            KeyError: the vendor named a finish reason that is not of its protocol.
        """
        stop = _STOPS[self.finish or FinishReason.OTHER]
        read, written, cached, thought = self.tokens
        return CompletionReply(
            text=self.text or (self.explanation if stop is StopReason.REFUSED else ""),
            tool_calls=self.calls,
            stop=StopReason.TOOL_CALLS if self.calls and stop is StopReason.ANSWERED else stop,
            model=request.model,
            input_tokens=read,
            output_tokens=written,
            cached_input_tokens=cached,
            reasoning_tokens=thought,
        )


@contextlib.contextmanager
def _translated(errors: VendorErrors) -> Generator[None]:
    """Turn the SDK's errors into ours. The chain is cut: the SDK's errors hold the request, and with it the key.

    Raises:
        ModelUnavailable: as `_from_api` says.
        ModelFailed: as `_from_api` says.
    """
    try:
        yield
    except APIError as error:
        failure = _from_api(errors, error)
        raise failure from None
    except httpx2.HTTPError as error:
        raise errors.unreachable(f"{type(error).__name__}: {error}") from None
    except (UnknownApiResponseError, json.JSONDecodeError, ValidationError) as error:
        raise errors.not_the_protocol(type(error).__name__) from None


def _from_api(errors: VendorErrors, error: APIError) -> ModelUnavailable | ModelFailed:
    """Return ours. An error inside a stream has the response's headers too, and one that names a delay names it in its details."""
    response = cast("object", error.response)  # pyright: ignore[reportUnknownMemberType]  # it names classes of libraries without types
    code, details = cast("object", error.code), cast("object", error.details)  # pyright: ignore[reportUnknownMemberType]  # JSON
    headers = {name.lower(): value for name, value in response.headers.items()} if isinstance(response, httpx2.Response) else {}
    delay = _retry_delay(details)
    if delay is not None:
        headers.setdefault("retry-after", delay)
    if not isinstance(code, int):  # the SDK takes whatever stands in the body
        return errors.from_kind(error.status, error.message or "no reason given")
    return errors.from_status(code, error.message or error.status or "no reason given", headers)


def _retry_delay(details: object) -> str | None:
    """Return the seconds of a `RetryInfo` in an error's details (google/rpc/error_details.proto), or None."""
    if isinstance(details, list | tuple):
        return next((found for found in map(_retry_delay, cast("Sequence[object]", details)) if found), None)
    if not isinstance(details, dict):
        return None
    said = cast("dict[str, object]", details)
    if str(said.get("@type", "")).endswith(_RETRY_INFO):
        return str(said.get("retryDelay", "")).removesuffix("s") or None
    return _retry_delay(said.get("error")) or _retry_delay(said.get("details"))
