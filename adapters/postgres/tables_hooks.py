"""The tables of inbound webhooks: sources, secrets, requests, and the steps that listen for signals."""

from datetime import datetime

from sqlalchemy import JSON, Boolean, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Text, text

from adapters.postgres.columns import Table, column


class Hooks(Table, table=True):
    """A source; `rules` is what may be changed of it, as JSON. A removed one keeps its row."""

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
        Index("hooks_by_name", "tenant_id", "name", unique=True, postgresql_where=text("removed_at IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    hook: str = column(Text(), primary_key=True)
    name: str = column(Text())
    scheme: str = column(Text())
    rules: dict[str, object] = column(JSON())
    enabled: bool = column(Boolean())
    created_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))
    updated_at: datetime = column(DateTime(timezone=True))
    removed_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class HookSecrets(Table, table=True):
    """A secret, sealed; valid until `expires_at`."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "hook"], ["hooks.tenant_id", "hooks.hook"]),)

    tenant_id: str = column(Text(), primary_key=True)
    hook: str = column(Text(), primary_key=True)
    secret_id: str = column(Text(), primary_key=True)
    sealed: bytes = column(LargeBinary())
    created_at: datetime = column(DateTime(timezone=True))
    expires_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class HookRequests(Table, table=True):
    """A verified request; `held` is what is kept of it, sealed, until it is done."""

    __table_args__ = (
        Index("hook_requests_by_content", "tenant_id", "hook", "content", unique=True),
        Index("hook_requests_by_time", "tenant_id", "hook", "received_at", "webhook_id"),
        Index("hook_requests_unsettled", "tenant_id", "tried_at", postgresql_where=text("state IN ('waiting', 'sending')")),
        ForeignKeyConstraint(["tenant_id", "hook"], ["hooks.tenant_id", "hooks.hook"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    hook: str = column(Text(), primary_key=True)
    webhook_id: str = column(Text(), primary_key=True)
    content: str = column(Text())
    first: str = column(Text())
    state: str = column(Text())
    run: str | None = column(Text(), nullable=True)
    correlation_id: str = column(Text())
    received_at: datetime = column(DateTime(timezone=True))
    tried_at: datetime = column(DateTime(timezone=True))
    settled_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    attempts: int = column(Integer())
    detail: str | None = column(Text(), nullable=True)
    held: bytes | None = column(LargeBinary(), nullable=True)


class Listeners(Table, table=True):
    """A step that listens for a signal from outside."""

    __table_args__ = (
        Index("listeners_open", "tenant_id", "hash", "opened_at", postgresql_where=text("opened AND taken_by IS NULL")),
        ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    step: str = column(Text(), primary_key=True)
    visit: int = column(Integer(), primary_key=True)
    signal: str = column(Text())
    hash: str = column(Text())
    opened: bool = column(Boolean())
    epoch: int = column(Integer())
    fact_seq: int = column(Integer())
    opened_at: datetime = column(DateTime(timezone=True))
    taken_by: str | None = column(Text(), nullable=True)
