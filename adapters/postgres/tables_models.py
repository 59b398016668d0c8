"""The table of what tenants say of models."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Text

from adapters.postgres.columns import Table, column


class ModelAliases(Table, table=True):
    """What one word of a tenant stands for: a model and the chain behind it."""

    tenant_id: str = column(Text(), primary_key=True)
    alias: str = column(Text(), primary_key=True)
    meaning: dict[str, Any] = column(JSON())  # Any: it is what JSON holds
    set_by: str = column(Text())
    set_at: datetime = column(DateTime(timezone=True))
