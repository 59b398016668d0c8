"""Signed tree heads of a tenant's Merkle log: the bytes that are signed, and the keys that sign them. Pure.

signed = "standfast:tree-head:v1" ‖ 0x00 ‖ JCS{key_id, root_hash, tenant, timestamp_us, tree_size}, with the root as 64 hex characters,
the time as a string of microseconds since 1970 and the size as a number. Signatures are Ed25519 (RFC 8032).
"""

import hashlib
from base64 import b64encode
from typing import Protocol

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.model import Value

HEAD_DOMAIN = b"standfast:tree-head:v1\0"
ALGORITHM = "Ed25519"


class TreeHead(Value):
    """What a signature says: at `timestamp_us`, the first `tree_size` leaves of the tenant's log had this root."""

    tenant: str
    tree_size: int
    root_hash: bytes
    timestamp_us: int
    key_id: str

    def signed_bytes(self) -> bytes:
        """Return the bytes under the signature."""
        said = canonical_bytes(
            {
                "key_id": self.key_id,
                "root_hash": self.root_hash.hex(),
                "tenant": self.tenant,
                "timestamp_us": str(self.timestamp_us),
                "tree_size": self.tree_size,
            }
        )
        return HEAD_DOMAIN + said


class SignedTreeHead(TreeHead):
    """A tree head with its signature, 64 bytes."""

    signature: bytes

    def document(self) -> dict[str, JsonValue]:
        """Return the head as JSON, as it stands in bundles, anchors and answers."""
        return {
            "tenant": self.tenant,
            "tree_size": self.tree_size,
            "root_hash": self.root_hash.hex(),
            "timestamp_us": self.timestamp_us,
            "key_id": self.key_id,
            "signature": b64encode(self.signature).decode(),
        }


class PublicKey(Value):
    """A key that signs, or signed, a tenant's heads; `public_key` is 32 raw bytes, `valid_to_us` None while it is in use."""

    tenant: str
    key_id: str
    public_key: bytes
    generation: int
    valid_from_us: int
    valid_to_us: int | None = None

    def document(self) -> dict[str, JsonValue]:
        """Return the key as JSON, as it stands in bundles, files of trusted keys and answers."""
        return {
            "key_id": self.key_id,
            "algorithm": ALGORITHM,
            "public_key": b64encode(self.public_key).decode(),
            "valid_from_us": self.valid_from_us,
            "valid_to_us": self.valid_to_us,
        }


def key_id_of(public_key: bytes) -> str:
    """Return a key's id: the first 16 hex characters of SHA-256 over its raw bytes."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class HeadKeys(Protocol):
    """The installation's private keys: one per tenant and generation, never outside of this port."""

    def public(self, tenant: str, generation: int) -> bytes:
        """Return the raw public key of a generation, 32 bytes."""
        ...

    def sign(self, tenant: str, generation: int, message: bytes) -> bytes:
        """Return the Ed25519 signature, 64 bytes."""
        ...

    def holds(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature is the key's over the message."""
        ...
