"""Typed ids and their one parser; pure: random bytes and keys come in as values.

An id is a prefix, an underscore and 26 lower-case Crockford base32 characters of a 128-bit UUID (DESIGN §15).
"""

import hashlib
import hmac
import re
from typing import NewType

from domain.errors import InvalidId

TenantId = NewType("TenantId", str)
RunId = NewType("RunId", str)
ApprovalId = NewType("ApprovalId", str)
DecisionId = NewType("DecisionId", str)
TaskId = NewType("TaskId", str)
KeyId = NewType("KeyId", str)
PrincipalId = NewType("PrincipalId", str)

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford base32 alphabet, lower case: no i, l, o, u."""

PREFIXES = (
    "run",
    "apr",
    "dec",
    "tsk",
    "key",
    "whk",
    "prn",
    "sub",
    "era",
    "hld",
    "sbs",
    "dlq",
    "rdv",
    "evt",
    "dlv",
    "hok",
    "chn",
    "lnk",
    "tgr",
)

_ID = re.compile(rf"^({'|'.join(PREFIXES)})_([{CROCKFORD}]{{26}})\Z")
_TENANT = re.compile(r"^[a-z][a-z0-9-]{0,38}[a-z0-9]\Z")


def format_id(prefix: str, raw: bytes) -> str:
    """Render 16 raw bytes as `prefix_` plus 26 base32 characters.

    Raises:
        InvalidId: the prefix is unknown or `raw` is not 16 bytes long.
    """
    if prefix not in PREFIXES or len(raw) != 16:
        raise InvalidId(f"an id needs one of the prefixes {', '.join(PREFIXES)} and 16 bytes, not {prefix!r} and {len(raw)} bytes")
    number = int.from_bytes(raw, "big")
    return f"{prefix}_" + "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def parse_id(text: str, prefix: str) -> str:
    """Return `text` when it is a well-formed id with that prefix.

    Raises:
        InvalidId: it is not; the message shows the expected shape.
    """
    match = _ID.match(text)
    if match is None or match.group(1) != prefix:
        raise InvalidId(f"{text[:60]!r} is not an id: expected {prefix}_ and 26 characters of {CROCKFORD}")
    return text


def parse_tenant(text: str) -> TenantId:
    """Return the tenant slug: 2–40 characters of a-z, 0-9 and hyphen, starting with a letter.

    Raises:
        InvalidId: it is no slug.
    """
    if _TENANT.match(text) is None:
        raise InvalidId(f"{text[:60]!r} is not a tenant: 2 to 40 characters of a-z, 0-9 and '-', starting with a letter")
    return TenantId(text)


def derive_run_id(tenant_id_key: bytes, idempotency_key: str) -> RunId:
    """Derive the RunID of a start request from its Idempotency-Key.

    The first 16 bytes of HMAC-SHA-256(tenant id key, Idempotency-Key), marked as UUIDv8 (RFC 9562 §5.8).
    """
    raw = bytearray(hmac.new(tenant_id_key, idempotency_key.encode(), hashlib.sha256).digest()[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return RunId(format_id("run", bytes(raw)))
