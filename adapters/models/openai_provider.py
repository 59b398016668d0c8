"""OpenAI's Responses API behind the model port, on the vendor's SDK, at OpenAI and at Azure."""

from typing import cast

import httpx2
from openai import AsyncAzureOpenAI, AsyncOpenAI, BadRequestError
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseStreamEvent,
)

from adapters.models.addresses import OPENAI_BASE_URL, AzureAccess
from adapters.models.openai_errors import translated
from adapters.models.openai_request import ResponsesCall, responses_call
from adapters.models.tool_arguments import tool_call
from adapters.models.tool_names import ToolNames
from adapters.models.vendor_errors import VendorErrors
from domain.provider import CompletionReply, CompletionRequest, Delta, OnDelta, StopReason

_FILTERED = "content_filter"
"""The code of a 400 that is Azure's content filter declining the prompt ("Content filtering" of Azure OpenAI's documentation)."""


class ResponsesProvider:
    """Calls models of the Responses API over a client of the vendor's; the part of `request.model` before the first `/` is dropped.

    Nothing is stored at the vendor (`store=False`): each call carries the whole conversation. Reasoning items are not kept.
    """

    def __init__(self, client: AsyncOpenAI, errors: VendorErrors) -> None:
        self._client = client
        self._errors = errors

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply, as `LlmProvider.complete` promises; it streams when `on_delta` is given.

        Raises:
            BadRequestError: never; it becomes `ModelFailed`.
        """
        call = responses_call(request)
        async with self._errors.deadline(timeout_s):
            with translated(self._errors):
                try:
                    if on_delta is None:
                        response = await self._client.responses.create(**call, timeout=timeout_s)
                    else:
                        response = await self._stream(call, _Pieces(ToolNames.of(request)), on_delta, timeout_s=timeout_s)
                except BadRequestError as error:
                    if error.code != _FILTERED:
                        raise
                    return _filtered(request, error)
        with self._errors.reading():
            self._check(response)
            return _reply(response, request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _stream(self, call: ResponsesCall, pieces: "_Pieces", on_delta: OnDelta, *, timeout_s: float) -> Response:
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


class OpenAIProvider(ResponsesProvider):
    """OpenAI's own API."""

    def __init__(self, *, api_key: str, base_url: str = OPENAI_BASE_URL, http: httpx2.AsyncClient | None = None) -> None:
        client = AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=http)
        super().__init__(client, VendorErrors("OpenAI", api_key))


class AzureProvider(ResponsesProvider):
    """Azure OpenAI's `v1` API; `azure/<deployment>` names a deployment of the resource."""

    def __init__(self, access: AzureAccess, *, http: httpx2.AsyncClient | None = None) -> None:
        client = AsyncAzureOpenAI(
            base_url=access.address,
            api_version=access.api_version,
            api_key=access.api_key,
            max_retries=0,
            http_client=http,
        )
        super().__init__(client, VendorErrors("Azure OpenAI", access.api_key))


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
        cached_input_tokens=details.cached_tokens if (details := response.usage.input_tokens_details) else 0,
        cache_write_tokens=getattr(details, "cache_write_tokens", 0) or 0,
        reasoning_tokens=thoughts.reasoning_tokens if (thoughts := response.usage.output_tokens_details) else 0,
    )


def _filtered(request: CompletionRequest, error: BadRequestError) -> CompletionReply:
    """A prompt that the vendor declined to read: nothing was read, and nothing is charged."""
    body = cast("dict[str, object]", error.body) if isinstance(error.body, dict) else {}  # pyright: ignore[reportUnknownMemberType]  # JSON
    said = body.get("message")
    message = said if isinstance(said, str) else error.message
    return CompletionReply(text=message, stop=StopReason.REFUSED, model=request.model, input_tokens=0, output_tokens=0)


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
