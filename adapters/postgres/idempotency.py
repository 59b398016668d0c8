"""Idempotency-Key rows (DESIGN §11): claimed under a lease, answered once, replayed byte for byte."""

from psycopg.types.json import Json

from adapters.postgres.pool import Database, Params, Row, Transaction
from domain.errors import IdempotencyKeyReused, RequestInFlight
from domain.stores import PayloadCipher, StoredAnswer

_CLAIM = b"""
INSERT INTO idempotency_keys AS k (tenant_id, route, key, fingerprint, lease_until)
VALUES (%(tenant)s, %(route)s, %(key)s, %(fingerprint)s, clock_timestamp() + %(lease_s)s * interval '1 second')
ON CONFLICT (tenant_id, route, key) DO UPDATE SET lease_until = excluded.lease_until
    WHERE k.status IS NULL AND k.lease_until <= clock_timestamp() AND k.fingerprint = excluded.fingerprint
RETURNING 1
"""
_THERE = b"""
SELECT fingerprint, status, headers, sealed, extract(epoch FROM lease_until - clock_timestamp())::float8 AS wait_s
FROM idempotency_keys WHERE tenant_id = %(tenant)s AND route = %(route)s AND key = %(key)s
"""
_FINISH = b"""
UPDATE idempotency_keys SET status = %(status)s, headers = %(headers)s, sealed = %(sealed)s
WHERE tenant_id = %(tenant)s AND route = %(route)s AND key = %(key)s AND status IS NULL
"""
_RELEASE = b"DELETE FROM idempotency_keys WHERE tenant_id = %(tenant)s AND route = %(route)s AND key = %(key)s AND status IS NULL"


class PostgresIdempotencyStore:
    """Implements `IdempotencyStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def begin(self, tenant: str, *, route: str, key: str, fingerprint: str, lease_s: float) -> StoredAnswer | None:
        """Claim the key, or return the stored answer.

        Raises:
            IdempotencyKeyReused: another fingerprint.
            RequestInFlight: claimed, and its lease lives; `retry_after_s` is what is left of it.
        """
        params = {"tenant": tenant, "route": route, "key": key, "fingerprint": fingerprint, "lease_s": lease_s}
        async with self._db.tenant(tenant) as tx:
            there = await _claim(tx, params)
        if there is None:
            return None
        if there["fingerprint"] != fingerprint:
            raise IdempotencyKeyReused("this Idempotency-Key came before with another body: send the same body, or use a new key")
        if there["status"] is None:
            raise RequestInFlight(
                "the first request with this Idempotency-Key is not answered yet", retry_after_s=max(0.0, there["wait_s"])
            )
        body = self._cipher.open(tenant, _place(route, key), there["sealed"])
        return StoredAnswer(status=there["status"], body=body, headers=there["headers"])

    async def finish(self, tenant: str, *, route: str, key: str, answer: StoredAnswer) -> None:
        """Store the answer; the first one stays."""
        sealed = self._cipher.seal(tenant, _place(route, key), answer.body)
        params = {"status": answer.status, "headers": Json(answer.headers), "sealed": sealed, "tenant": tenant, "route": route, "key": key}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_FINISH, params)

    async def release(self, tenant: str, *, route: str, key: str) -> None:
        """Give the key back: nothing was kept, the same key may carry another body."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_RELEASE, {"tenant": tenant, "route": route, "key": key})


def _place(route: str, key: str) -> str:
    return f"idempotency_keys/{route}/{key}"


async def _claim(tx: Transaction, params: Params) -> Row | None:
    """Return None when the key is ours now, else its row; a row released between the two statements is claimed again."""
    while True:
        if await tx.row(_CLAIM, params) is not None:
            return None
        there = await tx.row(_THERE, params)
        if there is not None:
            return there
