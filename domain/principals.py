"""Principals, platform roles, and API keys. Pure: secrets come in as values."""

import binascii
import hashlib
import hmac
import re
from enum import StrEnum

from domain.errors import Unauthenticated
from domain.model import Value


class Role(StrEnum):
    """Platform roles (DESIGN §10)."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    DEVELOPER = "developer"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Principal(Value):
    """An authenticated caller: a pseudonymous id, one platform role, and a set of reviewer roles."""

    id: str
    tenant: str
    role: Role
    reviewer_roles: tuple[str, ...] = ()
    name: str = ""


class ApiKeyParts(Value):
    """A parsed API key: `sf_<env>_<id>_<secret><crc>`; `secret` is 52 base32 characters (256 bits)."""

    environment: str
    key_id: str
    secret: str


_KEY = re.compile(r"^sf_([a-z]{3,4})_([0-9a-z]{26})_([0-9a-z]{52})([0-9a-f]{8})\Z")


def checksum(text: str) -> str:
    """Return the CRC-32 of `text` as 8 hex characters: a mistyped key costs no query."""
    return f"{binascii.crc32(text.encode()):08x}"


def format_api_key(parts: ApiKeyParts) -> str:
    """Return the key's text, checksum included."""
    stem = f"sf_{parts.environment}_{parts.key_id}_{parts.secret}"
    return stem + checksum(stem)


def key_hmac(pepper: bytes, secret: str) -> bytes:
    """Return what is stored of an API key's secret: HMAC-SHA-256 under the pepper, 32 bytes."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).digest()


def parse_api_key(text: str) -> ApiKeyParts:
    """Return the parts of a key.

    Raises:
        Unauthenticated: it is malformed or its checksum is wrong.
    """
    match = _KEY.match(text)
    if match is None or checksum(text[:-8]) != match.group(4):
        raise Unauthenticated("that is no Standfast API key: expected sf_<environment>_<id>_<secret> as it was shown when it was made")
    return ApiKeyParts(environment=match.group(1), key_id=match.group(2), secret=match.group(3))
