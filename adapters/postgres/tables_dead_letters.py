"""The tables of dead letters: what was given up, and redrives of many."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, DateTime, Double, Index, Integer, LargeBinary, Text, text

from adapters.postgres.columns import Table, column


class DeadLetters(Table, table=True):
    """Something that was given up; its detail is sealed inside `error`, for the place that `error_place` names."""

    __table_args__ = (
        CheckConstraint("kind IN ('run', 'effect', 'delivery', 'schedule', 'hook')"),
        CheckConstraint("state IN ('open', 'redriven', 'discarded')"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)"),
        Index("dead_letters_by_state", "tenant_id", "state", "last_at", "dead_letter"),
        Index("dead_letters_by_time", "tenant_id", "last_at", "dead_letter"),
        Index("dead_letters_by_run", "tenant_id", "run", postgresql_where=text("run IS NOT NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    dead_letter: str = column(Text(), primary_key=True)
    kind: str = column(Text())
    subject: str = column(Text())
    occasion: str = column(Text())
    run: str | None = column(Text(), nullable=True)
    definition: str | None = column(Text(), nullable=True)
    step: str | None = column(Text(), nullable=True)
    cause: str = column(Text())
    error: dict[str, str] = column(JSON())
    error_place: str = column(Text())
    attempts: int = column(Integer())
    first_at: datetime = column(DateTime(timezone=True))
    last_at: datetime = column(DateTime(timezone=True))
    payload_ref: str | None = column(Text(), nullable=True)
    state: str = column(Text())
    closed_by: str | None = column(Text(), nullable=True)
    reason_sealed: bytes | None = column(LargeBinary(), nullable=True)
    closed_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    lease_until: datetime | None = column(DateTime(timezone=True), nullable=True)
    last_order: str | None = column(Text(), nullable=True)
    refused: str | None = column(Text(), nullable=True)
    added_at: datetime = column(DateTime(timezone=True))


class DeadLetterRedrives(Table, table=True):
    """A redrive of many: which, how many a second, and how far it is."""

    __table_args__ = (
        CheckConstraint("rate > 0"),
        Index("dead_letter_redrives_open", "tenant_id", "next_at", postgresql_where=text("finished_at IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    redrive: str = column(Text(), primary_key=True)
    kind: str | None = column(Text(), nullable=True)
    cause: str | None = column(Text(), nullable=True)
    definition: str | None = column(Text(), nullable=True)
    since: datetime | None = column(DateTime(timezone=True), nullable=True)
    rate: float = column(Double())
    reason_sealed: bytes | None = column(LargeBinary(), nullable=True)
    requested_by: str = column(Text())
    requested_at: datetime = column(DateTime(timezone=True))
    next_at: datetime = column(DateTime(timezone=True))
    redriven: int = column(Integer())
    refused: int = column(Integer())
    finished_at: datetime | None = column(DateTime(timezone=True), nullable=True)
