"""Reads stored nodes of a tenant's Merkle log, and turns rows of heads and keys into values."""

from collections.abc import Callable, Collection

from adapters.postgres.pool import Row, Transaction
from adapters.postgres.sealer_queries import LEAVES, NODES
from adapters.postgres.values import microseconds
from domain.errors import LogBroken
from domain.merkle import NodeId, leaf_hash
from domain.tree_heads import PublicKey, SignedTreeHead


async def load_nodes(tx: Transaction, tenant: str, wanted: Collection[NodeId]) -> Callable[[NodeId], bytes]:
    """Return a lookup of these complete subtrees, read by two statements.

    Raises:
        LogBroken: by the lookup, for a node that is not stored.
    """
    inner = [node for node in wanted if node.level > 0]
    found: dict[NodeId, bytes] = {}
    if inner:
        given = {"tenant": tenant, "levels": [node.level for node in inner], "places": [node.place for node in inner]}
        found |= {NodeId(row["level"], row["place"]): bytes(row["hash"]) for row in await tx.rows(NODES, given)}
    if places := [node.place for node in wanted if node.level == 0]:
        rows = await tx.rows(LEAVES, {"tenant": tenant, "places": places})
        found |= {NodeId(0, row["leaf_index"]): leaf_hash(bytes(row["entry_hash"])) for row in rows}

    def lookup(node: NodeId) -> bytes:
        if node not in found:
            raise LogBroken(f"the log of tenant {tenant} lacks node {node.place} of level {node.level}: rows were deleted")
        return found[node]

    return lookup


def head_of(row: Row) -> SignedTreeHead:
    """Return a row of `tree_heads` as a value."""
    return SignedTreeHead(
        tenant=row["tenant_id"],
        tree_size=row["tree_size"],
        root_hash=bytes(row["root_hash"]),
        timestamp_us=microseconds(row["signed_at"]),
        key_id=row["key_id"],
        signature=bytes(row["signature"]),
    )


def key_of(row: Row) -> PublicKey:
    """Return a row of `signing_keys` as a value."""
    return PublicKey(
        tenant=row["tenant_id"],
        key_id=row["key_id"],
        public_key=bytes(row["public_key"]),
        generation=row["generation"],
        valid_from_us=microseconds(row["valid_from"]),
        valid_to_us=None if row["valid_to"] is None else microseconds(row["valid_to"]),
    )
