"""The ports of sealing on PostgreSQL and on the fake: proofs that hold, leases that exclude, anchors that get the newest head."""

from collections.abc import AsyncGenerator
from typing import Protocol

import pytest

from adapters.postgres.pool import Database
from domain.errors import BadRequest, InvalidInput, NotFound
from domain.ledger import EntryBody, Kind
from domain.merkle import is_consistent, leaf_hash, root_by_inclusion
from domain.sealing import Anchorage, SealStore, TreeReader
from domain.tree_heads import SignedTreeHead, key_id_of
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.journal_bench import AT
from tests.contracts.sealing_bench import LEASE_S, SealingBench, run_id
from tests.fake_log import FakeLog
from tests.fakes_database import MemoryDatabase
from tests.fakes_runs import FakeRunStore

GONE = "t-other"


class LogBench(Protocol):
    """A tenant with runs 1 and 2, of four and three entries, none of them sealed."""

    tenant: str

    @property
    def sealer(self) -> SealStore:
        """The sealer under test."""
        ...

    @property
    def tree(self) -> TreeReader:
        """The reader under test."""
        ...

    @property
    def anchorage(self) -> Anchorage:
        """The anchorage under test."""
        ...

    async def append(self, number: int, entries: int = 1) -> None:
        """Append entries to a run."""
        ...

    async def hash_of(self, number: int, seq: int) -> bytes:
        """Return an entry's hash."""
        ...


class FakeBench:
    """The same on the fake."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.database = MemoryDatabase()
        self.sealer = self.tree = self.anchorage = FakeLog(self.database)

    async def append(self, number: int, entries: int = 1) -> None:
        """Append entries to a run."""
        for _ in range(entries):
            body = EntryBody(kind=Kind.RUN_CANCEL_REQUESTED, at=AT, principal="prn_a", correlation_id="c", epoch=0)
            self.database.append(self.tenant, run_id(number), body)

    async def hash_of(self, number: int, seq: int) -> bytes:
        """Return an entry's hash."""
        return self.database.entries[self.tenant, run_id(number)][seq - 1].hash


@pytest.fixture(params=["fake", *VERSIONS])
async def log(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[LogBench]:
    """The bench on each."""
    if request.param == "fake":
        fake = FakeBench(tenant)
        for number in (1, 2):
            await FakeRunStore(fake.database).accept(SealingBench.new_run(tenant, number))
        await fake.append(1, 3)
        await fake.append(2, 2)
        yield fake
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as db:
        bench = await SealingBench(db, tenant).accept(1, 2)
        await bench.append(1, 3)
        await bench.append(2, 2)
        yield bench


async def seal(log: LogBench) -> SignedTreeHead:
    """Seal everything that waits and return the head."""
    epoch = await log.sealer.claim(log.tenant, holder="sealer", lease_s=LEASE_S)
    assert epoch is not None
    sealed = await log.sealer.seal(log.tenant, epoch=epoch, lease_s=LEASE_S)
    assert sealed is not None
    assert sealed.head is not None
    return sealed.head


class TestHeads:
    async def test_are_none_before_the_first(self, log: LogBench) -> None:
        assert await log.tree.newest(log.tenant) is None
        assert await log.tree.milestones(log.tenant) == await log.tree.keys(log.tenant) == []
        assert await log.sealer.waiting(log.tenant)

    async def test_come_newest_first_in_pages(self, log: LogBench) -> None:
        made = [await seal(log)]
        for _ in range(4):
            await log.append(1)
            made.append(await seal(log))
        first = await log.tree.heads(log.tenant, limit=3, cursor=None)
        rest = await log.tree.heads(log.tenant, limit=3, cursor=first.next_cursor)
        assert [*first.items, *rest.items] == made[::-1]
        assert rest.next_cursor is None
        assert await log.tree.newest(log.tenant) == await log.tree.head(log.tenant, 11) == made[-1]
        assert not await log.sealer.waiting(log.tenant)

    async def test_of_another_size_tenant_or_cursor_are_not_there(self, log: LogBench) -> None:
        await seal(log)
        with pytest.raises(NotFound):
            await log.tree.head(log.tenant, 6)
        with pytest.raises(NotFound):
            await log.tree.head(GONE, 7)
        assert await log.tree.newest(GONE) is None
        with pytest.raises(BadRequest, match="next_cursor"):
            await log.tree.heads(log.tenant, limit=3, cursor="nonsense")


class TestProofs:
    async def test_of_inclusion_lead_from_each_entry_to_the_root(self, log: LogBench) -> None:
        head = await seal(log)
        proofs = [one for number in (1, 2) for one in await log.tree.inclusions(log.tenant, run_id(number), tree_size=head.tree_size)]
        assert [(one.run, one.seq) for one in proofs] == [(run_id(1), n) for n in (1, 2, 3, 4)] + [(run_id(2), n) for n in (1, 2, 3)]
        for one in proofs:
            leaf = leaf_hash(await log.hash_of(int(one.run[4:]), one.seq))
            assert root_by_inclusion(leaf, one.leaf_index, one.tree_size, one.path) == head.root_hash

    async def test_of_inclusion_come_in_parts_and_for_an_older_head(self, log: LogBench) -> None:
        old = await seal(log)
        await log.append(1, 2)
        await seal(log)
        part = await log.tree.inclusions(log.tenant, run_id(1), tree_size=old.tree_size, after=2, limit=5)
        assert [one.seq for one in part] == [3, 4]
        leaf = leaf_hash(await log.hash_of(1, 4))
        assert root_by_inclusion(leaf, part[1].leaf_index, old.tree_size, part[1].path) == old.root_hash
        indexes = await log.tree.leaf_indexes(log.tenant, run_id(1), after=3, limit=2)
        assert list(indexes) == [4, 5]

    async def test_of_consistency_join_every_two_heads(self, log: LogBench) -> None:
        heads = [await seal(log)]
        for entries in (1, 4, 2):
            await log.append(2, entries)
            heads.append(await seal(log))
        for place, old in enumerate(heads):
            for new in heads[place:]:
                path = await log.tree.consistency(log.tenant, old.tree_size, new.tree_size)
                assert is_consistent((old.tree_size, old.root_hash), (new.tree_size, new.root_hash), path)

    async def test_beyond_the_newest_head_are_not_there(self, log: LogBench) -> None:
        await seal(log)
        with pytest.raises(NotFound, match="7 leaves"):
            await log.tree.inclusions(log.tenant, run_id(1), tree_size=8)
        with pytest.raises(NotFound, match="7 leaves"):
            await log.tree.consistency(log.tenant, 3, 8)
        with pytest.raises(NotFound, match="0 leaves"):
            await log.tree.consistency(GONE, 3, 7)
        assert await log.tree.inclusions(log.tenant, run_id(9), tree_size=7) == []

    @pytest.mark.parametrize(("old", "new"), [(0, 3), (3, 2), (-1, 3)])
    async def test_of_consistency_want_a_smaller_and_a_larger_size(self, log: LogBench, old: int, new: int) -> None:
        await seal(log)
        with pytest.raises(InvalidInput, match="0 < from <= to"):
            await log.tree.consistency(log.tenant, old, new)


class TestKeys:
    async def test_are_named_by_their_bytes_and_follow_each_other(self, log: LogBench) -> None:
        first = await seal(log)
        await log.sealer.rotate_key(log.tenant)
        await log.append(1)
        second = await seal(log)
        keys = await log.tree.keys(log.tenant)
        assert [key.key_id for key in keys] == [key_id_of(key.public_key) for key in keys] == [first.key_id, second.key_id]
        assert keys[0].valid_to_us == keys[1].valid_from_us
        assert keys[1].valid_to_us is None
        assert await log.tree.milestones(log.tenant) == [first, second]


class TestAnchorage:
    async def test_wants_the_newest_head_once_and_not_too_often(self, log: LogBench) -> None:
        assert await log.anchorage.due(log.tenant, "file", every_s=0) is None
        head = await seal(log)
        assert await log.anchorage.due(log.tenant, "file", every_s=3600) == head
        await log.anchorage.delivered(log.tenant, "file", head.tree_size)
        assert await log.anchorage.due(log.tenant, "file", every_s=0) is None
        assert await log.anchorage.due(log.tenant, "other", every_s=0) == head
        await log.append(1)
        newer = await seal(log)
        assert await log.anchorage.due(log.tenant, "file", every_s=3600) is None
        assert await log.anchorage.due(log.tenant, "file", every_s=0) == newer

    async def test_waits_longer_after_each_failure_whatever_heads_come(self, log: LogBench) -> None:
        head = await seal(log)
        for _ in range(3):
            await log.anchorage.failed(log.tenant, "hook", head.tree_size, error="HTTP 500")
        assert await log.anchorage.due(log.tenant, "hook", every_s=0) is None
        await log.append(1)
        newer = await seal(log)
        assert await log.anchorage.due(log.tenant, "hook", every_s=0) is None
        await log.anchorage.delivered(log.tenant, "hook", newer.tree_size)
        await log.append(1)
        newest = await seal(log)
        assert await log.anchorage.due(log.tenant, "hook", every_s=0) == newest
