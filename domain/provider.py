"""The model port: one request, one reply, whatever the vendor (DESIGN §9). Pure."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, Self

from pydantic import Field, JsonValue, model_validator

from domain.model import Value, Wire


class ToolSchema(Wire):
    """A tool as a model sees it; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class ModelToolCall(Wire):
    """One tool call a model asks for. `vendor_id` is the model's own id and never an id of ours.

    `arguments` is None when the model's argument text was no JSON object; `raw_arguments` then holds it, cut at 2,000 characters.
    `signature` is an opaque word of the vendor that it wants back with the call, led by the vendor's name; no other vendor is sent it.
    """

    vendor_id: str
    name: str
    arguments: dict[str, JsonValue] | None
    raw_arguments: str = ""
    signature: str = Field(default="", exclude_if=lambda given: not given)


class Attachment(Wire):
    """An image or a file that a message shows, by reference: `ref` names a payload, `path` a place in it.

    `media_type` is what its bytes are. `content` is there only within the activity that calls the model: it is left out wherever a
    message is stored, sent or shown.
    """

    ref: str
    path: str = ""
    media_type: str
    name: str = ""
    content: bytes | None = Field(default=None, exclude=True, repr=False)


class Message(Wire):
    """One message of a conversation.

    `user` has text and may show attachments; `assistant` has text and tool calls; `tool` answers the call `vendor_id` of the assistant
    message before it.
    """

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    tool_calls: list[ModelToolCall] = []
    vendor_id: str | None = None
    is_error: bool = False
    attachments: list[Attachment] = Field(default=[], exclude_if=lambda shown: not shown)

    @classmethod
    def stored_in(cls, outcome: JsonValue) -> Self | None:
        """Return the `reply` of a model call's stored outcome; None of an outcome that has none."""
        reply = outcome.get("reply") if isinstance(outcome, dict) else None
        return cls.model_validate(reply) if isinstance(reply, dict) else None


class StopReason(StrEnum):
    """Why the model stopped; refusal and length are outcomes of their own."""

    ANSWERED = "answered"
    TOOL_CALLS = "tool_calls"
    REFUSED = "refused"
    LENGTH = "length"


class CompletionRequest(Wire):
    """One model call. `model` is `provider/name`; `output_schema` asks for structured output where the vendor can.

    `temperature` and `parallel_tools` (False: one call a turn) are the model's own choice where they are None.
    """

    model: str
    instructions: str
    messages: list[Message]
    tools: list[ToolSchema] = []
    output_schema: dict[str, JsonValue] | None = None
    max_output_tokens: int = 4096
    temperature: float | None = None
    parallel_tools: bool | None = None


FallbackReason = Literal["overload", "price", "refusal"]
"""When another model of the chain is asked: it is busy or away, too dear for the step, or it declined to answer."""
PassReason = Literal[FallbackReason, "unable"]
"""Why a model did not give the answer: one of those, or it cannot take the request (it reads no images, it has too little room)."""


class FallbackTaken(Wire):
    """A model of a chain that did not give the answer, why, and what asking it used; one that was busy or unable used nothing."""

    model: str
    reason: PassReason
    detail: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0


class CompletionReply(Wire):
    """The reply. `scripted` marks output of the scripted model: every surface that shows it says so.

    `input_tokens` counts everything that was read: `cached_input_tokens` of them came out of the vendor's prompt cache, and
    `cache_write_tokens` were written into it. `output_tokens` counts everything written: `reasoning_tokens` of them are thoughts.
    `model` is what was asked for; `answered_by` is the model of the chain that answered, after `fallbacks`.
    """

    text: str
    tool_calls: list[ModelToolCall] = []
    stop: StopReason
    model: str
    input_tokens: int
    output_tokens: int
    scripted: bool = False
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    answered_by: str = ""
    fallbacks: list[FallbackTaken] = []

    @model_validator(mode="after")
    def _answered_by_itself(self) -> Self:
        self.answered_by = self.answered_by or self.model
        return self


class Delta(Wire):
    """A piece of an answer as it streams; `text` is never empty but in the first piece of a tool call without arguments yet.

    For `tool_arguments`, `index` is the place of the call in the turn, from 0, and `name` the tool, with the call's first piece.
    """

    kind: Literal["text", "reasoning", "tool_arguments"]
    text: str
    index: int = 0
    name: str | None = None


OnDelta = Callable[[Delta], Awaitable[None]]
"""Receives an answer's pieces as they stream; raising aborts the call. The texts joined are the reply's text, unless it is refused."""


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

    def cost_usd_micros(
        self,
        *,
        model: str,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        cache_write_tokens: int = 0,
        at: datetime | None = None,
    ) -> int | None:
        """Return the cost in integer micro-USD, rounded up, or None for a model without a price; scripted models cost 0.

        Tokens out of a prompt cache and into it are parts of `input_tokens`. `at` is the instant whose prices count; None is now.
        """
        ...

    def price(self, model: str, *, at: datetime | None = None) -> ModelPricing | None:
        """Return what a million tokens cost, or None for a model without a price."""
        ...

    def configured(self) -> list[ModelPricing]:
        """Return the operator's own prices, by model and then by the day they begin."""
        ...
