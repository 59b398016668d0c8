"""The tables of data subjects: their keys, erasures, retention rules and legal holds."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Integer, LargeBinary, Text, text

from adapters.postgres.columns import Table, column


class SubjectKeys(Table, table=True):
    """A data subject's key, wrapped under the tenant's; destroyed when `wrapped` is null."""

    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)"),
        Index("subject_keys_live", "tenant_id", "subject", unique=True, postgresql_where=text("destroyed_at IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    key_id: str = column(Text(), primary_key=True)
    subject: str = column(Text())
    wrapped: bytes | None = column(LargeBinary(), nullable=True)
    created_at: datetime = column(DateTime(timezone=True))
    destroyed_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class Erasures(Table, table=True):
    """One erasure, anonymisation or purge: what went, and who asked."""

    __table_args__ = (
        Index("erasures_by_time", "tenant_id", "requested_at", "erasure"),
        Index("erasures_open", "tenant_id", "erasure", postgresql_where=text("completed_at IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    erasure: str = column(Text(), primary_key=True)
    mode: str = column(Text())
    subject: str | None = column(Text(), nullable=True)
    requested_by: str = column(Text())
    requested_at: datetime = column(DateTime(timezone=True))
    completed_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    runs: int = column(Integer())
    subject_keys: int = column(Integer())
    payloads: int = column(BigInteger())
    messages: int = column(BigInteger())
    approvals: int = column(Integer())
    tasks: int = column(Integer())
    answers: int = column(Integer())
    objects: int = column(BigInteger())
    histories: int = column(Integer())


class RetentionRules(Table, table=True):
    """How many days closed runs of a definition keep their content; `definition` '' is every other one."""

    tenant_id: str = column(Text(), primary_key=True)
    definition: str = column(Text(), primary_key=True)
    keep_days: int = column(Integer())
    set_by: str = column(Text())
    set_at: datetime = column(DateTime(timezone=True))


class LegalHolds(Table, table=True):
    """A legal hold; its reason is sealed under the tenant's key."""

    __table_args__ = (Index("legal_holds_standing", "tenant_id", "scope", "name", postgresql_where=text("released_at IS NULL")),)

    tenant_id: str = column(Text(), primary_key=True)
    hold: str = column(Text(), primary_key=True)
    scope: str = column(Text())
    name: str = column(Text())
    reason_sealed: bytes = column(LargeBinary())
    placed_by: str = column(Text())
    placed_at: datetime = column(DateTime(timezone=True))
    released_by: str | None = column(Text(), nullable=True)
    released_at: datetime | None = column(DateTime(timezone=True), nullable=True)
