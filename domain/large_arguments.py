"""Arguments of an agent's call that are too large for a run's history: how a reviewer sees them, and what binds them. Pure.

They lie with the model's reply. An approval binds their SHA-256; what it shows of them is cut, and says so.
"""

from typing import Final

from pydantic import JsonValue

from domain.canonical import canonical_bytes, digest_hex
from domain.model import Wire

SHOWN_BYTES_MAX: Final = 1024
"""Most bytes of canonical JSON that cut arguments put into history."""
CUTS: Final = (300, 120, 40, 0)
"""Longest texts, in characters, of one try after the other to make arguments fit; with 0 only each argument's size is left."""
ITEMS_SHOWN: Final = 5
NAME_CHARS_MAX: Final = 60


class LargeArguments(Wire):
    """Where arguments lie and what they are: the call at `index` of the reply stored under `ref`, `bytes` of canonical JSON."""

    ref: str = ""
    index: int = 0
    sha256: str
    bytes: int


def arguments_sha256(arguments: dict[str, JsonValue]) -> str:
    """Return what binds arguments that lie elsewhere."""
    return digest_hex("standfast:arguments:v1", arguments)


def cut_arguments(arguments: dict[str, JsonValue], room: int = SHOWN_BYTES_MAX) -> dict[str, JsonValue]:
    """Return arguments as a reviewer sees them first, within `room` bytes: short values whole, long ones cut with a note."""
    for most in CUTS:
        shown = {name[:NAME_CHARS_MAX]: _cut(value, most) if most else _size(value) for name, value in arguments.items()}
        if len(canonical_bytes(shown)) <= room:
            return shown
    return {"…": f"[{len(arguments)} arguments, {len(canonical_bytes(arguments))} bytes: too many to be shown here]"}


def _cut(value: JsonValue, most: int) -> JsonValue:
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}… [cut: {len(value) - most} more characters]"
    if isinstance(value, list):
        left = len(value) - ITEMS_SHOWN
        return [*(_cut(item, most) for item in value[:ITEMS_SHOWN]), *([f"… [cut: {left} more]"] if left > 0 else [])]
    if isinstance(value, dict):
        return {name[:NAME_CHARS_MAX]: _cut(item, most) for name, item in value.items()}
    return value


def _size(value: JsonValue) -> JsonValue:
    """A short value as it is, else how large it is."""
    size = len(canonical_bytes(value))
    return value if size <= CUTS[-2] else f"… [cut: {size} bytes]"
