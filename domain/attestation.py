"""The gateway's word for what a message claims: HMAC-SHA-256 over its canonical bytes. Pure.

A run takes messages from whoever reaches Temporal, so a person's answer counts only with this word (JOURNAL §9).
"""

import hashlib
import hmac

from pydantic import JsonValue

from domain.canonical import canonical_bytes


def attestation_of(key: bytes, said: dict[str, JsonValue]) -> str:
    """Return the word (hex) for what is said; `said` names its tenant, its run and its kind, so that it fits nowhere else.

    Raises:
        InvalidInput: it has no canonical form.
    """
    return hmac.new(key, canonical_bytes(said), hashlib.sha256).hexdigest()


def holds(key: bytes, said: dict[str, JsonValue], attestation: str) -> bool:
    """Whether the attestation is the gateway's, compared in constant time.

    Raises:
        InvalidInput: what is said has no canonical form.
    """
    return hmac.compare_digest(attestation_of(key, said).encode(), attestation.encode())
