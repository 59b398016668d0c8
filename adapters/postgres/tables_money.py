"""The tables of money: budgets, allowances, reservations, settled costs, threshold events (JOURNAL §3)."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKeyConstraint, Index, Integer, Text, text

from adapters.postgres.columns import Table, column


class PlatformBudgets(Table, table=True):
    """The operator's own limits over all tenants; one row per unit, and no tenant."""

    unit: str = column(Text(), primary_key=True)
    hard: int | None = column(BigInteger(), nullable=True)
    period: str = column(Text())
    period_start: datetime = column(DateTime(timezone=True))
    held: int = column(BigInteger())
    spent: int = column(BigInteger())


class Budgets(Table, table=True):
    """Limits of a tenant (name '') or a definition in one unit; `held` is granted to runs and not yet reported as spent."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),)

    tenant_id: str = column(Text(), primary_key=True)
    scope: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    unit: str = column(Text(), primary_key=True)
    hard: int | None = column(BigInteger(), nullable=True)
    soft: int | None = column(BigInteger(), nullable=True)
    thresholds: list[int] = column(ARRAY(Integer()))
    told: int = column(Integer())
    period: str = column(Text())
    period_start: datetime = column(DateTime(timezone=True))
    held: int = column(BigInteger())
    spent: int = column(BigInteger())
    allowance: int = column(BigInteger())
    used: int = column(BigInteger())
    updated_at: datetime = column(DateTime(timezone=True))


class Allowances(Table, table=True):
    """What a run (step '') or a step may use of one unit; `spent` is not yet reported to tenant and definition, `settled` is."""

    __table_args__ = (
        Index("allowances_granted", "tenant_id", "unit", "run", postgresql_where=text("allowance > 0")),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    step: str = column(Text(), primary_key=True)
    unit: str = column(Text(), primary_key=True)
    definition: str = column(Text())
    hard: int | None = column(BigInteger(), nullable=True)
    soft: int | None = column(BigInteger(), nullable=True)
    thresholds: list[int] = column(ARRAY(Integer()))
    told: int = column(Integer())
    allowance: int = column(BigInteger())
    reserved: int = column(BigInteger())
    spent: int = column(BigInteger())
    settled: int = column(BigInteger())
    updated_at: datetime = column(DateTime(timezone=True))


class Reservations(Table, table=True):
    """One effect's worst case in one unit, from intent to outcome."""

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    step: str = column(Text(), primary_key=True)
    visit: int = column(Integer(), primary_key=True)
    call: str = column(Text(), primary_key=True)
    unit: str = column(Text(), primary_key=True)
    token: str = column(Text())
    amount: int = column(BigInteger())


class Costs(Table, table=True):
    """What one attempt cost; never changed. `reserved_*` is the worst case that was foreseen."""

    __table_args__ = (
        Index("costs_by_time", "tenant_id", "settled_at"),
        Index("costs_by_model", "tenant_id", "model", "settled_at"),
    )

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    step: str = column(Text(), primary_key=True)
    visit: int = column(Integer(), primary_key=True)
    call: str = column(Text(), primary_key=True)
    token: str = column(Text(), primary_key=True)
    settled_at: datetime = column(DateTime(timezone=True))
    definition: str = column(Text())
    subject: str = column(Text())
    model: str | None = column(Text(), nullable=True)
    input_tokens: int = column(BigInteger())
    output_tokens: int = column(BigInteger())
    cost_usd_micros: int = column(BigInteger())
    duration_ms: int = column(BigInteger())
    reserved_usd_micros: int = column(BigInteger())
    reserved_tokens: int = column(BigInteger())


class BudgetEvents(Table, table=True):
    """A threshold that spending passed; `told_at` is set once ledger and subscribers know."""

    __table_args__ = (
        Index("budget_events_by_time", "tenant_id", "at", "event"),
        Index("budget_events_untold", "tenant_id", "at", postgresql_where=text("told_at IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    event: str = column(Text(), primary_key=True)
    at: datetime = column(DateTime(timezone=True))
    scope: str = column(Text())
    name: str = column(Text())
    unit: str = column(Text())
    threshold: int = column(Integer())
    basis: int = column(BigInteger())
    spent: int = column(BigInteger())
    run: str = column(Text())
    told_at: datetime | None = column(DateTime(timezone=True), nullable=True)
