"""Settled costs, summed up (DESIGN §9)."""

from datetime import UTC, datetime

from adapters.postgres.pool import Database
from domain.costs import SAMPLES_MAX, SAMPLES_MIN, Calibration, CostGroup, CostQuery, GroupBy, Invoice, InvoiceLine, quantiles

_KEYS: dict[GroupBy, bytes] = {
    "run": b"run",
    "step": b"definition || '/' || step",
    "agent": b"definition || '/' || step",
    "definition": b"definition",
    "model": b"coalesce(model, subject)",
    "tenant": b"tenant_id",
    "day": b"to_char(settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_AGENTS = b" AND call LIKE '%%.%%'"
"""An agent's calls are named `turn.place`; those of a plain step have no turn."""

_SUMS = (
    b"count(*) AS calls, sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,"
    b" sum(cost_usd_micros)::bigint AS cost_usd_micros"
)
_WHERE = (
    b" FROM costs WHERE tenant_id = %(tenant)s"
    b" AND (%(since)s::timestamptz IS NULL OR settled_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR settled_at < %(until)s)"
    b" AND (%(run)s::text IS NULL OR run = %(run)s) AND (%(definition)s::text IS NULL OR definition = %(definition)s)"
    b" AND (%(model)s::text IS NULL OR model = %(model)s)"
)
_INVOICE = (
    b"SELECT definition, coalesce(model, subject) AS subject, "
    + _SUMS
    + b" FROM costs WHERE tenant_id = %(tenant)s AND settled_at >= %(since)s AND settled_at < %(until)s GROUP BY 1, 2 ORDER BY 1, 2"
)
_RATIOS = b"""
SELECT cost_usd_micros, reserved_usd_micros, input_tokens + output_tokens AS tokens, reserved_tokens FROM costs
WHERE tenant_id = %(tenant)s AND model = %(model)s AND reserved_tokens > 0 ORDER BY settled_at DESC LIMIT %(limit)s
"""
_RUNS = b"""
SELECT cost_usd_micros, input_tokens + output_tokens AS tokens FROM runs
WHERE tenant_id = %(tenant)s AND definition = %(definition)s AND status = 'succeeded' ORDER BY created_at DESC, run DESC LIMIT %(limit)s
"""


class PostgresCostStore:
    """Implements `CostStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def grouped(self, tenant: str, query: CostQuery) -> list[CostGroup]:
        """Return sums by group, the dearest first; days in order."""
        order = b"1" if query.by == "day" else b"cost_usd_micros DESC, input_tokens + output_tokens DESC, 1"
        sums = b"SELECT " + _KEYS[query.by] + b" AS key, " + _SUMS + b", sum(duration_ms)::bigint AS duration_ms"
        agents = _AGENTS if query.by == "agent" else b""
        # A name in ORDER BY means the output column only when it stands alone, so the sums come from a subquery.
        text = b"SELECT * FROM (" + sums + _WHERE + agents + b" GROUP BY 1) AS sums ORDER BY " + order + b" LIMIT %(limit)s"
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(text, {**query.model_dump(exclude={"by"}), "tenant": tenant})
        return [CostGroup.model_validate(dict(row)) for row in rows]

    async def invoice(self, tenant: str, month: str) -> Invoice:
        """Return the lines of a month `YYYY-MM`, in UTC."""
        since = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        until = since.replace(year=since.year + since.month // 12, month=since.month % 12 + 1)
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_INVOICE, {"tenant": tenant, "since": since, "until": until})
            now = await tx.row("SELECT clock_timestamp() AS now")
        lines = tuple(InvoiceLine.model_validate(dict(row)) for row in rows)
        closed = now is not None and now["now"] >= until
        return Invoice(tenant=tenant, month=month, closed=closed, lines=lines, total_usd_micros=sum(line.cost_usd_micros for line in lines))

    async def calibration(self, tenant: str, model: str) -> Calibration:
        """Return how a model's newest settled calls compare with their worst cases."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_RATIOS, {"tenant": tenant, "model": model, "limit": SAMPLES_MAX})
        if len(rows) < SAMPLES_MIN:
            return Calibration(samples=len(rows))
        tokens = quantiles([row["tokens"] / row["reserved_tokens"] for row in rows])
        paid = [row["cost_usd_micros"] / row["reserved_usd_micros"] for row in rows if row["reserved_usd_micros"] > 0]
        return Calibration(samples=len(rows), tokens=tokens, usd=quantiles(paid) if len(paid) >= SAMPLES_MIN else tokens)

    async def runs_of(self, tenant: str, definition: str) -> list[tuple[int, int]]:
        """Return (micro-USD, tokens) of the newest succeeded runs of a definition."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_RUNS, {"tenant": tenant, "definition": definition, "limit": SAMPLES_MAX})
        return [(row["cost_usd_micros"], row["tokens"]) for row in rows]
