"""The model port: one request, one reply, whatever the vendor (DESIGN §9). Pure."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import JsonValue

from domain.model import Value, Wire


class ToolSchema(Wire):
    """A tool as a model sees it; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class ModelToolCall(Wire):
    """One tool call a model asks for. `vendor_id` is the model's own id and never an id of ours.

    `arguments` is None when the model's argument text was no JSON object; `raw_arguments` then holds it, cut at 2,000 characters.
    """

    vendor_id: str
    name: str
    arguments: dict[str, JsonValue] | None
    raw_arguments: str = ""


class Message(Wire):
    """One message of a conversation.

    `user` has text; `assistant` text and tool calls; `tool` answers the call `vendor_id` of the assistant message before it.
    """

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    tool_calls: list[ModelToolCall] = []
    vendor_id: str | None = None
    is_error: bool = False


class StopReason(StrEnum):
    """Why the model stopped; refusal and length are outcomes of their own."""

    ANSWERED = "answered"
    TOOL_CALLS = "tool_calls"
    REFUSED = "refused"
    LENGTH = "length"


class CompletionRequest(Wire):
    """One model call. `model` is `provider/name`; `output_schema` asks for structured output where the vendor can."""

    model: str
    instructions: str
    messages: list[Message]
    tools: list[ToolSchema] = []
    output_schema: dict[str, JsonValue] | None = None
    max_output_tokens: int = 4096


class CompletionReply(Wire):
    """The reply. `scripted` marks output of the scripted model: every surface that shows it says so."""

    text: str
    tool_calls: list[ModelToolCall] = []
    stop: StopReason
    model: str
    input_tokens: int
    output_tokens: int
    scripted: bool = False


OnDelta = Callable[[str], Awaitable[None]]
"""Receives text as it streams; raising aborts the call."""


class LlmProvider(Protocol):
    """A vendor behind the model port."""

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the model's reply; cancelling the coroutine aborts the HTTP call.

        Raises:
            ModelUnavailable: 408, 409, 429, 5xx or no connection; `retry_after_s` when the vendor says.
            ModelFailed: any other 4xx, or an answer that is not of the vendor's protocol.
        """
        ...


class ModelPricing(Value):
    """The price of a model from an instant on, in micro-USD per million tokens.

    `source` is `configured`, `genai-prices` or `scripted`; prices of that package may rise with the size of the
    input: these are the lowest.
    """

    model: str
    input_usd_micros_per_million: int
    output_usd_micros_per_million: int
    source: Literal["configured", "genai-prices", "scripted"]
    effective_from: str | None = None


class PriceBook(Protocol):
    """Prices of models."""

    def cost_usd_micros(self, *, model: str, input_tokens: int, output_tokens: int, at: datetime | None = None) -> int | None:
        """Return the cost in integer micro-USD, rounded up, or None for a model without a price; scripted models cost 0.

        `at` is the instant whose prices count; None is now.
        """
        ...

    def price(self, model: str, *, at: datetime | None = None) -> ModelPricing | None:
        """Return what a million tokens cost, or None for a model without a price."""
        ...

    def configured(self) -> list[ModelPricing]:
        """Return the operator's own prices, by model and then by the day they begin."""
        ...
