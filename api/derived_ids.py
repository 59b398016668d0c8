"""Ids that a retry finds again: derived from the tenant and the caller's Idempotency-Key under a secret key (DESIGN §15)."""

import hashlib
import hmac

from pydantic import JsonValue

from domain.canonical import digest_hex
from domain.ids import RunId, derive_run_id


def tenant_key(master: bytes, purpose: str, tenant: str) -> bytes:
    """Return the 32-byte key of one tenant for one purpose: HMAC-SHA-256(master, purpose NUL tenant)."""
    return hmac.new(master, f"{purpose}\0{tenant}".encode(), hashlib.sha256).digest()


def run_id_for(master: bytes, tenant: str, idempotency_key: str) -> RunId:
    """Return the RunID of a start request."""
    return derive_run_id(tenant_key(master, "standfast:run-id:v1", tenant), idempotency_key)


def start_print(master: bytes, tenant: str, purpose: str, asked: JsonValue) -> str:
    """Return the fingerprint of a start, an HMAC in hex: it stays in the run's row, and a plain hash of an input could be guessed."""
    key = tenant_key(master, "standfast:start-print:v1", tenant)
    return hmac.new(key, digest_hex(purpose, asked).encode(), hashlib.sha256).hexdigest()


def decision_id_for(master: bytes, tenant: str, approval: str, idempotency_key: str) -> str:
    """Return the id of a decision on one approval; the 26 characters are made as a RunID's are."""
    key = tenant_key(master, f"standfast:decision-id:v1:{approval}", tenant)
    return "dec_" + derive_run_id(key, idempotency_key).removeprefix("run_")
