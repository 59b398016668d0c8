"""The table of references of secrets."""

from datetime import datetime

from sqlalchemy import DateTime, Text

from adapters.postgres.columns import Table, column


class SecretReferences(Table, table=True):
    """Where the value of a tenant's secret lies in one environment; never the value."""

    tenant_id: str = column(Text(), primary_key=True)
    environment: str = column(Text(), primary_key=True)
    name: str = column(Text(), primary_key=True)
    reference: str = column(Text())
    set_by: str = column(Text())
    set_at: datetime = column(DateTime(timezone=True))
