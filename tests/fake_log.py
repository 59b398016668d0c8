"""The Merkle log in memory: sealer, reader, anchorage; tests/contracts runs one suite on it and on PostgreSQL."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.codec.head_keys import DerivedHeadKeys
from domain.errors import BadRequest, InvalidInput, NotFound
from domain.ledger import StoredEntry
from domain.merkle import Frontier, NodeId, consistency_ranges, hashes_of, inclusion_ranges, leaf_hash
from domain.sealing import BATCH_LEAVES_MAX, Inclusion, Refused, Sealed
from domain.stores import Page
from domain.tree_heads import PublicKey, SignedTreeHead, TreeHead, key_id_of
from tests.fakes_database import MemoryDatabase

MASTER = b"m" * 32


@dataclass
class TenantLog:
    """One tenant's rows."""

    leaves: list[StoredEntry] = field(default_factory=list[StoredEntry])
    frontier: Frontier = field(default_factory=Frontier)
    nodes: dict[NodeId, bytes] = field(default_factory=dict[NodeId, bytes])
    heads: list[SignedTreeHead] = field(default_factory=list[SignedTreeHead])
    keys: list[PublicKey] = field(default_factory=list[PublicKey])
    lease: tuple[int, str, datetime] | None = None
    delivered: dict[str, tuple[int, datetime]] = field(default_factory=dict[str, tuple[int, datetime]])
    failures: dict[str, tuple[int, datetime]] = field(default_factory=dict[str, tuple[int, datetime]])


class FakeLog:
    """Implements `SealStore`, `TreeReader` and `Anchorage`. The database's `time` is the clock."""

    def __init__(self, database: MemoryDatabase, *, batch: int = BATCH_LEAVES_MAX) -> None:
        self._database = database
        self._batch = batch
        self._keys = DerivedHeadKeys(MASTER)
        self._logs: dict[str, TenantLog] = {}

    def log_of(self, tenant: str) -> TenantLog:
        """Return a tenant's rows."""
        return self._logs.setdefault(tenant, TenantLog())

    def _now_us(self) -> int:
        return round(self._database.time.timestamp() * 1_000_000)

    async def waiting(self, tenant: str) -> bool:
        """Say whether entries wait."""
        sealed = {(leaf.run, leaf.seq) for leaf in self.log_of(tenant).leaves}
        return any((entry.run, entry.seq) not in sealed for entry in self._entries(tenant))

    def _entries(self, tenant: str) -> list[StoredEntry]:
        chains = sorted((run, chain) for (owner, run), chain in self._database.entries.items() if owner == tenant)
        return [entry for _, chain in chains for entry in chain]

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the lease."""
        log, until = self.log_of(tenant), self._database.time + timedelta(seconds=lease_s)
        epoch, owner, ends = log.lease or (0, "", self._database.time)
        if owner != holder and ends > self._database.time:
            return None
        log.lease = (epoch + (owner != holder), holder, until)
        return log.lease[0]

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Let the lease end."""
        log = self.log_of(tenant)
        if log.lease is not None and log.lease[0] == epoch:
            log.lease = (epoch, log.lease[1], self._database.time)

    async def seal(self, tenant: str, *, epoch: int, lease_s: float, without: frozenset[str] = frozenset()) -> Sealed | None:
        """Seal one batch."""
        log = self.log_of(tenant)
        if log.lease is None or log.lease[0] != epoch:
            return None
        log.lease = (epoch, log.lease[1], self._database.time + timedelta(seconds=lease_s))
        tails = {leaf.run: leaf.hash for leaf in log.leaves}
        sealed = {(leaf.run, leaf.seq) for leaf in log.leaves}
        waiting = [e for e in self._entries(tenant) if (e.run, e.seq) not in sealed and e.run not in without][: self._batch]
        taken, refused = list[StoredEntry](), dict[str, Refused]()
        for entry in waiting:
            if entry.run in refused:
                continue
            if entry.prev != tails.get(entry.run, bytes(32)):
                refused[entry.run] = Refused(run=entry.run, seq=entry.seq, reason="it does not continue what was sealed")
                continue
            tails[entry.run] = entry.hash
            taken.append(entry)
        head = self._sign(tenant, log, taken) if taken else None
        return Sealed(leaves=len(taken), head=head, more=len(waiting) == self._batch, refused=tuple(refused.values()))

    def _sign(self, tenant: str, log: TenantLog, taken: list[StoredEntry]) -> SignedTreeHead:
        for place, entry in enumerate(taken, start=len(log.leaves)):
            log.nodes[NodeId(0, place)] = leaf_hash(entry.hash)
        log.leaves += taken
        log.frontier, nodes = log.frontier.extended(leaf_hash(entry.hash) for entry in taken)
        log.nodes |= {node.id: node.hash for node in nodes}
        key = log.keys[-1] if log.keys else self._new_key(tenant, log, self._now_us())
        head = TreeHead(
            tenant=tenant,
            tree_size=log.frontier.size,
            root_hash=log.frontier.root(),
            timestamp_us=max(self._now_us(), key.valid_from_us, *(one.timestamp_us for one in log.heads)),
            key_id=key.key_id,
        )
        log.heads.append(SignedTreeHead(**head.model_dump(), signature=self._keys.sign(tenant, key.generation, head.signed_bytes())))
        return log.heads[-1]

    def _new_key(self, tenant: str, log: TenantLog, from_us: int) -> PublicKey:
        generation = len(log.keys) + 1
        public = self._keys.public(tenant, generation)
        key = PublicKey(tenant=tenant, key_id=key_id_of(public), public_key=public, generation=generation, valid_from_us=from_us)
        log.keys.append(key)
        return key

    async def rotate_key(self, tenant: str) -> PublicKey:
        """Begin the next key's time."""
        log = self.log_of(tenant)
        at = max([self._now_us(), *(head.timestamp_us for head in log.heads), *(key.valid_from_us for key in log.keys)]) + 1
        if log.keys:
            log.keys[-1] = log.keys[-1].model_copy(update={"valid_to_us": at})
        return self._new_key(tenant, log, at)

    async def newest(self, tenant: str) -> SignedTreeHead | None:
        """Return the newest head."""
        heads = self.log_of(tenant).heads
        return heads[-1] if heads else None

    async def head(self, tenant: str, tree_size: int) -> SignedTreeHead:
        """Return the head of a size."""
        for head in self.log_of(tenant).heads:
            if head.tree_size == tree_size:
                return head
        raise NotFound(f"no tree head of {tree_size} leaves was signed")

    async def heads(self, tenant: str, *, limit: int, cursor: str | None) -> Page[SignedTreeHead]:
        """Return one page, newest first."""
        if cursor is not None and not cursor.isdecimal():
            raise BadRequest("that is no cursor of this list: take next_cursor from the page before")
        before = float("inf") if cursor is None else int(cursor)
        found = [head for head in reversed(self.log_of(tenant).heads) if head.tree_size < before]
        items = tuple(found[:limit])
        return Page[SignedTreeHead](items=items, next_cursor=str(items[-1].tree_size) if len(found) > limit else None)

    async def milestones(self, tenant: str) -> list[SignedTreeHead]:
        """Return the last head under each key."""
        last = {head.key_id: head for head in self.log_of(tenant).heads}
        return sorted(last.values(), key=lambda head: head.tree_size)

    async def keys(self, tenant: str) -> list[PublicKey]:
        """Return all public keys."""
        return list(self.log_of(tenant).keys)

    async def leaf_indexes(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> dict[int, int]:
        """Return sequence → leaf index."""
        places = {leaf.seq: place for place, leaf in enumerate(self.log_of(tenant).leaves) if leaf.run == run and leaf.seq > after}
        return dict(list(places.items())[:limit])

    async def inclusions(self, tenant: str, run: str, *, tree_size: int, after: int = 0, limit: int = 1000) -> list[Inclusion]:
        """Return proofs."""
        log = self._check_size(tenant, tree_size)
        places = await self.leaf_indexes(tenant, run, after=after, limit=limit)
        return [
            Inclusion(
                run=run,
                seq=seq,
                leaf_index=place,
                tree_size=tree_size,
                path=tuple(hashes_of(inclusion_ranges(place, tree_size), log.nodes.__getitem__)),
            )
            for seq, place in places.items()
            if place < tree_size
        ]

    async def consistency(self, tenant: str, old: int, new: int) -> tuple[bytes, ...]:
        """Return a consistency proof."""
        if not 0 < old <= new:
            raise InvalidInput(f"give 0 < from <= to, not {old} and {new}")
        log = self._check_size(tenant, new)
        return tuple(hashes_of(consistency_ranges(old, new), log.nodes.__getitem__))

    def _check_size(self, tenant: str, tree_size: int) -> TenantLog:
        log = self.log_of(tenant)
        signed = log.heads[-1].tree_size if log.heads else 0
        if tree_size > signed:
            raise NotFound(f"the newest signed tree has {signed} leaves, and {tree_size} were asked for")
        return log

    async def due(self, tenant: str, anchor: str, *, every_s: float) -> SignedTreeHead | None:
        """Return the newest head if it should go there now."""
        log, now = self.log_of(tenant), self._database.time
        size, at = log.delivered.get(anchor, (0, None))
        _, retry_at = log.failures.get(anchor, (0, now))
        newest = log.heads[-1] if log.heads else None
        if newest is None or newest.tree_size <= size or retry_at > now or (at is not None and at > now - timedelta(seconds=every_s)):
            return None
        return newest

    async def delivered(self, tenant: str, anchor: str, tree_size: int) -> None:
        """Remember a delivery."""
        self.log_of(tenant).delivered[anchor] = (tree_size, self._database.time)
        self.log_of(tenant).failures.pop(anchor, None)

    async def failed(self, tenant: str, anchor: str, tree_size: int, *, error: str) -> None:
        """Remember a failed attempt."""
        del tree_size, error
        attempts = self.log_of(tenant).failures.get(anchor, (0, None))[0] + 1
        self.log_of(tenant).failures[anchor] = (attempts, self._database.time + timedelta(seconds=min(600, 2 ** (attempts - 1))))
