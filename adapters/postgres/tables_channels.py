"""The tables of channels to reviewers: channels, contacts, and the generations of link keys."""

from datetime import datetime

from sqlalchemy import ARRAY, Boolean, CheckConstraint, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Text

from adapters.postgres.columns import Table, column


class Channels(Table, table=True):
    """A channel; its target is sealed under the tenant's key."""

    __table_args__ = (
        CheckConstraint("reviewer_role IS NULL OR principal IS NULL"),
        CheckConstraint("coalesce(reviewer_role, principal) IS NOT NULL OR target_sealed IS NOT NULL"),
        Index("channels_by_name", "tenant_id", "name", unique=True),
    )

    tenant_id: str = column(Text(), primary_key=True)
    channel: str = column(Text(), primary_key=True)
    name: str = column(Text())
    kind: str = column(Text())
    reviewer_role: str | None = column(Text(), nullable=True)
    principal: str | None = column(Text(), nullable=True)
    target_sealed: bytes | None = column(LargeBinary(), nullable=True)
    events: list[str] = column(ARRAY(Text()))
    enabled: bool = column(Boolean())
    created_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))


class ReviewerContacts(Table, table=True):
    """Where a reviewer is reached by channels of a kind; sealed under the tenant's key."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "principal"], ["principals.tenant_id", "principals.principal"]),)

    tenant_id: str = column(Text(), primary_key=True)
    principal: str = column(Text(), primary_key=True)
    kind: str = column(Text(), primary_key=True)
    address_sealed: bytes = column(LargeBinary())
    set_by: str = column(Text())
    set_at: datetime = column(DateTime(timezone=True))


class ReviewLinkKeys(Table, table=True):
    """Which generations of a tenant's link keys count: new links take `generation`, those older than `oldest` are dead."""

    __table_args__ = (CheckConstraint("generation >= oldest"), CheckConstraint("oldest >= 1"))

    tenant_id: str = column(Text(), primary_key=True)
    generation: int = column(Integer())
    oldest: int = column(Integer())
    rotated_at: datetime = column(DateTime(timezone=True))
