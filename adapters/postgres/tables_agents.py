"""The tables of registered agents: versions, and how each came to its status."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKeyConstraint, Integer, Text

from adapters.postgres.columns import Table, column


class Agents(Table, table=True):
    """An agent's version; only its status ever changes."""

    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'"),
        CheckConstraint("status IN ('draft', 'review', 'approved', 'deprecated', 'retired')"),
    )

    tenant_id: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    version: str = column(Text(), primary_key=True)
    sha256: str = column(Text())
    manifest: dict[str, Any] = column(JSON())  # Any: it is what JSON holds
    owner: str = column(Text())
    status: str = column(Text())
    registered_at: datetime = column(DateTime(timezone=True))
    registered_by: str = column(Text())


class AgentMoves(Table, table=True):
    """A change of a version's status, the first one its registration."""

    __table_args__ = (
        CheckConstraint("place >= 1"),
        ForeignKeyConstraint(["tenant_id", "name", "version"], ["agents.tenant_id", "agents.name", "agents.version"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    version: str = column(Text(), primary_key=True)
    place: int = column(Integer(), primary_key=True)
    before: str | None = column(Text(), nullable=True)
    after: str = column(Text())
    principal: str = column(Text())
    comment: str = column(Text())
    at: datetime = column(DateTime(timezone=True))
