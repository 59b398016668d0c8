"""The tables of registered tools, grants, the audit of calls, and the watch over them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, BigInteger, Boolean, DateTime, ForeignKeyConstraint, Index, Integer, Text

from adapters.postgres.columns import Table, column


class Tools(Table, table=True):
    """A version of a tool as a tenant has it; one without a declaration is the workers' own."""

    tenant_id: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    version: str = column(Text(), primary_key=True)
    state: str = column(Text())
    declaration: dict[str, Any] | None = column(JSON(), nullable=True)  # Any: it is what JSON holds
    sha256: str | None = column(Text(), nullable=True)
    registered_by: str | None = column(Text(), nullable=True)
    registered_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class ToolChanges(Table, table=True):
    """What was said of a version, and why."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "name", "version"], ["tools.tenant_id", "tools.name", "tools.version"]),)

    tenant_id: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    version: str = column(Text(), primary_key=True)
    change: int = column(Integer(), primary_key=True)
    state: str = column(Text())
    reason: str = column(Text())
    changed_by: str = column(Text())
    changed_at: datetime = column(DateTime(timezone=True))


class ToolGrants(Table, table=True):
    """A grant, also one that was taken back."""

    tenant_id: str = column(Text(), primary_key=True)
    tool_grant: str = column(Text(), primary_key=True)
    tools: list[str] = column(ARRAY(Text()))
    agents: list[str] = column(ARRAY(Text()))
    roles: list[str] = column(ARRAY(Text()))
    reason: str = column(Text())
    granted_by: str = column(Text())
    granted_at: datetime = column(DateTime(timezone=True))
    revoked_by: str | None = column(Text(), nullable=True)
    revoked_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class ToolCalls(Table, table=True):
    """One attempt at a call; a trigger makes it of its ledger entry."""

    __table_args__ = (
        Index("tool_calls_by_time", "tenant_id", "at", "run", "seq"),
        Index("tool_calls_by_tool", "tenant_id", "tool", "at", "run", "seq"),
        Index("tool_calls_unwatched", "tenant_id", "txid", "run", "seq"),
    )

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    seq: int = column(BigInteger(), primary_key=True)
    at: datetime = column(DateTime(timezone=True))
    txid: int = column(BigInteger())
    tool: str = column(Text())
    version: str = column(Text())
    step: str | None = column(Text(), nullable=True)
    call: str | None = column(Text(), nullable=True)
    agent: str | None = column(Text(), nullable=True)
    principal: str = column(Text())
    verdict: str = column(Text())
    code: str | None = column(Text(), nullable=True)
    attempt: int = column(Integer())
    cost_usd_micros: int = column(BigInteger())
    bytes: int = column(Integer())
    shape: list[str] = column(ARRAY(Text()))
    hosts: list[str] = column(ARRAY(Text()))
    result_digest: str | None = column(Text(), nullable=True)
    registered: str | None = column(Text(), nullable=True)


class ToolWatches(Table, table=True):
    """Who watches a tenant's calls, and up to which transaction."""

    tenant_id: str = column(Text(), primary_key=True)
    epoch: int = column(BigInteger())
    holder: str = column(Text())
    lease_until: datetime = column(DateTime(timezone=True))
    txid: int = column(BigInteger())


class ToolBaselines(Table, table=True):
    """What is usual for a version of a tool."""

    tenant_id: str = column(Text(), primary_key=True)
    tool: str = column(Text(), primary_key=True)
    version: str = column(Text(), primary_key=True)
    baseline: dict[str, Any] = column(JSON())  # Any: it is what JSON holds


class ToolAnomalies(Table, table=True):
    """A call that was unlike the usual ones."""

    __table_args__ = (Index("tool_anomalies_by_time", "tenant_id", "found_at", "run", "seq", "kind"),)

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    seq: int = column(BigInteger(), primary_key=True)
    kind: str = column(Text(), primary_key=True)
    tool: str = column(Text())
    version: str = column(Text())
    agent: str | None = column(Text(), nullable=True)
    detail: str = column(Text())
    at: datetime = column(DateTime(timezone=True))
    found_at: datetime = column(DateTime(timezone=True))
    quarantined: bool = column(Boolean())
