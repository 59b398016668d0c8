"""Redrives of many dead letters: ordered once, taken a few at a time by whoever sweeps."""

from typing import cast

from adapters.postgres import dead_letter_queries as sql
from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.pool import Database, Row
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.values import rfc3339, rfc3339_or_none, storable
from domain.dead_letters import BulkRedrive, DeadLetter
from domain.errors import NotFound
from domain.stores import PayloadCipher

_SAME = ("redrive", "kind", "cause", "definition", "rate", "requested_by")


class PostgresBulkRedriveStore:
    """Implements `BulkRedriveStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher, letters: PostgresDeadLetterStore) -> None:
        self._db = db
        self._cipher = cipher
        self._letters = letters

    async def begin(self, bulk: BulkRedrive) -> BulkRedrive:
        """Insert one and return it with its counts; the same id again returns the one that is there."""
        place = _reason_place(bulk.redrive)
        sealed = None if bulk.reason is None else seal_text(self._cipher, bulk.tenant, place, storable(bulk.reason))
        async with self._db.tenant(bulk.tenant) as tx:
            await tx.execute(sql.BEGIN, {**bulk.model_dump(mode="json"), "sealed": sealed})
        return await self.get(bulk.tenant, bulk.redrive)

    async def get(self, tenant: str, redrive: str) -> BulkRedrive:
        """Return one with its counts.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.ORDER, {"tenant": tenant, "redrive": redrive})
        if row is None:
            raise NotFound(f"there is no redrive {redrive}")
        return self._shown(row)

    async def take(self, tenant: str, *, lease_s: float, most: int) -> tuple[BulkRedrive, list[DeadLetter]] | None:
        """Claim what is due of one unfinished redrive; None when nothing is due. One with nothing left is finished."""
        async with self._db.tenant(tenant) as tx:
            due = await tx.row(sql.DUE, {"tenant": tenant, "most": most})
            if due is None:
                return None
            place = {"tenant": tenant, "redrive": due["redrive"]}
            rows = await tx.rows(sql.TAKE, {**place, "places": due["places"], "lease_s": lease_s})
            await tx.execute(sql.TAKEN, {**place, "taken": max(1, len(rows))})
            if not rows:
                await tx.execute(sql.FINISH, place)
            order = cast("Row", await tx.row(sql.ORDER, place))
        return self._shown(order), [await self._letters.shown(row) for row in rows]

    def _shown(self, row: Row) -> BulkRedrive:
        reason = None
        if row["reason_sealed"] is not None:
            reason = str(open_text(self._cipher, row["tenant_id"], _reason_place(row["redrive"]), row["reason_sealed"]))
        return BulkRedrive(
            tenant=row["tenant_id"],
            since=rfc3339_or_none(row["since"]),
            reason=reason,
            requested_at=rfc3339(row["requested_at"]),
            redriven=row["done"],
            refused=row["not_done"],
            left=row["to_do"],
            finished_at=rfc3339_or_none(row["finished_at"]),
            **{name: row[name] for name in _SAME},
        )


def _reason_place(redrive: str) -> str:
    return f"dead_letter_redrives/{redrive}/reason"
