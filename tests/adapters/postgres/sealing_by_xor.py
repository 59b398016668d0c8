"""A cipher for tests: it binds tenant and place as the real one does, and hides plain text from a careless look."""

import hashlib
import secrets

from domain.errors import ReferenceMissing
from domain.stores import PayloadCipher


class XorCipher:
    """Implements `PayloadCipher`; a forgotten tenant's payloads are missing."""

    def __init__(self) -> None:
        self.erased: set[str] = set()

    def seal(self, tenant: str, aad: str, plain: bytes) -> bytes:
        """Return a tag over tenant and place, and the bytes under a key stream of one block."""
        tag = self._tag(tenant, aad, plain)
        return tag + self._mixed(tag, plain)

    def open(self, tenant: str, aad: str, sealed: bytes) -> bytes:
        """Raises: ReferenceMissing."""
        tag, body = bytes(sealed[:32]), bytes(sealed[32:])
        plain = self._mixed(tag, body)
        if tenant in self.erased or tag != self._tag(tenant, aad, plain):
            raise ReferenceMissing(f"the payload at {aad} cannot be opened")
        return plain

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """Return a random key, wrapped."""
        return self.seal(tenant, f"subject_keys/{key_id}", secrets.token_bytes(32))

    def under(self, tenant: str, key_id: str, wrapped: bytes) -> PayloadCipher:
        """Return a cipher for the subject; what it seals needs its key."""
        return _SubjectXor(self, self.open(tenant, f"subject_keys/{key_id}", wrapped).hex())

    def _tag(self, tenant: str, aad: str, plain: bytes) -> bytes:
        return hashlib.sha256(f"{tenant}\0{aad}\0".encode() + plain).digest()

    def _mixed(self, tag: bytes, body: bytes) -> bytes:
        stream = (tag * (len(body) // len(tag) + 1))[: len(body)]
        return (int.from_bytes(body) ^ int.from_bytes(stream)).to_bytes(len(body))


class _SubjectXor:
    """The same, with a data subject's key in the place."""

    def __init__(self, tenants: XorCipher, key: str) -> None:
        self._tenants = tenants
        self._key = key

    def seal(self, tenant: str, aad: str, plain: bytes) -> bytes:
        """Seal under the key."""
        return self._tenants.seal(tenant, self._key + aad, plain)

    def open(self, tenant: str, aad: str, sealed: bytes) -> bytes:
        """Open what this key or the tenant's sealed."""
        try:
            return self._tenants.open(tenant, self._key + aad, sealed)
        except ReferenceMissing:
            return self._tenants.open(tenant, aad, sealed)

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """Return a key for another subject."""
        return self._tenants.new_key(tenant, key_id)

    def under(self, tenant: str, key_id: str, wrapped: bytes) -> PayloadCipher:
        """Return another subject's cipher."""
        return self._tenants.under(tenant, key_id, wrapped)
