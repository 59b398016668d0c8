"""The tables of calendars, of reviewers' substitutes, and of what the inbox filters by."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, DateTime, ForeignKeyConstraint, Index, Integer, Text, text

from adapters.postgres.columns import Table, column


class Calendars(Table, table=True):
    """One version of a working-hours calendar."""

    tenant_id: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    version: int = column(Integer(), primary_key=True)
    calendar: dict[str, Any] = column(JSON())  # Any: it is what JSON holds
    created_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))
    retired_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class Substitutes(Table, table=True):
    """A reviewer's substitute for a time; `roles` empty means all of the reviewer's."""

    __table_args__ = (
        Index("substitutes_standing", "tenant_id", "substitute", "until", postgresql_where=text("ended_at IS NULL")),
        Index("substitutes_by_reviewer", "tenant_id", "reviewer", "since", "substitution"),
        ForeignKeyConstraint(["tenant_id", "reviewer"], ["principals.tenant_id", "principals.principal"]),
        ForeignKeyConstraint(["tenant_id", "substitute"], ["principals.tenant_id", "principals.principal"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    substitution: str = column(Text(), primary_key=True)
    reviewer: str = column(Text())
    substitute: str = column(Text())
    roles: list[str] = column(ARRAY(Text()))
    since: datetime = column(DateTime(timezone=True))
    until: datetime = column(DateTime(timezone=True))
    set_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))
    ended_by: str | None = column(Text(), nullable=True)
    ended_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class ApprovalFacets(Table, table=True):
    """One value that the inbox finds an approval by; triggers keep it in step with the approval's row."""

    __table_args__ = (
        Index("approval_facets_by_due", "tenant_id", "facet", "value", "state", "due", "approval"),
        Index("approval_facets_by_opening", "tenant_id", "facet", "value", "state", "opened_at", "approval"),
        ForeignKeyConstraint(["tenant_id", "approval"], ["approvals.tenant_id", "approvals.approval"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    approval: str = column(Text(), primary_key=True)
    facet: str = column(Text(), primary_key=True)
    value: str = column(Text(), primary_key=True)
    state: str = column(Text())
    due: datetime = column(DateTime(timezone=True))
    opened_at: datetime = column(DateTime(timezone=True))
