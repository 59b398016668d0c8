"""Finds or makes the key of a data subject while a run is accepted, in the run's own transaction."""

import secrets

from adapters.postgres.pool import Transaction
from domain.stores import PayloadCipher

_LIVE = b"""
SELECT key_id, wrapped FROM subject_keys WHERE tenant_id = %(tenant)s AND subject = %(subject)s AND destroyed_at IS NULL FOR SHARE
"""
_INSERT = b"""
INSERT INTO subject_keys (tenant_id, key_id, subject, wrapped) VALUES (%(tenant)s, %(key_id)s, %(subject)s, %(wrapped)s)
ON CONFLICT DO NOTHING RETURNING key_id, wrapped
"""


async def key_for_run(tx: Transaction, cipher: PayloadCipher, tenant: str, subject: str, *, own: bool) -> tuple[str, PayloadCipher]:
    """Return (key id, cipher) of the data subject's living key, made now when there is none; `own`: the run is its own data subject.

    The key's row stays locked until the run is in: an erasure either sees the run or has destroyed the key before, and then a new one
    is made here.
    """
    tries = (_INSERT, _LIVE) if own else (_LIVE, _INSERT)
    while True:
        key_id = "s" + secrets.token_hex(16)
        fresh = {"tenant": tenant, "subject": subject, "key_id": key_id, "wrapped": cipher.new_key(tenant, key_id)}
        found = await tx.row(tries[0], fresh) or await tx.row(tries[1], fresh)
        if found is not None:
            return found["key_id"], cipher.under(tenant, found["key_id"], bytes(found["wrapped"]))
