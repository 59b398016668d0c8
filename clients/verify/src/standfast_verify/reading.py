"""Strict reading of JSON: each value has one accepted form, so that no changed byte reads as the same value."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from standfast_verify.findings import BadInput

NUMBER_MAX = 2**53 - 1
"""Numbers in a bundle are whole and exact in every JSON reader."""

_HEX = re.compile(r"(?:[0-9a-f]{2})*")
Made = TypeVar("Made")


def parsed_file(path: Path) -> object:
    """Read a JSON file.

    Raises:
        BadInput: it cannot be read, or is no JSON.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is no UTF-8 text") from error
    try:
        return parsed(text)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def parsed(text: str) -> object:
    """Read JSON that names no key twice.

    Raises:
        BadInput: it is no such JSON; the message has line and column.
    """
    try:
        return cast("object", _DECODER.decode(text))
    except json.JSONDecodeError as error:
        raise BadInput(f"no JSON: {error.msg} in line {error.lineno}, column {error.colno}, character {error.pos + 1}") from error
    except RecursionError as error:
        raise BadInput("no JSON of this kind: it is nested too deep") from error
    except ValueError as error:
        raise BadInput(f"no JSON of this kind: {error}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"the key {twice!r} stands twice in one object")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


class Fields:
    """One JSON object whose keys are all known; `where` is its place for messages."""

    def __init__(self, value: object, where: str, names: frozenset[str]) -> None:
        """Take an object.

        Raises:
            BadInput: it is none, lacks a key, or has another.
        """
        if not isinstance(value, dict):
            raise BadInput(f"{where or 'the file'}: expected an object with {', '.join(sorted(names))}")
        self._members = cast("dict[str, object]", value)
        self._where = where
        if self._members.keys() != names:
            missing, foreign = sorted(names - self._members.keys()), sorted(self._members.keys() - names)
            said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has the unknown {', '.join(foreign)}"] * bool(foreign)
            raise BadInput(f"{where or 'the file'}: {' and '.join(said)}")

    def _bad(self, name: str, expected: str) -> BadInput:
        shown = repr(self._members[name])
        where = f"{self._where}.{name}" if self._where else name
        return BadInput(f"{where}: expected {expected}, found {shown if len(shown) <= 80 else shown[:77] + '…'}")

    def text(self, name: str) -> str:
        """Return text that has a UTF-8 form.

        Raises:
            BadInput: it is none.
        """
        value = self._members[name]
        if not isinstance(value, str) or not value.isprintable() or not value:
            raise self._bad(name, "printable text")
        return value

    def number(self, name: str, *, least: int = 0) -> int:
        """Return a whole number from `least` to 2⁵³−1.

        Raises:
            BadInput: it is none.
        """
        value = self._members[name]
        if type(value) is not int or not least <= value <= NUMBER_MAX:
            raise self._bad(name, f"a whole number from {least} to 2^53-1")
        return value

    def is_null(self, name: str) -> bool:
        """Whether the value is null."""
        return self._members[name] is None

    def constant(self, name: str, value: str | int) -> None:
        """Accept one value only.

        Raises:
            BadInput: it is another.
        """
        found = self._members[name]
        if type(found) is not type(value) or found != value:
            raise self._bad(name, repr(value))

    def hexadecimal(self, name: str, size: int) -> bytes:
        """Return `size` bytes written in lower-case hex.

        Raises:
            BadInput: it is none.
        """
        return self._hex(self._members[name], name, size)

    def hexadecimals(self, name: str, size: int) -> tuple[bytes, ...]:
        """Return a list of such bytes.

        Raises:
            BadInput: it is none.
        """
        value = self._members[name]
        if not isinstance(value, list):
            raise self._bad(name, "a list")
        return tuple(self._hex(one, name, size) for one in cast("list[object]", value))

    def _hex(self, value: object, name: str, size: int) -> bytes:
        if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
            raise self._bad(name, f"{2 * size} lower-case hex digits")
        return bytes.fromhex(value)

    def base64(self, name: str, size: int | None = None) -> bytes:
        """Return bytes written in base64 with padding, in the one form that encodes them.

        Raises:
            BadInput: it is none, or not `size` bytes.
        """
        value = self._members[name]
        try:
            raw = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else None
        except ValueError:
            raw = None
        if raw is None or base64.b64encode(raw).decode() != value or size not in {None, len(raw)}:
            raise self._bad(name, "base64" if size is None else f"{size} bytes in base64")
        return raw

    def list_of(self, name: str, make: Callable[[object, str], Made]) -> list[Made]:
        """Return what `make` makes of each item, with the item's place.

        Raises:
            BadInput: it is no list, or `make` raises it.
        """
        value = self._members[name]
        if not isinstance(value, list):
            raise self._bad(name, "a list")
        where = f"{self._where}.{name}" if self._where else name
        return [make(item, f"{where}[{place}]") for place, item in enumerate(cast("list[object]", value))]
