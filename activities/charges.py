"""What an attempt may use at most, before it begins: reserved with its intent (JOURNAL §3).

New text counts a token a byte (`domain/estimates.py`). What stands in a conversation already was counted by the provider itself, so the
bound stays close however long a conversation grows.
"""

from datetime import datetime

from pydantic import JsonValue

from activities.requests import PromptRequest, ToolRequest
from activities.transcripts import TRANSCRIPT_BYTES_MAX
from domain.budget import Charge
from domain.envelope import Envelope
from domain.estimates import MESSAGE_TOKENS, opening_tokens_max, text_bytes
from domain.fallbacks import CostOf, worst_usd_micros
from domain.provider import PriceBook

OTHER_TOKENIZER = 2
"""How many tokens of one vendor a token of another is at most; guides to moving between models name up to 1.35."""


def tool_charge(envelope: Envelope, request: ToolRequest) -> Charge:
    """Return the worst case of a tool call: its declared cost, and all its time."""
    cost = 0 if request.simulate else request.cost_usd_micros
    return Charge(usd_micros=cost, ms=_ms(envelope), forced=envelope.forced, caps=tuple(envelope.caps))


def prompt_charge(envelope: Envelope, request: PromptRequest, prices: PriceBook) -> Charge:
    """Return the worst case of a model call: everything it may read and the longest answer, at the prices of the run's start.

    Of a chain it is the dearest way through it. A model without a price costs None under a budget in tokens; else it costs nothing here,
    and the call itself is refused.
    """
    cost = worst_usd_micros(request.chain, worst_call(request, prices, priced_at(envelope)))
    if cost is None and not bounded_in_tokens(envelope):
        cost = 0
    tokens = request.chain.asked_max * (input_tokens_max(request) + request.max_output_tokens)
    return Charge(usd_micros=cost, tokens=tokens, ms=_ms(envelope), forced=envelope.forced, caps=tuple(envelope.caps))


def worst_call(request: PromptRequest, prices: PriceBook, at: datetime | None) -> CostOf:
    """Return what one call of a model costs at worst: everything it may read is new, and is written into the vendor's cache."""
    known = input_tokens_max(request)

    def cost_of(model: str) -> int | None:
        return prices.cost_usd_micros(
            model=model, input_tokens=known, output_tokens=request.max_output_tokens, cache_write_tokens=known, at=at
        )

    return cost_of


def priced_at(envelope: Envelope) -> datetime | None:
    """Return the instant whose prices count; None is now."""
    return datetime.fromisoformat(envelope.priced_at) if envelope.priced_at else None


def bounded_in_tokens(envelope: Envelope) -> bool:
    """Whether a budget of the definition bounds what the call may use although nobody knows its price."""
    return any(cap.tokens is not None for cap in envelope.caps)


def input_tokens_max(request: PromptRequest) -> int:
    """Return the most tokens the model may read: what the provider counted before, and a token for each byte that is new."""
    new = sum(_item_bytes(item) + MESSAGE_TOKENS for item in request.append)
    if request.known_tokens:
        # Another model of the chain may count the same text as more tokens than the one that counted it.
        return request.known_tokens * (OTHER_TOKENIZER if request.fallbacks else 1) + new
    tools: list[JsonValue] = [tool.model_dump(mode="json") for tool in request.tools]
    return opening_tokens_max(request.instructions, tools, request.output_schema) + new


def _item_bytes(item: dict[str, JsonValue]) -> int:
    """The bytes of one appended message; a reply is counted by the provider already."""
    match item.get("kind"):
        case "user":
            return text_bytes(item.get("value"))
        case "tool" if item.get("error") is not None:
            return text_bytes(item["error"])
        case "tool":
            size = item.get("bytes")
            return size if isinstance(size, int) else 0
        case "transcript":
            return TRANSCRIPT_BYTES_MAX
        case _:
            return 0


def _ms(envelope: Envelope) -> int:
    return max(int(1000 * envelope.deadline_s), 0)
