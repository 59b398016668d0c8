"""The audit as the watch reads it: in the order of committed transactions, so that no call comes in behind its back."""

from collections.abc import Iterable

from psycopg.types.json import Json
from psycopg.types.numeric import Int8

from adapters.postgres.pool import Database, Row
from adapters.postgres.tool_audit import form_of_row
from adapters.postgres.tool_store import say
from domain.tool_anomalies import Anomaly, Baseline, WatchedCall
from domain.tool_audit import CallVerdict
from domain.tool_registry import ToolChange, ToolState
from domain.tool_watching import WATCHER, Unwatched

_HORIZON = b"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon"
_START = b"INSERT INTO tool_watches (tenant_id) VALUES (%(tenant)s) ON CONFLICT DO NOTHING"
_CLAIM = b"""
UPDATE tool_watches w SET
    epoch = w.epoch + CASE WHEN w.holder = %(holder)s THEN 0 ELSE 1 END, holder = %(holder)s,
    lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE w.tenant_id = %(tenant)s AND (w.holder = %(holder)s OR w.lease_until <= clock_timestamp())
RETURNING epoch
"""
_RELEASE = b"UPDATE tool_watches SET lease_until = clock_timestamp() WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s"
_WAITING = b"""
SELECT EXISTS (SELECT 1 FROM tool_calls WHERE tenant_id = %(tenant)s
    AND txid > coalesce((SELECT txid FROM tool_watches WHERE tenant_id = %(tenant)s), 0)) AS waiting
"""
_UNWATCHED = b"""
SELECT c.* FROM tool_calls c JOIN tool_watches w USING (tenant_id)
WHERE c.tenant_id = %(tenant)s AND c.txid > w.txid AND c.txid < %(horizon)s
ORDER BY c.txid, c.run, c.seq LIMIT %(limit)s
"""
_OF_TRANSACTION = b"SELECT * FROM tool_calls WHERE tenant_id = %(tenant)s AND txid = %(txid)s ORDER BY run, seq"
_BASELINES = b"""
SELECT b.* FROM tool_baselines b JOIN unnest(%(tools)s::text[], %(versions)s::text[]) AS asked(tool, version) USING (tool, version)
WHERE b.tenant_id = %(tenant)s
"""
_MOVE = b"UPDATE tool_watches SET txid = %(txid)s WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s RETURNING epoch"
_LEARN = b"""
INSERT INTO tool_baselines (tenant_id, tool, version, baseline) VALUES (%(tenant)s, %(tool)s, %(version)s, %(baseline)s)
ON CONFLICT (tenant_id, tool, version) DO UPDATE SET baseline = excluded.baseline
"""
_FIND = b"""
INSERT INTO tool_anomalies (tenant_id, run, seq, kind, tool, version, agent, detail, at, quarantined)
VALUES (%(tenant)s, %(run)s, %(seq)s, %(kind)s, %(tool)s, %(version)s, %(agent)s, %(detail)s, %(at)s, %(quarantined)s)
ON CONFLICT DO NOTHING
"""


class PostgresToolWatch:
    """Implements `ToolWatchStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the lease."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_START, {"tenant": tenant})
            row = await tx.row(_CLAIM, {"tenant": tenant, "holder": holder, "lease_s": lease_s})
        return None if row is None else int(row["epoch"])

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Let the lease end now."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_RELEASE, {"tenant": tenant, "epoch": Int8(epoch)})

    async def waiting(self, tenant: str) -> bool:
        """Whether there are calls to look at."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_WAITING, {"tenant": tenant})
        return row is not None and bool(row["waiting"])

    async def unwatched(self, tenant: str, *, limit: int) -> Unwatched:
        """Return calls not looked at yet, whole transactions of them."""
        async with self._db.tenant(tenant) as tx:
            horizon = await tx.row(_HORIZON)
            given = {"tenant": tenant, "horizon": Int8(0 if horizon is None else horizon["horizon"]), "limit": limit}
            rows = await tx.rows(_UNWATCHED, given)
            more = len(rows) == limit
            if more:  # of the last transaction maybe a part
                last = rows[-1]["txid"]
                kept = [row for row in rows if row["txid"] != last]
                rows = kept + await tx.rows(_OF_TRANSACTION, {"tenant": tenant, "txid": Int8(last)})
        return Unwatched(calls=tuple(_watched(row) for row in rows), txid=max((row["txid"] for row in rows), default=0), more=more)

    async def baselines(self, tenant: str, tools: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Baseline]:
        """Return what is usual for these versions."""
        asked = list(tools)
        given = {"tenant": tenant, "tools": [tool for tool, _ in asked], "versions": [version for _, version in asked]}
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_BASELINES, given)
        return {(row["tool"], row["version"]): Baseline.model_validate(row["baseline"]) for row in rows}

    async def watched(
        self, tenant: str, *, epoch: int, txid: int, baselines: dict[tuple[str, str], Baseline], found: list[Anomaly]
    ) -> bool:
        """Store all of it, or nothing when another holds the lease."""
        async with self._db.tenant(tenant) as tx:
            if await tx.row(_MOVE, {"tenant": tenant, "epoch": Int8(epoch), "txid": Int8(txid)}) is None:
                return False
            for (tool, version), baseline in sorted(baselines.items()):
                stored = {"tenant": tenant, "tool": tool, "version": version, "baseline": Json(baseline.model_dump(mode="json"))}
                await tx.execute(_LEARN, stored)
            for one in found:
                await tx.execute(_FIND, {"tenant": tenant, **one.model_dump(mode="json", exclude={"found_at"}), "seq": Int8(one.seq)})
                if one.quarantined:
                    reason = f"{one.kind.value}: {one.detail} ({one.run}, entry {one.seq})"
                    change = ToolChange(state=ToolState.QUARANTINED, reason=reason[:500], by=WATCHER, at="")
                    await say(tx, tenant, one.tool, one.version, change)
        return True


def _watched(row: Row) -> WatchedCall:
    return WatchedCall(
        run=row["run"],
        seq=row["seq"],
        tool=row["tool"],
        version=row["version"],
        agent=row["agent"],
        verdict=CallVerdict(row["verdict"]),
        cost_usd_micros=row["cost_usd_micros"],
        form=form_of_row(row),
        at=row["at"],
    )
