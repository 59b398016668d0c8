"""Relays, and a sealer beside one, with one bug each (JOURNAL §4)."""

import json
from datetime import UTC, datetime

from adapters.postgres import relay_queries as sql
from adapters.postgres.pool import Database
from adapters.postgres.relay import PostgresRelay, insert_deliveries
from adapters.postgres.sealer import PostgresSealer
from adapters.postgres.values import rfc3339
from domain.deliveries import NewDelivery
from domain.delivery_stores import RELAY_ENTRIES_MAX, Unread
from domain.events import RelayEntry
from domain.ledger import EntryBody

_NEWER = b"""
SELECT e.run, e.seq, encode(e.hash, 'hex') AS hash, e.recorded_at, e.body, r.definition, r.version
FROM ledger_entries e JOIN runs r USING (tenant_id, run)
WHERE e.tenant_id = %(tenant)s AND e.recorded_at > %(mark)s ORDER BY e.recorded_at, e.run, e.seq LIMIT %(limit)s
"""

_FORGET = b"""
UPDATE runs r SET unsealed = false WHERE r.tenant_id = %(tenant)s AND r.unsealed
    AND r.head_seq <= coalesce((SELECT max(l.seq) FROM ledger_leaves l WHERE l.tenant_id = r.tenant_id AND l.run = r.run), 0)
"""


class TailsByTime(PostgresRelay):
    """Follows the time of recording, which is taken before the commit."""

    _mark = datetime(1970, 1, 1, tzinfo=UTC)

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._own = db

    async def unread(self, tenant: str, *, limit: int = RELAY_ENTRIES_MAX) -> Unread:
        """Return what is newer than all before."""
        async with self._own.tenant(tenant) as tx:
            rows = await tx.rows(_NEWER, {"tenant": tenant, "mark": self._mark, "limit": limit})
        self._mark = max([self._mark, *(row["recorded_at"] for row in rows)])
        found = [
            RelayEntry(
                tenant=tenant,
                **{name: row[name] for name in ("run", "seq", "hash", "definition", "version")},
                recorded_at=rfc3339(row["recorded_at"]),
                body=EntryBody.model_validate(json.loads(bytes(row["body"]))),
            )
            for row in rows
        ]
        return Unread(entries=tuple(found), cursors={entry.run: entry.seq for entry in found}, more=len(rows) == limit)


class MovesCursorsFirst(PostgresRelay):
    """Notes how far it is before it has written the rows."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._own = db

    async def relay(self, tenant: str, *, epoch: int, lease_s: float, deliveries: list[NewDelivery], cursors: dict[str, int]) -> bool:
        """Write cursors in one transaction and rows in the next."""
        if not await super().relay(tenant, epoch=epoch, lease_s=lease_s, deliveries=[], cursors=cursors):
            return False
        async with self._own.tenant(tenant) as tx:
            await insert_deliveries(tx, tenant, deliveries)
        return True


class WithoutFence(PostgresRelay):
    """Trusts that it still holds the lease it once had."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._own = db

    async def relay(self, tenant: str, *, epoch: int, lease_s: float, deliveries: list[NewDelivery], cursors: dict[str, int]) -> bool:
        """Write whatever happened meanwhile."""
        del epoch, lease_s
        async with self._own.tenant(tenant) as tx:
            await insert_deliveries(tx, tenant, deliveries)
            await tx.execute(sql.MOVE_CURSORS, {"tenant": tenant, "runs": list(cursors), "seqs": list(cursors.values())})
        return True


class ForgetsTheRelay(PostgresSealer):
    """Takes the flag from a run that is sealed, though the relay has not read it."""

    def __init__(self, db: Database, *more: object) -> None:
        super().__init__(db, *more)  # pyright: ignore[reportArgumentType]  # the sealer's own parameters, handed on
        self._own = db

    async def waiting(self, tenant: str) -> bool:
        """Look, and forget."""
        waits = await super().waiting(tenant)
        async with self._own.tenant(tenant) as tx:
            await tx.execute(_FORGET, {"tenant": tenant})
        return waits
