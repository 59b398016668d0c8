"""RFC 8785 canonical JSON and the digests over it; the only module that imports rfc8785. Pure.

Money and 64-bit integers go in as strings: RFC 8785 numbers are doubles (JOURNAL §3).
"""

import hashlib
import json
import re
from json.encoder import encode_basestring
from typing import cast

import rfc8785
from pydantic import JsonValue

from domain.errors import InvalidInput

_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_OWN_NUMBER = r"-?(?:\d+[.eE]|\d{16,}|[IN])"
_own_first, _own_member, _own_element = (re.compile(before + _OWN_NUMBER).search for before in (r"\A", '":', r"[\[,]"))
"""Where compact JSON may hold a number that RFC 8785 writes in a form of its own, or refuses: fractions, exponents, 16 digits and more,
infinities. It also finds some harmless strings, which then take the long way. Three searches with one beginning each are twice as fast
as one with three."""


QUICK_INTEGER = 10**15
"""Integers nearer to zero than this have one form in JSON and in RFC 8785."""


def canonical_bytes(value: JsonValue, *, keys_checked: bool = False) -> bytes:
    """Return the RFC 8785 bytes of `value`; `keys_checked` says that a pydantic model has seen every key to be a string.

    Raises:
        InvalidInput: NaN, an infinity, an integer beyond ±(2⁵³−1), or a key that is no string.
    """
    quick = _quick_bytes(value) if keys_checked or _keys_are_text(value) else None
    if quick is not None:
        return quick
    try:
        return rfc8785.dumps(cast("dict[str, str]", value))
    except rfc8785.CanonicalizationError as error:
        raise InvalidInput(f"this value has no canonical JSON form: {error}") from error


def _quick_bytes(value: JsonValue) -> bytes | None:
    """Return the canonical bytes by the standard library's C encoder, or None where only rfc8785 is sure to be right.

    Ten times as fast. Both forms agree on ASCII without fractions and large numbers: there, keys sort by code point as by UTF-16 unit, and
    the escapes of RFC 8785 §3.2.2.2 are those of `json`. A property test compares them.
    """
    text = quick_text(value)
    return None if text is None else text.encode("ascii")


def quick_text(value: JsonValue) -> str | None:
    """Return the canonical text where the quick way is right, else None; every key must be known to be a string."""
    try:
        text = _COMPACT.encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return text if text.isascii() and not (_own_member(text) or _own_element(text) or _own_first(text)) else None


def quick_string(value: str | None) -> str:
    """Return a string as the quick way writes it, or null; canonical where the result is ASCII."""
    return "null" if value is None else encode_basestring(value)


def quick_integer(value: int | None) -> str:
    """Return an integer as the quick way writes it, or null; canonical below QUICK_INTEGER."""
    return "null" if value is None else f"{value:d}"


def _keys_are_text(value: object) -> bool:
    """Whether every key is a string: `json` would write other keys as strings, where RFC 8785 has no form."""
    if isinstance(value, dict):
        members = cast("dict[object, object]", value)
        return all(isinstance(key, str) for key in members) and all(_keys_are_text(part) for part in members.values())
    if isinstance(value, list | tuple):
        return all(_keys_are_text(part) for part in cast("list[object]", value))
    return True


def digest_hex(domain: str, value: JsonValue, *, keys_checked: bool = False) -> str:
    """Return SHA-256(domain ‖ NUL ‖ canonical bytes) as 64 hex characters; `domain` is e.g. `standfast:request:v1`."""
    return hashlib.sha256(domain.encode() + b"\0" + canonical_bytes(value, keys_checked=keys_checked)).hexdigest()


def plain_digest(value: JsonValue) -> str:
    """Return SHA-256(canonical bytes) as 64 hex characters: the digest that receipts name payloads by.

    Raises:
        InvalidInput: it has no canonical form.
    """
    return hashlib.sha256(canonical_bytes(value)).hexdigest()
