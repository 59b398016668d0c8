"""Reads a tenant's Merkle log: signed heads, public keys, and proofs made of O(log n) stored nodes."""

from adapters.postgres.pool import Database, Transaction
from adapters.postgres.sealer_queries import NEWEST_HEAD
from adapters.postgres.select_texts import LEAVES_OF_RUN, SIGNING_KEYS, TREE_HEAD, TREE_HEAD_PAGE, TREE_MILESTONES
from adapters.postgres.tree_nodes import head_of, key_of, load_nodes
from adapters.postgres.values import decode_cursor, encode_cursor
from domain.errors import BadRequest, InvalidInput, NotFound
from domain.merkle import consistency_ranges, hashes_of, inclusion_ranges, needed
from domain.sealing import Inclusion
from domain.stores import Page
from domain.tree_heads import PublicKey, SignedTreeHead

_SIZE_MAX = 2**63 - 1


class PostgresTreeReader:
    """Implements `TreeReader`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self, tenant: str) -> SignedTreeHead | None:
        """Return the newest head."""
        async with self._db.tenant(tenant) as tx:
            return await _newest(tx, tenant)

    async def head(self, tenant: str, tree_size: int) -> SignedTreeHead:
        """Return the head of a size.

        Raises:
            NotFound: none was signed.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(TREE_HEAD, {"tenant": tenant, "tree_size": min(tree_size, _SIZE_MAX)})
        if row is None:
            raise NotFound(f"no tree head of {tree_size} leaves was signed; GET /v1/ledger/heads lists those that were")
        return head_of(row)

    async def heads(self, tenant: str, *, limit: int, cursor: str | None) -> Page[SignedTreeHead]:
        """Return one page, newest first."""
        before = _SIZE_MAX if cursor is None else _size_of(cursor)
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(TREE_HEAD_PAGE, {"tenant": tenant, "before": before, "limit": limit + 1})
        heads = tuple(head_of(row) for row in rows[:limit])
        return Page[SignedTreeHead](items=heads, next_cursor=encode_cursor(str(heads[-1].tree_size)) if len(rows) > limit else None)

    async def milestones(self, tenant: str) -> list[SignedTreeHead]:
        """Return the last head under each key."""
        async with self._db.tenant(tenant) as tx:
            return [head_of(row) for row in await tx.rows(TREE_MILESTONES, {"tenant": tenant})]

    async def keys(self, tenant: str) -> list[PublicKey]:
        """Return all public keys."""
        async with self._db.tenant(tenant) as tx:
            return [key_of(row) for row in await tx.rows(SIGNING_KEYS, {"tenant": tenant})]

    async def leaf_indexes(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> dict[int, int]:
        """Return sequence → leaf index."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(LEAVES_OF_RUN, {"tenant": tenant, "run": run, "after": after, "tree_size": _SIZE_MAX, "limit": limit})
        return {row["seq"]: row["leaf_index"] for row in rows}

    async def inclusions(self, tenant: str, run: str, *, tree_size: int, after: int = 0, limit: int = 1000) -> list[Inclusion]:
        """Return proofs; their nodes are read at once."""
        async with self._db.tenant(tenant) as tx:
            await _check_size(tx, tenant, tree_size)
            rows = await tx.rows(LEAVES_OF_RUN, {"tenant": tenant, "run": run, "after": after, "tree_size": tree_size, "limit": limit})
            paths = [inclusion_ranges(row["leaf_index"], tree_size) for row in rows]
            lookup = await load_nodes(tx, tenant, needed(part for path in paths for part in path))
        return [
            Inclusion(run=run, seq=row["seq"], leaf_index=row["leaf_index"], tree_size=tree_size, path=tuple(hashes_of(path, lookup)))
            for row, path in zip(rows, paths, strict=True)
        ]

    async def consistency(self, tenant: str, old: int, new: int) -> tuple[bytes, ...]:
        """Return a consistency proof.

        Raises:
            InvalidInput: not 0 < old <= new.
        """
        if not 0 < old <= new:
            raise InvalidInput(f"a consistency proof leads from a smaller tree to a larger one: give 0 < from <= to, not {old} and {new}")
        async with self._db.tenant(tenant) as tx:
            await _check_size(tx, tenant, new)
            ranges = consistency_ranges(old, new)
            lookup = await load_nodes(tx, tenant, needed(ranges))
        return tuple(hashes_of(ranges, lookup))


async def _newest(tx: Transaction, tenant: str) -> SignedTreeHead | None:
    row = await tx.row(NEWEST_HEAD, {"tenant": tenant})
    return None if row is None else head_of(row)


async def _check_size(tx: Transaction, tenant: str, tree_size: int) -> None:
    """Refuse a tree that is larger than what was signed.

    Raises:
        NotFound: it is.
    """
    newest = await _newest(tx, tenant)
    signed = 0 if newest is None else newest.tree_size
    if tree_size > signed:
        raise NotFound(f"the newest signed tree has {signed} leaves, and {tree_size} were asked for")


def _size_of(cursor: str) -> int:
    (text,) = decode_cursor(cursor, 1)
    if not text.isdecimal() or int(text) > _SIZE_MAX:
        raise BadRequest("that cursor is not one of a page of this list: take next_cursor from the page before, or leave it out")
    return int(text)
