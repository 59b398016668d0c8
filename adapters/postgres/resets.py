"""Which Temporal execution a run's row follows (JOURNAL §2.3); a reset is adopted under the row's lock, with its ledger entry."""

from psycopg.types.numeric import Int4

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.runs import append_body
from domain.errors import NotFound
from domain.ledger import EntryBody, Kind
from domain.past import CALL, call_command
from domain.resets import ResetPoint

_ROW = b"""
SELECT r.tenant_id, r.run, r.epoch, r.temporal_run_id, r.fact_head, r.correlation_id, coalesce((
        SELECT e.fact_digest FROM ledger_entries e
        WHERE e.tenant_id = r.tenant_id AND e.run = r.run AND e.fact_seq = r.fact_head ORDER BY e.seq DESC LIMIT 1
    ), '') AS fact_digest
FROM runs r WHERE r.tenant_id = %(tenant)s AND r.run = %(run)s FOR NO KEY UPDATE OF r
"""

_TRIED = b"""
SELECT step, visit FROM effects
WHERE tenant_id = %(tenant)s AND run = %(run)s AND call = %(call)s
    AND (state IN ('intent', 'in_doubt') OR (state = 'failed' AND attempt > 1))
"""
"""Calls that may have happened: a failure at the first attempt says by its code whether it may."""

_FOLLOW = b"""
UPDATE runs SET epoch = %(epoch)s, temporal_run_id = %(temporal_run_id)s, projection_epoch = %(epoch)s, projection_fact_seq = fact_head,
    status = CASE WHEN closed_at IS NULL THEN status ELSE 'running' END, reason = 'reset', closed_at = NULL, error = NULL,
    result_ref = NULL, updated_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND run = %(run)s
"""


class PostgresResetStore:
    """Implements `ResetStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def point(self, tenant: str, run: str, *, temporal_run_id: str) -> ResetPoint | None:
        """Return where the run stands if its row follows this execution already.

        Raises:
            NotFound: there is no such run.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, run)
            return await _point(tx, row) if row["temporal_run_id"] == temporal_run_id else None

    async def adopt(self, tenant: str, run: str, *, temporal_run_id: str, at: str) -> ResetPoint:
        """Let the row follow this execution in the next epoch, with `platform:run:reset`; adopted before changes nothing.

        Raises:
            NotFound: there is no such run.
        """
        async with self._db.tenant(tenant) as tx:
            row = await _row(tx, tenant, run)
            if row["temporal_run_id"] == temporal_run_id:
                return await _point(tx, row)
            replaced = str(row["temporal_run_id"] or "")
            point = (await _point(tx, row)).model_copy(update={"epoch": (row["epoch"] or 0) + 1, "replaced": replaced})
            follow = {"tenant": tenant, "run": run, "epoch": Int4(point.epoch), "temporal_run_id": temporal_run_id}
            await tx.execute(_FOLLOW, follow)
            body = EntryBody(
                kind=Kind.RUN_RESET,
                at=at,
                principal="platform",
                correlation_id=row["correlation_id"],
                epoch=point.epoch,
                data={"from_epoch": row["epoch"], "replaced": replaced, "by": temporal_run_id, "facts": row["fact_head"]},
            )
            await append_body(tx, tenant, run, body)
        return point


async def _row(tx: Transaction, tenant: str, run: str) -> Row:
    row = await tx.row(_ROW, {"tenant": tenant, "run": run})
    if row is None:
        raise NotFound(f"there is no run {run}")
    return row


async def _point(tx: Transaction, row: Row) -> ResetPoint:
    tried = await tx.rows(_TRIED, {"tenant": row["tenant_id"], "run": row["run"], "call": CALL})
    return ResetPoint(
        epoch=row["epoch"] or 0,
        fact_head=row["fact_head"],
        fact_digest=row["fact_digest"],
        tried=[call_command(each["step"], each["visit"]) for each in tried],
    )
