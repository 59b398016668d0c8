"""The tables of webhooks and deliveries: subscriptions, the relay's cursors, deliveries and their log."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Text, text

from adapters.postgres.columns import Table, column


class Subscriptions(Table, table=True):
    """A webhook; its URL is sealed, since many carry a secret in it."""

    __table_args__ = (
        Index("subscriptions_by_creation", "tenant_id", "created_at", "subscription", postgresql_where=text("deleted_at IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    subscription: str = column(Text(), primary_key=True)
    url_sealed: bytes = column(LargeBinary())
    description: str = column(Text())
    events: list[str] = column(ARRAY(Text()))
    ordered: bool = column(Boolean())
    enabled: bool = column(Boolean())
    created_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))
    updated_at: datetime = column(DateTime(timezone=True))
    deleted_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class SubscriptionSecrets(Table, table=True):
    """A signing secret; the newest one never expires."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "subscription"], ["subscriptions.tenant_id", "subscriptions.subscription"]),)

    tenant_id: str = column(Text(), primary_key=True)
    subscription: str = column(Text(), primary_key=True)
    generation: int = column(Integer(), primary_key=True)
    sealed: bytes = column(LargeBinary())
    created_at: datetime = column(DateTime(timezone=True))
    expires_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class DeliveryEndpoints(Table, table=True):
    """What is known of an endpoint of any channel: whether it is left alone now, or disabled."""

    tenant_id: str = column(Text(), primary_key=True)
    channel: str = column(Text(), primary_key=True)
    endpoint: str = column(Text(), primary_key=True)
    throttled_until: datetime | None = column(DateTime(timezone=True), nullable=True)
    disabled_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    disabled_reason: str | None = column(Text(), nullable=True)
    delivered_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    failed_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class Deliveries(Table, table=True):
    """One event on its way to one endpoint; `document` is what is sent, byte for byte."""

    __table_args__ = (
        Index("deliveries_by_endpoint", "tenant_id", "channel", "endpoint", "created_at", "delivery"),
        Index("deliveries_pending", "tenant_id", "channel", "endpoint", "run", "seq", postgresql_where=text("state = 'pending'")),
        Index("deliveries_over", "tenant_id", "settled_at", postgresql_where=text("state IN ('delivered', 'discarded')")),
        Index(
            "deliveries_unstarted",
            "tenant_id",
            "channel",
            "endpoint",
            "created_at",
            postgresql_where=text("state = 'pending' AND started_round < round"),
        ),
    )

    tenant_id: str = column(Text(), primary_key=True)
    delivery: str = column(Text(), primary_key=True)
    channel: str = column(Text())
    endpoint: str = column(Text())
    event: str = column(Text())
    type: str = column(Text())
    run: str | None = column(Text(), nullable=True)
    seq: int = column(BigInteger())
    document: str = column(Text())
    ordered: bool = column(Boolean())
    state: str = column(Text())
    reason: str = column(Text())
    round: int = column(Integer())
    started_round: int = column(Integer())
    attempts: int = column(Integer())
    created_at: datetime = column(DateTime(timezone=True))
    next_attempt_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    settled_at: datetime | None = column(DateTime(timezone=True), nullable=True)


class DeliveryAttempts(Table, table=True):
    """One line of the delivery log."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "delivery"], ["deliveries.tenant_id", "deliveries.delivery"]),)

    tenant_id: str = column(Text(), primary_key=True)
    delivery: str = column(Text(), primary_key=True)
    round: int = column(Integer(), primary_key=True)
    attempt: int = column(Integer(), primary_key=True)
    tries: int = column(Integer(), primary_key=True)
    started_at: datetime = column(DateTime(timezone=True))
    outcome: str = column(Text())
    status: int | None = column(Integer(), nullable=True)
    detail: str = column(Text())
    duration_ms: int = column(Integer())


class Relays(Table, table=True):
    """The lease of a tenant's relay; `epoch` is its fence."""

    tenant_id: str = column(Text(), primary_key=True)
    since: datetime = column(DateTime(timezone=True))
    epoch: int = column(BigInteger())
    holder: str = column(Text())
    lease_until: datetime = column(DateTime(timezone=True))


class RelayCursors(Table, table=True):
    """How far a run is read."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "run"], ["runs.tenant_id", "runs.run"]),)

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    seq: int = column(BigInteger())
