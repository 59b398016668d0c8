"""Makes a value that fits a JSON Schema: what a simulated call answers when there is no recorded outcome. Pure and always the same."""

from typing import cast

from pydantic import JsonValue

from domain.schemas import validate

Schema = dict[str, JsonValue]

FORMATS: dict[str, str] = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "simulated@example.com",
    "uri": "https://example.com/simulated",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""One value for each common format of JSON Schema 2020-12 §7.3."""

DEPTH_MAX = 16
"""A schema may refer to itself; nothing that is deeper is required by a sane one."""


def sample(schema: Schema) -> JsonValue:
    """Return a value for the schema: its required members, its first choice, its least numbers; `{simulated: true}` for no schema.

    A schema with rules beyond types, bounds, choices and formats may not be met: then the value is as near as it gets.
    """
    if not schema:
        return {"simulated": True}
    return _value(schema, DEPTH_MAX)


def fits(schema: Schema, value: JsonValue) -> bool:
    """Whether a value meets the schema."""
    return not schema or not validate(schema, value)


def _value(schema: Schema, depth: int) -> JsonValue:
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("enum", "examples"):
        listed = schema.get(word)
        if isinstance(listed, list) and listed:
            return listed[0]
    for word in ("anyOf", "oneOf", "allOf"):
        listed = schema.get(word)
        if isinstance(listed, list) and listed and isinstance(listed[0], dict) and depth:
            return _value({**{k: v for k, v in schema.items() if k != word}, **listed[0]}, depth - 1)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    return _typed(str(kind), schema, depth)


def _typed(kind: str, schema: Schema, depth: int) -> JsonValue:
    match kind:
        case "object":
            return _object(schema, depth)
        case "array":
            items, count = schema.get("items"), schema.get("minItems", 0)
            return [_value(items, depth - 1) if isinstance(items, dict) else None] * cast("int", count) if depth else []
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case "string":
            text = FORMATS.get(str(schema.get("format")), "simulated")
            return text.ljust(cast("int", schema.get("minLength", 0)), "-")[: cast("int | None", schema.get("maxLength"))]
        case _:
            return None


def _object(schema: Schema, depth: int) -> JsonValue:
    properties = cast("dict[str, JsonValue]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    inner = {name: properties.get(name) for name in required} if depth else {}
    return {name: _value(part, depth - 1) if isinstance(part, dict) else None for name, part in inner.items()}


def _number(schema: Schema) -> JsonValue:
    least = schema.get("minimum")
    if isinstance(least, int | float):
        return least
    above = schema.get("exclusiveMinimum")
    if isinstance(above, int | float):
        return above + 1
    most = schema.get("maximum", 0)
    return min(0, most) if isinstance(most, int | float) else 0
