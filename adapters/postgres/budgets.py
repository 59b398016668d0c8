"""Budgets as people see and set them; reserving and settling are SQL functions that the journal's own functions call (JOURNAL §3)."""

from collections.abc import Mapping
from typing import cast

from psycopg.types.numeric import Int8

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none
from domain.budget import Period, Scope, Unit
from domain.budget_stores import BudgetEvent, BudgetLimit, BudgetRow
from domain.errors import NotFound
from domain.stores import Page

_NODES = b"""
SELECT scope, name, unit, hard, soft, thresholds, period, budget_period(period, clock_timestamp()) AS period_start, held AS reserved,
    CASE WHEN period_start < budget_period(period, clock_timestamp()) THEN 0 ELSE spent END AS spent
FROM budgets
WHERE tenant_id = %(tenant)s AND (%(scope)s::text IS NULL OR scope = %(scope)s) AND (%(name)s::text IS NULL OR name = %(name)s)
ORDER BY scope DESC, name, unit
"""

_OF_RUN = b"""
SELECT CASE step WHEN '' THEN 'run' ELSE 'step' END AS scope, CASE step WHEN '' THEN run ELSE run || '/' || step END AS name, unit, hard,
    soft, thresholds, 'total' AS period, NULL::timestamptz AS period_start, reserved, spent + settled AS spent
FROM allowances WHERE tenant_id = %(tenant)s AND run = %(run)s ORDER BY step, unit
"""

_LIMIT_RUN = b"""
INSERT INTO allowances AS a (tenant_id, run, step, unit, definition, hard, soft, thresholds)
SELECT r.tenant_id, r.run, '', %(unit)s, r.definition, %(hard)s, %(soft)s, %(thresholds)s FROM runs r
WHERE r.tenant_id = %(tenant)s AND r.run = %(run)s
ON CONFLICT (tenant_id, run, step, unit) DO UPDATE SET hard = excluded.hard, soft = excluded.soft, thresholds = excluded.thresholds,
    told = CASE WHEN (a.hard, a.soft, a.thresholds) IS DISTINCT FROM (excluded.hard, excluded.soft, excluded.thresholds) THEN 0
        ELSE a.told END
"""

_EVENT = b"SELECT event, at, scope, name, unit, threshold, basis, spent, run FROM budget_events "
_EVENTS = (
    _EVENT
    + b"WHERE tenant_id = %(tenant)s AND (%(at)s::timestamptz IS NULL OR (at, event) < (%(at)s, %(event)s))"
    + b" ORDER BY at DESC, event DESC LIMIT %(limit)s"
)
_UNTOLD = _EVENT + b"WHERE tenant_id = %(tenant)s AND told_at IS NULL ORDER BY at, event LIMIT %(limit)s"


class PostgresBudgetStore:
    """Implements `BudgetStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def set_limits(self, tenant: str, scope: Scope, name: str, limits: list[BudgetLimit]) -> list[BudgetRow]:
        """Set limits of a tenant (name ''), a definition or a run; units not named stay as they are.

        Raises:
            NotFound: the tenant has no such run or definition.
        """
        async with self._db.tenant(tenant) as tx:
            await tx.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", [tenant])
            await _require(tx, tenant, scope, name)
            for limit in sorted(limits, key=lambda one: one.unit):
                values = {"tenant": tenant, "run": name, "unit": limit.unit.value, "thresholds": list(limit.thresholds)}
                if scope in ("run", "step"):
                    await tx.execute(_LIMIT_RUN, {**values, "hard": _big(limit.hard), "soft": _big(limit.soft)})
                else:
                    given = [tenant, scope, name, limit.unit.value, _big(limit.hard), _big(limit.soft), limit.period]
                    await tx.execute("SELECT budget_limit(%s, %s, %s, %s, %s, %s, %s, %s)", [*given, list(limit.thresholds)])
            return await _read(tx, tenant, scope, name)

    async def set_platform_limits(self, hard: Mapping[Unit, int | None], period: Period) -> None:
        """Set the operator's own limits over all tenants."""
        async with self._db.platform() as tx:
            for unit, limit in sorted(hard.items()):
                await tx.execute(
                    "UPDATE platform_budgets SET hard = %s, spent = CASE WHEN period = %s THEN spent ELSE 0 END, period = %s,"
                    " period_start = budget_period(%s, clock_timestamp())"
                    " WHERE unit = %s AND (hard, period) IS DISTINCT FROM (%s::bigint, %s)",
                    [_big(limit), period, period, period, unit.value, _big(limit), period],
                )

    async def budgets(self, tenant: str, *, scope: Scope | None = None, name: str | None = None) -> list[BudgetRow]:
        """Return budgets by scope, name and unit; those of a run and its steps only when that run is named."""
        async with self._db.tenant(tenant) as tx:
            return await _read(tx, tenant, scope, name)

    async def events(self, tenant: str, *, limit: int, cursor: str | None) -> Page[BudgetEvent]:
        """Return what was passed, newest first.

        Raises:
            BadRequest: the cursor is none of ours.
        """
        at, event = decode_cursor(cursor, 2) if cursor else (None, None)
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_EVENTS, {"tenant": tenant, "at": at, "event": event, "limit": limit + 1})
        page = [_event(row) for row in rows[:limit]]
        more = encode_cursor(page[-1].at, page[-1].event) if len(rows) > limit else None
        return Page[BudgetEvent](items=tuple(page), next_cursor=more)

    async def untold(self, tenant: str, *, limit: int) -> list[BudgetEvent]:
        """Return events that nobody was told yet, oldest first."""
        async with self._db.tenant(tenant) as tx:
            return [_event(row) for row in await tx.rows(_UNTOLD, {"tenant": tenant, "limit": limit})]

    async def mark_told(self, tenant: str, event: str) -> None:
        """Remember that an event was told."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute("UPDATE budget_events SET told_at = clock_timestamp() WHERE tenant_id = %s AND event = %s", [tenant, event])

    async def bring_back(self, tenant: str, *, idle_ms: int) -> int:
        """Bring back what dead attempts and idle runs hold, run by run; return how many runs gave something back."""
        async with self._db.tenant(tenant) as tx:
            runs = [str(row["run"]) for row in await tx.rows("SELECT run FROM budget_leaks(%s, %s) AS run", [tenant, Int8(idle_ms)])]
        back = 0
        for run in runs:
            row = await self._db.call(tenant, "budget_reclaim", [run])
            back += bool(row["answer"])
        async with self._db.tenant(tenant) as tx:
            await tx.execute("SELECT budget_return_tenant(%s)", [tenant])
        return back


async def _require(tx: Transaction, tenant: str, scope: Scope, name: str) -> None:
    known = {
        "tenant": b"SELECT 1 AS found WHERE %(name)s = ''",
        "definition": b"SELECT 1 AS found FROM definitions WHERE tenant_id = %(tenant)s AND name = %(name)s",
        "run": b"SELECT 1 AS found FROM runs WHERE tenant_id = %(tenant)s AND run = %(name)s",
    }
    query = known.get(scope)
    if query is None or await tx.row(query, {"tenant": tenant, "name": name}) is None:
        raise NotFound(f"there is no {scope} {name} here whose budget could be set")


async def _read(tx: Transaction, tenant: str, scope: Scope | None, name: str | None) -> list[BudgetRow]:
    if scope in ("run", "step"):
        rows = [row for row in await tx.rows(_OF_RUN, {"tenant": tenant, "run": name}) if scope == "step" or row["scope"] == scope]
    else:
        rows = await tx.rows(_NODES, {"tenant": tenant, "scope": scope, "name": name})
    return [_budget(row) for row in rows]


def _budget(row: Row) -> BudgetRow:
    return BudgetRow(
        scope=cast("Scope", row["scope"]),
        name=row["name"],
        unit=Unit(row["unit"]),
        hard=row["hard"],
        soft=row["soft"],
        thresholds=tuple(row["thresholds"]),
        period=row["period"],
        period_start=rfc3339_or_none(row["period_start"]) if row["period"] != "total" else None,
        reserved=row["reserved"],
        spent=row["spent"],
    )


def _event(row: Row) -> BudgetEvent:
    fields = {name: row[name] for name in BudgetEvent.model_fields if name != "at"}
    return BudgetEvent.model_validate({**fields, "at": rfc3339(row["at"])})


def _big(amount: int | None) -> Int8 | None:
    return None if amount is None else Int8(amount)
