"""Which heads went to which anchors: one row per head and anchor, and when a failed one is tried again."""

from adapters.postgres.pool import Database
from adapters.postgres.tree_nodes import head_of
from adapters.postgres.values import storable
from domain.tree_heads import SignedTreeHead

PAUSE_S_MAX = 600
"""Longest pause before a failed delivery is tried again, in seconds; the first is one second, each next one twice as long."""

ERROR_CHARS_MAX = 500

_DUE = b"""
WITH done AS (
    SELECT max(d.tree_size) AS tree_size, max(d.delivered_at) AS delivered_at FROM anchor_deliveries d
    WHERE d.tenant_id = %(tenant)s AND d.anchor = %(anchor)s AND d.delivered_at IS NOT NULL),
open AS (
    SELECT max(d.next_attempt_at) AS next_attempt_at FROM anchor_deliveries d, done
    WHERE d.tenant_id = %(tenant)s AND d.anchor = %(anchor)s AND d.delivered_at IS NULL AND d.tree_size > coalesce(done.tree_size, 0))
SELECT h.* FROM tree_heads h, done, open
WHERE h.tenant_id = %(tenant)s AND h.tree_size > coalesce(done.tree_size, 0)
    AND coalesce(done.delivered_at, 'epoch') <= clock_timestamp() - %(every_s)s * interval '1 second'
    AND coalesce(open.next_attempt_at, 'epoch') <= clock_timestamp()
ORDER BY h.tree_size DESC LIMIT 1
"""

_DELIVERED = b"""
INSERT INTO anchor_deliveries AS d (tenant_id, anchor, tree_size, attempts, delivered_at)
VALUES (%(tenant)s, %(anchor)s, %(tree_size)s, 1, clock_timestamp())
ON CONFLICT (tenant_id, anchor, tree_size) DO UPDATE
    SET attempts = d.attempts + 1, delivered_at = coalesce(d.delivered_at, clock_timestamp()), error = NULL
"""

_FAILED = b"""
WITH done AS (
    SELECT coalesce(max(d.tree_size), 0) AS tree_size FROM anchor_deliveries d
    WHERE d.tenant_id = %(tenant)s AND d.anchor = %(anchor)s AND d.delivered_at IS NOT NULL),
failures AS (
    SELECT coalesce(max(d.attempts), 0) + 1 AS n FROM anchor_deliveries d, done
    WHERE d.tenant_id = %(tenant)s AND d.anchor = %(anchor)s AND d.delivered_at IS NULL AND d.tree_size > done.tree_size)
INSERT INTO anchor_deliveries AS d (tenant_id, anchor, tree_size, attempts, next_attempt_at, error)
SELECT %(tenant)s, %(anchor)s, %(tree_size)s, n,
    clock_timestamp() + least(%(pause_max)s, power(2, least(n - 1, 20))) * interval '1 second', %(error)s FROM failures
ON CONFLICT (tenant_id, anchor, tree_size) DO UPDATE
    SET attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, error = excluded.error
    WHERE d.delivered_at IS NULL
"""
"""Attempts count on over newer heads: an anchor that is down is not asked more often because heads keep coming."""


class PostgresAnchorage:
    """Implements `Anchorage`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def due(self, tenant: str, anchor: str, *, every_s: float) -> SignedTreeHead | None:
        """Return the newest head if it should go there now."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_DUE, {"tenant": tenant, "anchor": anchor, "every_s": every_s})
        return None if row is None else head_of(row)

    async def delivered(self, tenant: str, anchor: str, tree_size: int) -> None:
        """Remember a delivery."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_DELIVERED, {"tenant": tenant, "anchor": anchor, "tree_size": tree_size})

    async def failed(self, tenant: str, anchor: str, tree_size: int, *, error: str) -> None:
        """Remember a failed attempt."""
        said = storable(error)[:ERROR_CHARS_MAX]
        given = {"tenant": tenant, "anchor": anchor, "tree_size": tree_size, "error": said, "pause_max": PAUSE_S_MAX}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_FAILED, given)
