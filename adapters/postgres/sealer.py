"""Grows each tenant's Merkle log: leaves, nodes and a signed head in one transaction, fenced by the lease's epoch (JOURNAL §4).

Nothing here follows ids, sequences or transaction numbers: a run's chain is gapless under its row lock, so its head says what there is,
and the log's own last leaf of the run says what is sealed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adapters.postgres import sealer_queries as sql
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.tree_nodes import head_of, key_of, load_nodes
from domain.errors import LogBroken
from domain.ledger import ZERO_HASH
from domain.merkle import Frontier, Node, frontier_ids, leaf_hash
from domain.sealing import BATCH_LEAVES_MAX, Refused, Sealed
from domain.tree_heads import HeadKeys, PublicKey, SignedTreeHead, TreeHead, key_id_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PostgresSealer:
    """Implements `SealStore`."""

    def __init__(self, db: Database, keys: HeadKeys, *, batch: int = BATCH_LEAVES_MAX) -> None:
        self._db = db
        self._keys = keys
        self._batch = batch

    async def waiting(self, tenant: str) -> bool:
        """Say whether entries wait, and take the flag from runs that are sealed and quiet."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.WAITING, {"tenant": tenant})
            if row is not None and row["flagged"]:
                await tx.execute(sql.FORGET_QUIET, {"tenant": tenant, "quiet": sql.QUIET_SECONDS})
        return row is not None and bool(row["waiting"])

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the lease."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.CLAIM, {"tenant": tenant, "holder": holder, "lease_s": lease_s})
        return None if row is None else int(row["epoch"])

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Let the lease end now."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.RELEASE, {"tenant": tenant, "epoch": epoch})

    async def seal(self, tenant: str, *, epoch: int, lease_s: float, without: frozenset[str] = frozenset()) -> Sealed | None:
        """Seal one batch.

        Raises:
            LogBroken: the stored log does not fit its last signed head, or this installation lacks the key.
        """
        async with self._db.tenant(tenant) as tx:
            if not await self.holds_lease(tx, tenant, epoch, lease_s):
                return None
            frontier, last = await self._frontier(tx, tenant)
            rows = await self.next_entries(tx, tenant, without)
            leaves, refused = continuing(rows)
            more = len(rows) == self._batch
            if not leaves:
                return Sealed(leaves=0, head=None, more=more, refused=refused)
            grown, nodes = frontier.extended(leaf_hash(bytes(row["hash"])) for row in leaves)
            await self._write(tx, tenant, frontier.size, leaves, nodes)
            head = await self._sign(tx, tenant, grown, last, epoch)
        return Sealed(leaves=len(leaves), head=head, more=more, refused=refused)

    async def rotate_key(self, tenant: str) -> PublicKey:
        """Begin the next key's time where the current one's ends; no head is signed between."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.LOCK_LEASE, {"tenant": tenant})
            ended = await tx.row(sql.END_KEY, {"tenant": tenant})
            if ended is None:
                return key_of(await self._insert_key(tx, tenant, 1, None))
            return key_of(await self._insert_key(tx, tenant, ended["generation"] + 1, ended["valid_to"]))

    async def holds_lease(self, tx: Transaction, tenant: str, epoch: int, lease_s: float) -> bool:
        """Whether the lease is still that epoch's; it is locked and renewed then, until the commit."""
        return await tx.row(sql.FENCE, {"tenant": tenant, "epoch": epoch, "lease_s": lease_s}) is not None

    async def next_entries(self, tx: Transaction, tenant: str, without: frozenset[str]) -> list[Row]:
        """Return the entries to seal next, by run and sequence, with what is sealed of their runs."""
        return await tx.rows(sql.BATCH, {"tenant": tenant, "limit": self._batch, "without": sorted(without)})

    async def _frontier(self, tx: Transaction, tenant: str) -> tuple[Frontier, SignedTreeHead | None]:
        """Return the tree as it was last signed; a sealer never signs on top of anything else.

        Raises:
            LogBroken: what is stored is not what this installation's key signed.
        """
        row = await tx.row(sql.NEWEST_HEAD, {"tenant": tenant})
        if row is None:
            return Frontier(), None
        head = head_of(row)
        ids = frontier_ids(head.tree_size)
        lookup = await load_nodes(tx, tenant, ids)
        frontier = Frontier(head.tree_size, tuple(lookup(node) for node in ids))
        key = await tx.row("SELECT generation FROM signing_keys WHERE tenant_id = %s AND key_id = %s", [tenant, head.key_id])
        signed = key is not None and self._keys.holds(self._keys.public(tenant, key["generation"]), head.signed_bytes(), head.signature)
        if not signed or frontier.root() != head.root_hash:
            raise LogBroken(f"the stored log of tenant {tenant} does not fit its signed head of {head.tree_size} leaves: it was changed")
        return frontier, head

    @staticmethod
    async def _write(tx: Transaction, tenant: str, first: int, leaves: Sequence[Row], nodes: Sequence[Node]) -> None:
        given = {
            "tenant": tenant,
            "indexes": list(range(first, first + len(leaves))),
            "runs": [row["run"] for row in leaves],
            "seqs": [row["seq"] for row in leaves],
            "hashes": [row["hash"] for row in leaves],
        }
        await tx.execute(sql.INSERT_LEAVES, given)
        if nodes:
            levels, places = [node.id.level for node in nodes], [node.id.place for node in nodes]
            await tx.execute(
                sql.INSERT_NODES, {"tenant": tenant, "levels": levels, "places": places, "hashes": [node.hash for node in nodes]}
            )

    async def _sign(self, tx: Transaction, tenant: str, tree: Frontier, last: SignedTreeHead | None, epoch: int) -> SignedTreeHead:
        """Sign the grown tree and store its head.

        Raises:
            LogBroken: the current key is of another master key.
        """
        row = await tx.row(sql.CURRENT_KEY, {"tenant": tenant}) or await self._insert_key(tx, tenant, 1, None)
        key, now = key_of(row), (row["now"] - _EPOCH) // timedelta(microseconds=1)
        if self._keys.public(tenant, key.generation) != key.public_key:
            raise LogBroken(
                f"the signing key {key.key_id} of tenant {tenant} is not of this worker's master key: give it the installation's own"
            )
        head = TreeHead(
            tenant=tenant,
            tree_size=tree.size,
            root_hash=tree.root(),
            # The clock may be set back; heads and keys never are.
            timestamp_us=max(now, key.valid_from_us, last.timestamp_us if last else 0),
            key_id=key.key_id,
        )
        signed = SignedTreeHead(**head.model_dump(), signature=self._keys.sign(tenant, key.generation, head.signed_bytes()))
        given = signed.model_dump(include={"tenant", "tree_size", "root_hash", "key_id", "signature"})
        signed_at = _EPOCH + timedelta(microseconds=signed.timestamp_us)
        await tx.execute(sql.INSERT_HEAD, {**given, "signed_at": signed_at, "epoch": epoch})
        return signed

    async def _insert_key(self, tx: Transaction, tenant: str, generation: int, valid_from: datetime | None) -> Row:
        """Store the public half of a generation's key.

        Raises:
            LogBroken: the row did not come back.
        """
        public = self._keys.public(tenant, generation)
        given = {"tenant": tenant, "key_id": key_id_of(public), "generation": generation, "public_key": public, "valid_from": valid_from}
        row = await tx.row(sql.INSERT_KEY, given)
        if row is None:
            raise LogBroken(f"the signing key of tenant {tenant} could not be stored")
        return row


def continuing(rows: Sequence[Row]) -> tuple[list[Row], tuple[Refused, ...]]:
    """Return the entries that continue what is sealed of their runs, and the runs whose do not: nobody signs a chain with two pasts."""
    leaves: list[Row] = []
    refused: dict[str, Refused] = {}
    run, seq, tail = "", 0, ZERO_HASH
    for row in rows:
        if row["run"] != run:
            run, seq = row["run"], int(row["sealed_seq"])
            tail = ZERO_HASH if row["sealed_hash"] is None else bytes(row["sealed_hash"])
        if run in refused:
            continue
        if row["seq"] != seq + 1:
            refused[run] = Refused(run=run, seq=seq + 1, reason=f"entry {seq + 1} is missing: the next stored one is {row['seq']}")
        elif bytes(row["prev"]) != tail:
            refused[run] = Refused(run=run, seq=row["seq"], reason="its previous hash is not that of the entry sealed before it")
        else:
            leaves.append(row)
            seq, tail = row["seq"], bytes(row["hash"])
    return leaves, tuple(refused.values())
