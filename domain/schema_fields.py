"""What a JSON Schema says about a field that an expression reads: whether it exists, and its type. Pure.

Only what is certain is said: a field is missing when every object schema on the way lists its properties and none lists it, and a
type is known when the schema names exactly one. `number` stays unknown, because 5 and 5.0 are one JSON number and two CEL types.
"""

from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

Schema = dict[str, JsonValue]
_BRANCHES = ("allOf", "anyOf", "oneOf")
_TYPES = {"string": "string", "integer": "int", "boolean": "bool", "object": "map", "null": "null", "array": "list:dyn"}


@dataclass(frozen=True)
class MissingField(Exception):
    """`name` is not a field here; `known` are."""

    name: str
    known: tuple[str, ...]


def field_schema(schema: Schema, path: tuple[str, ...]) -> Schema:
    """Return the schema of a field, `{}` when nothing is known of it.

    Raises:
        MissingField: the schema does not declare it.
    """
    node = schema
    for name in path:
        node = _child(_resolved(node, schema), name, schema)
    return _resolved(node, schema)


def type_of(schema: Schema, root: Schema | None = None) -> str:
    """Return `bool int string null map`, `list:` and one of these, or `dyn`."""
    node = _resolved(schema, root or schema)
    kind = node.get("type")
    if kind is None and isinstance(node.get("properties"), dict):
        kind = "object"
    choices = node["enum"] if isinstance(node.get("enum"), list) else [node["const"]] if "const" in node else []
    if kind is None and isinstance(choices, list) and choices and all(isinstance(choice, str) for choice in choices):
        kind = "string"
    if kind == "array" and isinstance(node.get("items"), dict):
        inner = type_of(cast("Schema", node["items"]), root or schema)
        return f"list:{inner}" if not inner.startswith("list:") else "list:dyn"
    return _TYPES.get(kind, "dyn") if isinstance(kind, str) else "dyn"


def _child(node: Schema, name: str, root: Schema) -> Schema:
    properties = node.get("properties")
    declared = cast("dict[str, JsonValue]", properties) if isinstance(properties, dict) else {}
    if name in declared:
        child = declared[name]
        return child if isinstance(child, dict) else {}
    branches = [_resolved(branch, root) for branch in _branches(node)]
    for branch in branches:
        inner = branch.get("properties")
        if isinstance(inner, dict) and name in inner:
            # Another branch may give the field another type.
            return {}
    shapes = [branch for branch in branches if isinstance(branch.get("properties"), dict)]
    if _is_open(node, declared or bool(shapes)) or any(_is_open(branch, True) for branch in shapes):
        return {}
    known = {*declared, *(key for branch in branches for key in cast("Schema", branch.get("properties") or {}))}
    raise MissingField(name, tuple(sorted(known)))


def _is_open(node: Schema, lists_fields: object) -> bool:
    if isinstance(node.get("type"), str) and node["type"] != "object":
        return node["type"] == "array"
    extra = node.get("additionalProperties")
    return (not lists_fields and extra is not False) or extra is True or isinstance(extra, dict) or "patternProperties" in node


def _branches(node: Schema) -> list[Schema]:
    found: list[Schema] = []
    for keyword in _BRANCHES:
        value = node.get(keyword)
        found.extend(branch for branch in value if isinstance(branch, dict)) if isinstance(value, list) else None
    found.extend(cast("Schema", node[key]) for key in ("then", "else") if isinstance(node.get(key), dict))
    return found


def _resolved(node: Schema, root: Schema) -> Schema:
    """Follow local references (`#/$defs/x`), at most eight in a row."""
    for _ in range(8):
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        target: JsonValue = root
        for part in reference.removeprefix("#").split("/")[1:]:
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            return {}
        node = target
    return {}
