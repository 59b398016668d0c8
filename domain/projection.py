"""Projections: the few output fields that expressions read travel in history, everything else stays by reference (JOURNAL §7). Pure."""

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import ProjectionTooLarge

PROJECTED_BYTES_MAX = 8 * 1024
"""Most bytes of canonical JSON that one output may put into history."""


def project(value: JsonValue, paths: list[str]) -> dict[str, JsonValue]:
    """Return `{path: part}` for each dotted path that exists in `value`; '' is the whole value.

    Raises:
        ProjectionTooLarge: together they exceed 8 KiB.
    """
    fields: dict[str, JsonValue] = {}
    for path in paths:
        found, part = _dig(value, path.split(".") if path else [])
        if found:
            fields[path] = part
    size = len(canonical_bytes(fields))
    if size > PROJECTED_BYTES_MAX:
        raise ProjectionTooLarge(
            f"expressions read {size} bytes of this output ({', '.join(p or 'all of it' for p in fields)}), and at most"
            f" {PROJECTED_BYTES_MAX} may travel with the run: name the fields you need instead of the whole"
        )
    return fields


def _dig(value: JsonValue, keys: list[str]) -> tuple[bool, JsonValue]:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False, None
        value = value[key]
    return True, value


def part_at(value: JsonValue, path: str) -> JsonValue:
    """Return the part of a value at a dotted path, items of lists by their place; '' is the whole, None where nothing is."""
    for key in path.split(".") if path else []:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def unproject(fields: dict[str, JsonValue]) -> JsonValue:
    """Rebuild the nested value that `project` cut down; the whole value ('') wins, no field at all gives an empty object."""
    if "" in fields:
        return fields[""]
    root: dict[str, JsonValue] = {}
    for path, part in sorted(fields.items()):
        node = root
        *parents, last = path.split(".")
        for key in parents:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                break
            node = child
        else:
            node[last] = part
    return root
