"""Structured output: which schemas a vendor can enforce; for the others the model is told the schema in words."""

import json
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from domain.provider import CompletionRequest

_ENFORCEABLE = frozenset(
    {
        "$ref",
        "$defs",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "title",
        "description",
    }
)
"""Keywords that both vendors' structured output take (OpenAI "Supported schemas", Anthropic "JSON Schema limitations"); a schema with
others is asked for in words, and our own check of the answer decides either way."""


def is_enforceable(schema: JsonValue) -> bool:
    """Return whether a vendor can hold a model to `schema`: known keywords only, each object closed and each property required."""
    if not isinstance(schema, dict) or not schema.keys() <= _ENFORCEABLE or isinstance(schema.get("type"), list):
        return False
    if not schema.keys() & {"$ref", "type", "enum", "const", "anyOf"}:
        return False
    if schema.get("type") == "object" and not _is_closed(schema):
        return False
    return all(is_enforceable(part) for part in _parts(schema))


def instructions_with_schema(request: CompletionRequest, *, enforced: bool) -> str:
    """Return the instructions, with the output schema in words unless the vendor enforces it."""
    if request.output_schema is None or enforced:
        return request.instructions
    schema = json.dumps(request.output_schema, ensure_ascii=False, sort_keys=True)
    asked = f"When you give your final answer, give one JSON value and nothing else. It must fit this JSON Schema:\n{schema}"
    return f"{request.instructions}\n\n{asked}" if request.instructions else asked


def _is_closed(schema: Mapping[str, JsonValue]) -> bool:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list) or schema.get("additionalProperties") is not False:
        return False
    return bool(properties) and set(properties) == set(cast("list[str]", required))


def _parts(schema: Mapping[str, JsonValue]) -> list[JsonValue]:
    parts: list[JsonValue] = [schema["items"]] if "items" in schema else []
    for keyword in ("properties", "$defs"):
        named = schema.get(keyword)
        parts += named.values() if isinstance(named, dict) else []
    variants = schema.get("anyOf")
    return parts + (variants if isinstance(variants, list) else [])
