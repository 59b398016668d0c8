"""Reads a run's ledger as stored bytes: what a verifier recomputes, and nothing computed for it."""

from adapters.postgres.pool import Database, Row
from adapters.postgres.select_texts import ENTRIES_OF_RUN, RUN_BY_ID
from adapters.postgres.values import microseconds
from domain.errors import NotFound
from domain.ledger import StoredEntry


class PostgresLedgerReader:
    """Implements `LedgerReader`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def entries(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Return entries with sequence > `after`, in order.

        Raises:
            NotFound: there is no such run.
        """
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(ENTRIES_OF_RUN, {"tenant": tenant, "run": run, "after": after, "limit": limit})
            if not rows and await tx.row(RUN_BY_ID, {"tenant": tenant, "run": run}) is None:
                raise NotFound(f"there is no run {run}")
        return [_entry(row) for row in rows]

    async def head(self, tenant: str, run: str) -> tuple[int, bytes]:
        """Return (sequence, hash) of the run's row.

        Raises:
            NotFound: there is no such run.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(RUN_BY_ID, {"tenant": tenant, "run": run})
        if row is None:
            raise NotFound(f"there is no run {run}")
        return int(row["head_seq"]), bytes(row["head_hash"])


def _entry(row: Row) -> StoredEntry:
    return StoredEntry(
        tenant=row["tenant_id"],
        run=row["run"],
        seq=row["seq"],
        recorded_at_us=microseconds(row["recorded_at"]),
        prev=bytes(row["prev"]),
        hash=bytes(row["hash"]),
        body=bytes(row["body"]),
        kind=row["kind"],
        principal=row["principal"],
        epoch=row["epoch"],
        fact_seq=row["fact_seq"],
        step=row["step"],
        payload_digest=row["payload_digest"],
    )
