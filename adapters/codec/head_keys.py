"""Ed25519 keys (RFC 8032) that sign tree heads and review links, derived from the master key: one per tenant and generation, none stored.

Rotation takes the next generation. It ends what a leaked signing key can do from then on; a leaked master key needs a new installation.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.codec.data_keys import derive_key

_KEYS_CACHED = 256
"""Private keys kept derived; each head asks for one."""


class DerivedHeadKeys:
    """Implements `HeadKeys` and, with the purpose `review-link-signing`, `LinkKeys`: keys of two purposes have nothing in common."""

    def __init__(self, master_key: bytes, *, purpose: str = "tree-head-signing") -> None:
        derive_key(master_key, "check")

        def derived(tenant: str, generation: int) -> Ed25519PrivateKey:
            return Ed25519PrivateKey.from_private_bytes(derive_key(master_key, purpose, tenant, str(generation)))

        self._derived = lru_cache(maxsize=_KEYS_CACHED)(derived)

    def public(self, tenant: str, generation: int) -> bytes:
        """Return the raw public key."""
        return self._derived(tenant, generation).public_key().public_bytes_raw()

    def sign(self, tenant: str, generation: int, message: bytes) -> bytes:
        """Return the signature."""
        return self._derived(tenant, generation).sign(message)

    def holds(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature is the key's over the message."""
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True
