"""Where a tenant's data keys come from; the cipher asks this port, so that a key service can take the place of derivation.

Keys are 32 bytes. A key id is 1–63 ASCII characters, travels in clear beside every ciphertext, and names one key for ever.
"""

import struct
from functools import lru_cache
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import InvalidInput, ReferenceMissing

KEY_BYTES = 32
"""AES-256 (FIPS 197) and the master secret alike."""

FIRST_KEY_ID = "k1"
"""The key id in use until keys are rotated."""


_TENANTS_CACHED = 1024
"""Data keys kept derived; each sealed payload asks for one."""


class DataKeys(Protocol):
    """Gives data keys by tenant and key id."""

    def current(self, tenant: str) -> str:
        """Return the id of the key that seals from now on."""
        ...

    def key(self, tenant: str, key_id: str) -> bytes:
        """Return the 32 bytes of a key.

        Raises:
            ReferenceMissing: the key is unknown or was destroyed.
        """
        ...


def joined(*parts: str) -> bytes:
    """Join texts so that no two different lists give the same bytes: each part is preceded by its length, 4 bytes, big-endian."""
    return b"".join(struct.pack(">I", len(raw)) + raw for raw in (part.encode() for part in parts))


def derive_key(secret: bytes, *purpose: str) -> bytes:
    """Derive 32 bytes from a secret by HKDF-SHA256 (RFC 5869), one value per purpose.

    Raises:
        InvalidInput: the secret is not 32 bytes long.
    """
    if len(secret) != KEY_BYTES:
        raise InvalidInput(f"a master key has {KEY_BYTES} bytes, this one has {len(secret)}")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"standfast:v1" + joined(*purpose)).derive(secret)


class DerivedDataKeys:
    """Data keys derived from one master secret, one per tenant and key id.

    Key ids outside `key_ids` count as destroyed. The last of them is the current one.
    """

    def __init__(self, master_key: bytes, *, key_ids: tuple[str, ...] = (FIRST_KEY_ID,)) -> None:
        derive_key(master_key, "check")
        if not key_ids or not all(0 < len(key_id) < 64 and key_id.isascii() for key_id in key_ids):
            raise InvalidInput(f"key ids are 1 to 63 ASCII characters and there is at least one, not {key_ids!r}")
        self._key_ids = key_ids

        def derived(tenant: str, key_id: str) -> bytes:
            return derive_key(master_key, "data-key", tenant, key_id)

        self._derived = lru_cache(maxsize=_TENANTS_CACHED)(derived)

    def current(self, tenant: str) -> str:
        """Return the newest key id; the same for every tenant."""
        del tenant
        return self._key_ids[-1]

    def key(self, tenant: str, key_id: str) -> bytes:
        """Derive the tenant's key.

        Raises:
            ReferenceMissing: the key id is not among those given.
        """
        if key_id not in self._key_ids:
            raise ReferenceMissing(f"there is no data key {key_id!r} for tenant {tenant!r}: it was destroyed or never existed")
        return self._derived(tenant, key_id)
