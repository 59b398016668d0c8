"""The journal with money on PostgreSQL, many runs and steps at once, and the sums that must hold whatever happened."""

import secrets
from collections.abc import Iterable

from adapters.postgres.budgets import PostgresBudgetStore
from adapters.postgres.journal import PostgresJournal
from adapters.postgres.pool import Database, Row
from adapters.postgres.runs import PostgresRunStore
from domain.budget import Cap, Charge, Scope, Unit
from domain.budget_stores import BudgetLimit, BudgetRow
from domain.effects import Carrier, EffectClass, EffectKey, EffectState, Intent, IntentAnswer, IntentVerdict, Outcome, RetryClass
from domain.envelope import Usage
from domain.runs import Projection, RunStatus
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT, LONG_MS
from tests.contracts.postgres_bench import new_run

RUN = "run_00000000000000000000000001"

_SUMS = b"""
WITH runs_of AS (
    SELECT definition, unit, sum(allowance) AS granted FROM allowances WHERE tenant_id = %(tenant)s AND step = '' GROUP BY 1, 2
) SELECT
    (SELECT count(*) FROM allowances WHERE tenant_id = %(tenant)s AND (reserved < 0 OR spent < 0 OR settled < 0
        OR (step = '' AND (allowance < 0 OR reserved + spent > allowance)))) AS bad_rows,
    (SELECT count(*) FROM allowances a WHERE tenant_id = %(tenant)s AND step = '' AND reserved <>
        (SELECT coalesce(sum(amount), 0) FROM reservations v WHERE v.tenant_id = a.tenant_id AND v.run = a.run AND v.unit = a.unit)
    ) AS unexplained_reservations,
    (SELECT count(*) FROM budgets b WHERE tenant_id = %(tenant)s AND scope = 'definition' AND held <>
        coalesce((SELECT granted FROM runs_of r WHERE r.definition = b.name AND r.unit = b.unit), 0)) AS bad_definitions,
    (SELECT count(*) FROM budgets b WHERE tenant_id = %(tenant)s AND scope = 'tenant' AND held <>
        coalesce((SELECT sum(granted) FROM runs_of r WHERE r.unit = b.unit), 0)) AS bad_tenant,
    (SELECT count(*) FROM budgets b WHERE tenant_id = %(tenant)s AND (held < 0 OR used < 0
        OR (scope = 'tenant' AND held + used > allowance))) AS bad_escrow,
    (SELECT count(*) FROM (SELECT run, cost_usd_micros - (SELECT coalesce(sum(c.cost_usd_micros), 0) FROM costs c
        WHERE c.tenant_id = r.tenant_id AND c.run = r.run) AS off
        FROM runs r WHERE tenant_id = %(tenant)s) AS x WHERE off <> 0) AS bad_costs
"""


class MoneyBench:
    """A tenant's journal and budgets."""

    def __init__(self, db: Database, tenant: str) -> None:
        cipher = XorCipher()
        self.tenant = tenant
        self.db = db
        self.journal = PostgresJournal(db, cipher)
        self.runs = PostgresRunStore(db, cipher)
        self.budgets = PostgresBudgetStore(db)
        self.tokens: dict[tuple[str, str], str] = {}

    async def accept(self, *runs: str, definition: str = "delay-claim") -> "MoneyBench":
        """Accept runs."""
        for run in runs or (RUN,):
            await self.runs.accept(new_run(self.tenant, run, definition=definition))
        return self

    async def limit(self, scope: Scope, name: str, hard: int | None, **more: object) -> list[BudgetRow]:
        """Set one limit, in micro-USD unless `unit` says otherwise."""
        limit = BudgetLimit.model_validate({"unit": Unit.USD_MICROS, "hard": hard, **more})
        if scope == "definition":
            async with self.db.tenant(self.tenant) as tx:
                await tx.execute("INSERT INTO definitions (tenant_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", [self.tenant, name])
        return await self.budgets.set_limits(self.tenant, scope, name, [limit])

    async def begin(
        self,
        step: str = "a",
        usd: int | None = 0,
        *,
        run: str = RUN,
        tokens: int = 0,
        ms: int = 0,
        caps: Iterable[Cap] = (),
        forced: bool = False,
        lease_ms: int = LONG_MS,
        retry_class: RetryClass = RetryClass.IDEMPOTENT,
    ) -> IntentVerdict:
        """Ask to begin an attempt that may cost so much."""
        token = secrets.token_hex(8)
        verdict = await self.journal.intent(
            Intent(
                carrier=self.carrier(run),
                key=self.key(run, step),
                digest="a" * 64,
                effect_class=EffectClass.NONE if retry_class is RetryClass.IDEMPOTENT else EffectClass.MONEY,
                retry_class=retry_class,
                subject="fake/model",
                kind="agent:model:requested",
                at=AT,
                attempt=1,
                lease_token=token,
                lease_ms=lease_ms,
                temporal_run_id="temporal-1",
                charge=Charge(usd_micros=usd, tokens=tokens, ms=ms, forced=forced, caps=tuple(caps)),
            )
        )
        if verdict.answer is IntentAnswer.GO:
            self.tokens[run, step] = token
        return verdict

    async def allowed(self, step: str = "a", usd: int | None = 0, *, run: str = RUN, caps: Iterable[Cap] = ()) -> bool:
        """Whether an attempt may begin; a refusal is one of the budget's."""
        verdict = await self.begin(step, usd, run=run, caps=caps)
        assert verdict.answer in (IntentAnswer.GO, IntentAnswer.BUDGET_EXCEEDED), verdict
        return verdict.answer is IntentAnswer.GO

    async def end(
        self,
        step: str = "a",
        usd: int = 0,
        *,
        run: str = RUN,
        tokens: int = 0,
        ms: int = 0,
        state: EffectState = EffectState.DONE,
        token: str | None = None,
    ) -> None:
        """Tell how the last attempt of a step ended, and what it cost."""
        error = None if state is EffectState.DONE else {"code": "tool-unavailable", "detail": "503", "retryable": "true"}
        await self.journal.outcome(
            Outcome(
                carrier=self.carrier(run),
                key=self.key(run, step),
                lease_token=token or self.tokens[run, step],
                state=state,
                kind="agent:model:answered",
                at=AT,
                attempt=1,
                error=error,
                usage=Usage(input_tokens=tokens, cost_usd_micros=usd, duration_ms=ms, model="fake/model"),
            )
        )

    async def flush(self, status: RunStatus, *, run: str = RUN, fact_seq: int = 0) -> None:
        """Write a run's status."""
        await self.journal.flush(self.carrier(run), Projection(status=status), fact_seq=fact_seq)

    async def row(self, scope: Scope, name: str, unit: Unit = Unit.USD_MICROS) -> BudgetRow:
        """Return one budget."""
        return next(row for row in await self.budgets.budgets(self.tenant, scope=scope, name=name) if row.unit is unit)

    async def check(self) -> None:
        """Every sum holds: rows are explained by reservations, budgets by runs, runs by costs."""
        async with self.db.tenant(self.tenant) as tx:
            found = await tx.row(_SUMS, {"tenant": self.tenant})
        assert found is not None
        assert {name: count for name, count in found.items() if count} == {}

    async def rows(self, query: bytes) -> list[Row]:
        """Read with the tenant as `%(tenant)s`."""
        async with self.db.tenant(self.tenant) as tx:
            return await tx.rows(query, {"tenant": self.tenant})

    def carrier(self, run: str) -> Carrier:
        """Build a run's carrier."""
        return Carrier(tenant=self.tenant, run=run, epoch=1, principal="prn_a", correlation_id="corr")

    def key(self, run: str, step: str) -> EffectKey:
        """Build the key of a step's effect."""
        return EffectKey(tenant=self.tenant, run=run, step=step, visit=1, call="1.model")
