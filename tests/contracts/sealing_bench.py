"""What the suites of sealing need: a tenant with runs that grow, its sealer, and a check of the whole log that shares no code with it."""

import hashlib
from dataclasses import dataclass, field
from itertools import pairwise

from adapters.codec.head_keys import DerivedHeadKeys
from adapters.postgres.anchorage import PostgresAnchorage
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.pool import Database
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.sealer import PostgresSealer
from adapters.postgres.tree_reader import PostgresTreeReader
from domain.ledger import Kind, StoredEntry
from domain.merkle import leaf_hash
from domain.sealing import Sealed
from domain.stores import NewRun
from domain.tree_heads import HeadKeys, SignedTreeHead
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run

MASTER = b"m" * 32
LEASE_S = 60.0
"""A lease that no test outlives."""


def run_id(number: int) -> str:
    """Return a run's id by number."""
    return f"run_{number:026d}"


def root_of(leaves: list[bytes]) -> bytes:
    """Return MTH(D[n]) as RFC 6962 defines it, over leaf hashes."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


@dataclass
class SealingBench:
    """One tenant on PostgreSQL."""

    db: Database
    tenant: str
    sealer_class: type[PostgresSealer] = PostgresSealer
    keys: HeadKeys = field(default_factory=lambda: DerivedHeadKeys(MASTER))

    def __post_init__(self) -> None:
        self.runs = PostgresRunStore(self.db, XorCipher())
        self.ledger = PostgresLedgerReader(self.db)
        self.sealer = self.sealer_class(self.db, self.keys)
        self.tree = PostgresTreeReader(self.db)
        self.anchorage = PostgresAnchorage(self.db)

    async def accept(self, *numbers: int) -> "SealingBench":
        """Accept runs; each has one entry then."""
        for number in numbers:
            await self.runs.accept(new_run(self.tenant, run_id(number)))
        return self

    @staticmethod
    def new_run(tenant: str, number: int) -> NewRun:
        """Build a run to accept."""
        return new_run(tenant, run_id(number))

    async def hash_of(self, number: int, seq: int) -> bytes:
        """Return an entry's hash as it is stored."""
        return (await self.entries())[run_id(number), seq].hash

    async def append(self, number: int, entries: int = 1) -> None:
        """Append entries to a run."""
        for _ in range(entries):
            await self.runs.append_entry(
                self.tenant, run_id(number), kind=Kind.RUN_CANCEL_REQUESTED, principal="prn_a", at=AT, data={"reason": ""}
            )

    async def seal(self, *, holder: str = "sealer", batch: int | None = None) -> Sealed | None:
        """Claim the lease and seal one batch."""
        sealer = self.sealer if batch is None else self.sealer_class(self.db, self.keys, batch=batch)
        epoch = await sealer.claim(self.tenant, holder=holder, lease_s=LEASE_S)
        assert epoch is not None, "another holder's lease lives"
        return await sealer.seal(self.tenant, epoch=epoch, lease_s=LEASE_S)

    async def seal_all(self, *, batch: int | None = None) -> SignedTreeHead:
        """Seal until nothing waits, and return the newest head."""
        while await self.sealer.waiting(self.tenant):
            sealed = await self.seal(batch=batch)
            assert sealed is not None, "the lease was lost"
            assert sealed.leaves > 0, "entries wait, and nothing is sealed"
        head = await self.tree.newest(self.tenant)
        assert head is not None
        return head

    async def entries(self) -> dict[tuple[str, int], StoredEntry]:
        """Return every entry of the tenant's runs, as stored."""
        async with self.db.tenant(self.tenant) as tx:
            runs = [row["run"] for row in await tx.rows("SELECT run FROM runs ORDER BY run")]
        listed = [await self.ledger.entries(self.tenant, run, limit=100_000) for run in runs]
        return {(entry.run, entry.seq): entry for entries in listed for entry in entries}

    async def check_log(self) -> int:
        """Check every leaf and every head against the entries, and return how many leaves there are."""
        async with self.db.tenant(self.tenant) as tx:
            leaves = await tx.rows("SELECT * FROM ledger_leaves ORDER BY leaf_index")
            heads = await tx.rows("SELECT * FROM tree_heads ORDER BY tree_size")
        assert [leaf["leaf_index"] for leaf in leaves] == list(range(len(leaves))), "the leaves have gaps"
        entries = await self.entries()
        hashes = [entries[leaf["run"], leaf["seq"]].hash for leaf in leaves]
        assert hashes == [bytes(leaf["entry_hash"]) for leaf in leaves]
        for head in heads:
            assert root_of([leaf_hash(one) for one in hashes[: head["tree_size"]]]) == bytes(head["root_hash"])
        sizes = [0, *(head["tree_size"] for head in heads)]
        assert len(leaves) == sizes[-1], "there are leaves that no head covers"
        assert all(0 < late - early <= 1000 for early, late in pairwise(sizes))
        return len(leaves)
