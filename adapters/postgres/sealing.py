"""Sealed payloads: 16 bytes of salt and the canonical bytes, encrypted together, so that erasing the key erases both (JOURNAL §4)."""

import hashlib
import json
import secrets
from typing import NamedTuple, cast

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import ReferenceMissing
from domain.stores import PayloadCipher

SALT_BYTES = 16
"""128 bits: without the salt, a short payload could be guessed from its digest in the ledger (JOURNAL §4)."""


class SealedPayload(NamedTuple):
    """A payload ready to be stored.

    Attributes:
        ref: Its random name.
        sealed: Salt and canonical bytes, encrypted.
        salted_digest: SHA-256(salt ‖ canonical bytes) in hex, for the ledger.
        plain_digest: SHA-256(canonical bytes) in hex, for receipts.
        size: Bytes of its canonical form.
    """

    ref: str
    sealed: bytes
    salted_digest: str
    plain_digest: str
    size: int


def _place(run: str, ref: str) -> str:
    return f"payloads/{run}/{ref}"


def seal_payload(cipher: PayloadCipher, tenant: str, run: str, value: JsonValue, *, ref: str | None = None) -> SealedPayload:
    """Seal a value for the table `payloads`, under a name the caller chose or a new one.

    Raises:
        InvalidInput: it has no canonical form.
    """
    plain = canonical_bytes(value)
    salt = secrets.token_bytes(SALT_BYTES)
    ref = ref or secrets.token_hex(16)
    return SealedPayload(
        ref=ref,
        sealed=cipher.seal(tenant, _place(run, ref), salt + plain),
        salted_digest=hashlib.sha256(salt + plain).hexdigest(),
        plain_digest=hashlib.sha256(plain).hexdigest(),
        size=len(plain),
    )


def open_payload(cipher: PayloadCipher, tenant: str, run: str, ref: str, sealed: bytes | None) -> JsonValue:
    """Open what `seal_payload` sealed.

    Raises:
        ReferenceMissing: the row or its key is gone, or its bytes or place changed.
    """
    if sealed is None:
        raise ReferenceMissing(f"the payload {ref} is missing or erased")
    return cast("JsonValue", json.loads(cipher.open(tenant, _place(run, ref), sealed)[SALT_BYTES:]))


def seal_text(cipher: PayloadCipher, tenant: str, place: str, value: JsonValue) -> bytes:
    """Seal a small value that lives in its own row; `place` is `table/id`."""
    return cipher.seal(tenant, place, json.dumps(value).encode())


def open_text(cipher: PayloadCipher, tenant: str, place: str, sealed: bytes) -> JsonValue:
    """Open what `seal_text` sealed.

    Raises:
        ReferenceMissing: the key is gone, or the bytes or their place changed.
    """
    return cast("JsonValue", json.loads(cipher.open(tenant, place, sealed)))
