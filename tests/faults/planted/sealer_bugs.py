"""Sealers with one bug each, as JOURNAL §4 names them."""

from datetime import UTC, datetime

from adapters.postgres.pool import Row, Transaction
from adapters.postgres.sealer import PostgresSealer

_TAIL = b"""
SELECT e.run, e.seq, e.prev, e.hash, e.recorded_at, e.xmin::text::bigint AS id, coalesce(last.seq, 0) AS sealed_seq,
    last.entry_hash AS sealed_hash
FROM ledger_entries e
    LEFT JOIN LATERAL (
        SELECT l.seq, l.entry_hash FROM ledger_leaves l
        WHERE l.tenant_id = e.tenant_id AND l.run = e.run ORDER BY l.seq DESC LIMIT 1) AS last ON true
WHERE e.tenant_id = %(tenant)s AND e.recorded_at > %(time)s AND e.xmin::text::bigint > %(id)s
ORDER BY e.run, e.seq
"""

_FORGET_ALL = b"UPDATE runs SET unsealed = false WHERE unsealed"


class TailsById(PostgresSealer):
    """Follows the numbers that transactions get when they begin, and forgets that they do not commit in that order."""

    _mark = 0

    async def next_entries(self, tx: Transaction, tenant: str, without: frozenset[str]) -> list[Row]:
        """Return what has a higher number than all before."""
        del without
        rows = await tx.rows(_TAIL, {"tenant": tenant, "time": datetime.min.replace(tzinfo=UTC), "id": self._mark})
        self._mark = max([self._mark, *(row["id"] for row in rows)])
        return rows


class TailsByTime(PostgresSealer):
    """Follows the time of recording, which is taken before the commit."""

    _mark = datetime(1970, 1, 1, tzinfo=UTC)

    async def next_entries(self, tx: Transaction, tenant: str, without: frozenset[str]) -> list[Row]:
        """Return what is newer than all before."""
        del without
        rows = await tx.rows(_TAIL, {"tenant": tenant, "time": self._mark, "id": 0})
        self._mark = max([self._mark, *(row["recorded_at"] for row in rows)])
        return rows


class WithoutFence(PostgresSealer):
    """Trusts that it still holds the lease it once had."""

    async def holds_lease(self, tx: Transaction, tenant: str, epoch: int, lease_s: float) -> bool:
        """Believe so."""
        del tx, tenant, epoch, lease_s
        return True


class ForgetsUnsealed(PostgresSealer):
    """Takes the flag from every run after a look, also from those with entries that wait."""

    async def waiting(self, tenant: str) -> bool:
        """Look, and forget."""
        async with self._db.tenant(tenant) as tx:
            waits = await tx.row("SELECT 1 FROM runs WHERE unsealed LIMIT 1") is not None
            await tx.execute(_FORGET_ALL)
        return waits


class SignsApart(PostgresSealer):
    """Commits the leaves before it signs their head."""

    async def next_entries(self, tx: Transaction, tenant: str, without: frozenset[str]) -> list[Row]:
        """Write the leaves in a transaction of their own."""
        rows = await super().next_entries(tx, tenant, without)
        async with self._db.tenant(tenant) as apart:
            await self._write(apart, tenant, 0, rows, [])
        return rows
