"""Reads what is new in a tenant's ledgers, writes deliveries, and says which may start (JOURNAL §4: by chain heads)."""

import json

from psycopg.types.numeric import Int4, Int8

from adapters.postgres import relay_queries as sql
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import rfc3339
from domain.deliveries import DeliveryInput, NewDelivery
from domain.delivery_stores import ENDPOINT_IN_FLIGHT_MAX, RELAY_ENTRIES_MAX, Past, Unread
from domain.errors import NotFound
from domain.events import RelayEntry, delivery_id
from domain.ledger import EntryBody


class PostgresRelay:
    """Implements `RelayStore`."""

    def __init__(self, db: Database, *, in_flight: int = ENDPOINT_IN_FLIGHT_MAX) -> None:
        self._db = db
        self._in_flight = in_flight

    async def activate(self, tenant: str) -> None:
        """Begin to relay."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.ACTIVATE, {"tenant": tenant})

    async def waiting(self, tenant: str) -> bool:
        """Say whether there is anything to do."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.WAITING, {"tenant": tenant})
        return row is not None and bool(row["waiting"])

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the lease."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.CLAIM, {"tenant": tenant, "holder": holder, "lease_s": lease_s})
        return None if row is None else int(row["epoch"])

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Let the lease end now."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.RELEASE, {"tenant": tenant, "epoch": epoch})

    async def unread(self, tenant: str, *, limit: int = RELAY_ENTRIES_MAX) -> Unread:
        """Return what lies between cursors and heads."""
        async with self._db.tenant(tenant) as tx:
            heads = await tx.rows(sql.HEADS, {"tenant": tenant, "limit": limit})
            given = {
                "tenant": tenant,
                "runs": [row["run"] for row in heads],
                "seqs": [Int8(row["seq"]) for row in heads],
                "heads": [Int8(row["head_seq"]) for row in heads],
                "limit": limit,
            }
            rows = await tx.rows(sql.ENTRIES, given) if heads else []
        cursors = {row["run"]: int(row["head_seq"]) for row in heads}
        cut = len(rows) == limit
        if cut:  # of the last run maybe a part, of those after it nothing
            last, places = rows[-1], {row["run"]: place for place, row in enumerate(heads)}
            cursors = {run: seq for run, seq in cursors.items() if places[run] < places[last["run"]]} | {last["run"]: int(last["seq"])}
        return Unread(
            entries=tuple(_entry(tenant, row) for row in rows),
            cursors=cursors,
            more=cut or len(heads) == limit,
        )

    async def relay(self, tenant: str, *, epoch: int, lease_s: float, deliveries: list[NewDelivery], cursors: dict[str, int]) -> bool:
        """Write deliveries and cursors, or nothing."""
        async with self._db.tenant(tenant) as tx:
            if await tx.row(sql.FENCE, {"tenant": tenant, "epoch": epoch, "lease_s": lease_s}) is None:
                return False
            await insert_deliveries(tx, tenant, deliveries)
            await tx.execute(sql.MOVE_CURSORS, {"tenant": tenant, "runs": list(cursors), "seqs": [Int8(seq) for seq in cursors.values()]})
        return True

    async def startable(self, tenant: str, *, limit: int) -> list[DeliveryInput]:
        """Return what may start now."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.STARTABLE, {"tenant": tenant, "limit": limit, "in_flight": self._in_flight})
        return [
            DeliveryInput(tenant=tenant, delivery=row["delivery"], channel=row["channel"], endpoint=row["endpoint"], round=row["round"])
            for row in rows
        ]

    async def started(self, tenant: str, deliveries: list[DeliveryInput]) -> None:
        """Remember their workflows."""
        given = {
            "tenant": tenant,
            "ids": [one.delivery for one in deliveries],
            "rounds": [Int4(one.round) for one in deliveries],
        }
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.STARTED, given)

    async def overdue(self, tenant: str, *, after: str, seconds: float, limit: int) -> list[DeliveryInput]:
        """Return what should have been tried by now."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.OVERDUE, {"tenant": tenant, "after": after, "seconds": seconds, "limit": limit})
        return [DeliveryInput.model_validate({**row, "tenant": tenant}) for row in rows]

    async def forget(self, tenant: str, *, days: float) -> int:
        """Remove what is over since so long."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.OVER, {"tenant": tenant, "days": days})
            given = {"tenant": tenant, "ids": [row["delivery"] for row in rows]}
            if rows:
                await tx.execute(sql.FORGET_ATTEMPTS, given)
                await tx.execute(sql.FORGET_DELIVERIES, given)
        return len(rows)


class PostgresLedgerPast:
    """Implements `LedgerPast`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def from_position(self, tenant: str, position: int, *, limit: int) -> Past:
        """Return entries in the order of the log."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.FROM_POSITION, {"tenant": tenant, "position": Int8(position), "limit": limit})
        return _past(tenant, rows, limit)

    async def of_run(self, tenant: str, run: str, sequence: int, *, limit: int) -> Past:
        """Return a run's entries.

        Raises:
            NotFound: there is no such run in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            if await tx.row(sql.KNOWN_RUN, {"tenant": tenant, "run": run}) is None:
                raise NotFound(f"there is no run {run}")
            rows = await tx.rows(sql.OF_RUN, {"tenant": tenant, "run": run, "sequence": Int8(sequence), "limit": limit})
        return _past(tenant, rows, limit)


def _past(tenant: str, rows: list[Row], limit: int) -> Past:
    following = int(rows[-1]["place"]) + 1 if len(rows) == limit else None
    return Past(entries=tuple(_entry(tenant, row) for row in rows), next=following)


async def insert_deliveries(tx: Transaction, tenant: str, deliveries: list[NewDelivery]) -> list[str]:
    """Write rows for those that have none yet, inside a transaction of the caller; return their ids."""
    if not deliveries:
        return []
    channels, endpoints = [one.to.channel for one in deliveries], [one.to.endpoint for one in deliveries]
    given = {
        "tenant": tenant,
        "ids": [delivery_id(one.event.id, one.to.channel, one.to.endpoint) for one in deliveries],
        "channels": channels,
        "endpoints": endpoints,
        "events": [one.event.id for one in deliveries],
        "types": [one.event.type for one in deliveries],
        "runs": [one.event.run for one in deliveries],
        "seqs": [Int8(one.event.seq) for one in deliveries],
        "documents": [one.event.model_dump_json() for one in deliveries],
        "ordered": [one.to.ordered for one in deliveries],
    }
    rows = await tx.rows(sql.INSERT_DELIVERIES, given)
    await tx.execute(sql.INSERT_ENDPOINTS, {"tenant": tenant, "channels": channels, "endpoints": endpoints})
    return [row["delivery"] for row in rows]


def _entry(tenant: str, row: Row) -> RelayEntry:
    return RelayEntry(
        tenant=tenant,
        run=row["run"],
        seq=row["seq"],
        hash=row["hash"],
        recorded_at=rfc3339(row["recorded_at"]),
        definition=row["definition"],
        version=row["version"],
        body=EntryBody.model_validate(json.loads(bytes(row["body"]))),
    )
