"""Where payloads go: sealed under their run's key, the small ones into their row, the large ones into the object store (DESIGN §6).

A large payload's row keeps a claim check: `SC`, version (1 byte), the object's size (8 bytes, big-endian). The object's path follows from
tenant, run and reference, which its ciphertext is bound to. The object is written first: a crash leaves one without a row, for a sweep.
"""

import struct
from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from adapters.postgres.pool import Database
from adapters.postgres.sealing import SealedPayload, open_payload, seal_payload
from adapters.postgres.subject_ciphers import SubjectCiphers
from domain.errors import BodyTooLarge, ReferenceMissing, Unavailable
from domain.objects import PAYLOAD_BYTES_MAX, ObjectStore, object_path
from domain.stores import PayloadCipher

INLINE_BYTES_MAX = 256 * 1024
"""Larger sealed payloads leave the row: a PostgreSQL page holds 8 KiB, and a vacuum or backup reads every one of them."""

_CLAIM = struct.Struct(">2sBQ")
_MAGIC, _VERSION = b"SC", 1


@dataclass(frozen=True, kw_only=True)
class PayloadLimits:
    """`inline_bytes` is the largest sealed payload in a row, `payload_bytes` the largest of all in canonical JSON."""

    inline_bytes: int = INLINE_BYTES_MAX
    payload_bytes: int = PAYLOAD_BYTES_MAX


class Vault:
    """Seals and opens what belongs to runs. Without an object store every payload stays in its row."""

    def __init__(self, ciphers: SubjectCiphers, *, objects: ObjectStore | None = None, limits: PayloadLimits | None = None) -> None:
        self.ciphers = ciphers
        self._objects = objects
        self._limits = limits or PayloadLimits()

    @classmethod
    def over(cls, db: Database, cipher: "PayloadCipher | Vault") -> "Self | Vault":
        """Return the vault that was given, or one over a cipher alone."""
        return cipher if isinstance(cipher, Vault) else cls(SubjectCiphers(db, cipher))

    async def seal(self, tenant: str, run: str, value: JsonValue, *, ref: str | None = None) -> SealedPayload:
        """Seal a value of a run for the table `payloads`.

        Raises:
            InvalidInput: it has no canonical form.
            BodyTooLarge: it is over the limit.
            Erased: the run's key is destroyed.
            Unavailable: the object store does not take it.
        """
        return await self.seal_with(await self.ciphers.of_run(tenant, run), tenant, run, value, ref=ref)

    async def seal_with(self, cipher: PayloadCipher, tenant: str, run: str, value: JsonValue, *, ref: str | None = None) -> SealedPayload:
        """Seal as `seal` does, under a cipher the caller has.

        Raises:
            BodyTooLarge: it is over the limit.
            InvalidInput, Unavailable: as `seal`.
        """
        payload = seal_payload(cipher, tenant, run, value, ref=ref)
        if payload.size > self._limits.payload_bytes:
            most = f"at most {self._limits.payload_bytes}; keep it elsewhere and pass a link"
            raise BodyTooLarge(f"a payload of {payload.size} bytes cannot be stored: {most}")
        if self._objects is None or len(payload.sealed) <= self._limits.inline_bytes:
            return payload
        await self._objects.put(object_path(tenant, run, payload.ref), payload.sealed)
        return payload._replace(sealed=_CLAIM.pack(_MAGIC, _VERSION, len(payload.sealed)))

    async def open(self, tenant: str, run: str, ref: str, sealed: bytes | None) -> JsonValue:
        """Open what `seal` sealed; `sealed` is what the row says, None when there is no row.

        Raises:
            Erased: it was erased.
            ReferenceMissing: the row or its object is gone, or the bytes or their place changed.
            Unavailable: the object store does not answer.
        """
        if sealed is None:
            self.ciphers.forget(tenant, run)
        cipher = await self.ciphers.of_run(tenant, run)
        if sealed is not None and is_claim(sealed):
            sealed = await self._redeemed(object_path(tenant, run, ref), sealed)
        return open_payload(cipher, tenant, run, ref, sealed)

    async def _redeemed(self, path: str, claim: bytes) -> bytes:
        """Return the object of a claim check.

        Raises:
            ReferenceMissing: it is gone, or has another size.
            Unavailable: there is no object store, or it does not answer.
        """
        if self._objects is None:
            raise Unavailable(f"the payload {path} lies in an object store and none is set: give STANDFAST_OBJECTS_URL")
        content = await self._objects.get(path)
        size = _CLAIM.unpack(claim)[2]
        if len(content) != size:
            raise ReferenceMissing(f"the object {path} has {len(content)} bytes and its claim check says {size}")
        return content


def is_claim(sealed: bytes) -> bool:
    """Tell whether a row's bytes are a claim check."""
    return len(sealed) == _CLAIM.size and bytes(sealed[:3]) == _MAGIC + bytes([_VERSION])
