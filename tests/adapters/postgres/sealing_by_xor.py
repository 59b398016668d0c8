"""A cipher for tests: it binds tenant and place as the real one does, and hides plain text from a careless look."""

import hashlib
from itertools import cycle

from domain.errors import ReferenceMissing


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

    def _tag(self, tenant: str, aad: str, plain: bytes) -> bytes:
        return hashlib.sha256(f"{tenant}\0{aad}\0".encode() + plain).digest()

    def _mixed(self, tag: bytes, body: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(body, cycle(tag), strict=False))
