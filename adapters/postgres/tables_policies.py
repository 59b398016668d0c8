"""The tables of policies: the sets of a tenant, and which of them decides."""

from datetime import datetime

from sqlalchemy import DateTime, Text

from adapters.postgres.columns import Table, column


class PolicySets(Table, table=True):
    """A version of a tenant's policies; it never changes."""

    tenant_id: str = column(Text(), primary_key=True)
    version: str = column(Text(), primary_key=True)
    cedar: str = column(Text())
    extends: str | None = column(Text(), nullable=True)
    comment: str = column(Text())
    sha256: str = column(Text())
    created_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))


class PolicyChoices(Table, table=True):
    """The version that decides a tenant's calls; no row, and the shipped set does."""

    tenant_id: str = column(Text(), primary_key=True)
    version: str = column(Text())
    chosen_by: str = column(Text())
    chosen_at: datetime = column(DateTime(timezone=True))
