"""Arguments of tool calls, from the model's text and back; a text that is no JSON object is kept as text."""

import json
from typing import NoReturn, cast

from pydantic import JsonValue

from domain.provider import ModelToolCall

RAW_ARGUMENTS_CHARS_MAX = 2_000
"""How much of a malformed text is kept (domain.provider.ModelToolCall)."""


def tool_call(*, vendor_id: str, name: str, raw: str) -> ModelToolCall:
    """Return the call; `arguments` is None when `raw` is no JSON object. An empty text means no arguments."""
    arguments = parse_arguments(raw)
    return ModelToolCall(
        vendor_id=vendor_id,
        name=name,
        arguments=arguments,
        raw_arguments="" if arguments is not None else raw[:RAW_ARGUMENTS_CHARS_MAX],
    )


def parse_arguments(raw: str) -> dict[str, JsonValue] | None:
    """Return the JSON object in `raw`, or None: not JSON, no object, NaN or Infinity, half a surrogate pair, nested too deep."""
    if not raw.strip():
        return {}
    try:
        value: object = json.loads(raw, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, JsonValue]", value) if isinstance(value, dict) else None


def echoed_arguments(call: ModelToolCall) -> dict[str, JsonValue]:
    """Return what the model is shown as its own earlier arguments: vendors refuse a conversation with malformed ones."""
    return call.arguments if call.arguments is not None else {"malformed_arguments": call.raw_arguments}


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)
