"""The tables of the sealer (JOURNAL §4): the Merkle log of each tenant, its signed heads and keys, and where heads are anchored."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, SmallInteger, Text, text

from adapters.postgres.columns import Table, column


class Sealers(Table, table=True):
    """The lease of a tenant's sealer; `epoch` is its fence."""

    tenant_id: str = column(Text(), primary_key=True)
    epoch: int = column(BigInteger())
    holder: str = column(Text())
    lease_until: datetime = column(DateTime(timezone=True))


class LedgerLeaves(Table, table=True):
    """A leaf of the log: which entry stands there, and its hash."""

    __table_args__ = (Index("ledger_leaves_by_entry", "tenant_id", "run", "seq", unique=True),)

    tenant_id: str = column(Text(), primary_key=True)
    leaf_index: int = column(BigInteger(), primary_key=True)
    run: str = column(Text())
    seq: int = column(BigInteger())
    entry_hash: bytes = column(LargeBinary())


class LedgerNodes(Table, table=True):
    """A complete subtree of the log above its leaves."""

    tenant_id: str = column(Text(), primary_key=True)
    level: int = column(SmallInteger(), primary_key=True)
    place: int = column(BigInteger(), primary_key=True)
    hash: bytes = column(LargeBinary())


class SigningKeys(Table, table=True):
    """The public half of a key that signs, or signed, a tenant's heads."""

    __table_args__ = (
        Index("signing_keys_generations", "tenant_id", "generation", unique=True),
        Index("signing_keys_current", "tenant_id", unique=True, postgresql_where=text("valid_to IS NULL")),
    )

    tenant_id: str = column(Text(), primary_key=True)
    key_id: str = column(Text(), primary_key=True)
    generation: int = column(Integer())
    public_key: bytes = column(LargeBinary())
    valid_from: datetime = column(DateTime(timezone=True))
    valid_to: datetime | None = column(DateTime(timezone=True), nullable=True)


class TreeHeads(Table, table=True):
    """A signed tree head; the newest one is also how far the tenant is sealed."""

    __table_args__ = (
        Index("tree_heads_by_key", "tenant_id", "key_id", "tree_size"),
        ForeignKeyConstraint(["tenant_id", "key_id"], ["signing_keys.tenant_id", "signing_keys.key_id"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    tree_size: int = column(BigInteger(), primary_key=True)
    root_hash: bytes = column(LargeBinary())
    signed_at: datetime = column(DateTime(timezone=True))
    key_id: str = column(Text())
    signature: bytes = column(LargeBinary())
    sealer_epoch: int = column(BigInteger())


class AnchorDeliveries(Table, table=True):
    """One head on its way to one anchor."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "tree_size"], ["tree_heads.tenant_id", "tree_heads.tree_size"]),)

    tenant_id: str = column(Text(), primary_key=True)
    anchor: str = column(Text(), primary_key=True)
    tree_size: int = column(BigInteger(), primary_key=True)
    attempts: int = column(Integer())
    next_attempt_at: datetime = column(DateTime(timezone=True))
    delivered_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    error: str | None = column(Text(), nullable=True)
