"""The table of redrives and forks: starts that carry state, kept until their workflow has started."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKeyConstraint, Index, Integer, Text, text

from adapters.postgres.columns import Table, column


class Continuations(Table, table=True):
    """The next epoch of a redriven run, or the first one of a fork; `start_ref` names the payload of its workflow's input."""

    __table_args__ = (
        Index("continuations_unstarted", "tenant_id", "created_at", postgresql_where=text("started_at IS NULL")),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    epoch: int = column(Integer(), primary_key=True)
    kind: str = column(Text())
    after_temporal_run_id: str = column(Text())
    start_ref: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))
    lease_until: datetime = column(DateTime(timezone=True))
    started_at: datetime | None = column(DateTime(timezone=True), nullable=True)
