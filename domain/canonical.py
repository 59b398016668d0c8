"""RFC 8785 canonical JSON and the digests over it; the only module that imports rfc8785. Pure.

Money and 64-bit integers go in as strings: RFC 8785 numbers are doubles (JOURNAL §3).
"""

import hashlib
from typing import cast

import rfc8785
from pydantic import JsonValue

from domain.errors import InvalidInput


def canonical_bytes(value: JsonValue) -> bytes:
    """Return the RFC 8785 bytes of `value`.

    Raises:
        InvalidInput: NaN, an infinity, an integer beyond ±(2⁵³−1), or a key that is no string.
    """
    try:
        return rfc8785.dumps(cast("dict[str, str]", value))
    except rfc8785.CanonicalizationError as error:
        raise InvalidInput(f"this value has no canonical JSON form: {error}") from error


def digest_hex(domain: str, value: JsonValue) -> str:
    """Return SHA-256(domain ‖ NUL ‖ canonical bytes) as 64 hex characters; `domain` is e.g. `standfast:request:v1`."""
    return hashlib.sha256(domain.encode() + b"\0" + canonical_bytes(value)).hexdigest()
