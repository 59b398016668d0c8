"""The tables of runs' workspaces, of what agents remember, and of which run started which."""

from datetime import datetime

from sqlalchemy import ARRAY, REAL, BigInteger, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Text

from adapters.postgres.columns import Table, column


class WorkspaceFiles(Table, table=True):
    """A file of a run's workspace; its content is the payload `ref`."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),)

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    path_digest: str = column(Text(), primary_key=True)
    ref: str = column(Text())
    size: int = column(BigInteger())
    meta_sealed: bytes = column(LargeBinary())
    written_at: datetime = column(DateTime(timezone=True))


class MemoryRecords(Table, table=True):
    """A text that a run saved, with its vector and its labels."""

    __table_args__ = (
        Index("memory_records_by_namespace", "tenant_id", "namespace", "embedder", "record"),
        Index("memory_records_by_run", "tenant_id", "run"),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    record: str = column(Text(), primary_key=True)
    namespace: str = column(Text())
    run: str = column(Text())
    agent: str | None = column(Text(), nullable=True)
    embedder: str = column(Text())
    embedding: list[float] = column(ARRAY(REAL))
    labels: list[str] = column(ARRAY(Text()))
    quarantine: str | None = column(Text(), nullable=True)
    reviewed_by: str | None = column(Text(), nullable=True)
    sealed: bytes = column(LargeBinary())
    saved_at: datetime = column(DateTime(timezone=True))


class ChildRuns(Table, table=True):
    """A run that another one started."""

    __table_args__ = (
        Index("child_runs_by_parent", "tenant_id", "parent", "run"),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    parent: str = column(Text())
    depth: int = column(Integer())
