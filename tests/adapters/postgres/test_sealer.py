"""The sealer on PostgreSQL: no entry is skipped however late its writer commits, one seals at a time, and nothing bent is signed."""

import asyncio
import random
from typing import LiteralString

import psycopg
import pytest

from adapters.codec.head_keys import DerivedHeadKeys
from adapters.postgres.pool import Database
from adapters.postgres.sealer import PostgresSealer
from domain.errors import LogBroken
from domain.ledger import EntryBody, Kind
from tests.adapters.postgres.databases import MigratedServer
from tests.contracts.journal_bench import AT
from tests.contracts.sealing_bench import LEASE_S, MASTER, SealingBench, run_id

WRITERS = 14
APPENDS = 30
BODY = EntryBody(kind=Kind.RUN_CANCEL_REQUESTED, at=AT, principal="prn_a", correlation_id="c", epoch=0).canonical()
APPEND = "SELECT append_entry(%s, %s, %s, 'prn_a', 0, NULL, NULL, %s)"


@pytest.fixture
async def bench(db: Database, tenant: str) -> SealingBench:
    """A tenant with three runs of one entry each."""
    return await SealingBench(db, tenant).accept(1, 2, 3)


async def writer(server: MigratedServer, tenant: str) -> psycopg.AsyncConnection:
    """Return a connection of the app role, inside a transaction of the tenant."""
    connection = await psycopg.AsyncConnection.connect(server.app_url)
    await begin(connection, tenant)
    return connection


async def begin(connection: psycopg.AsyncConnection, tenant: str) -> None:
    """Begin a transaction of the tenant."""
    await connection.execute("SELECT set_config('standfast.tenant', %s, true)", [tenant])


async def append(connection: psycopg.AsyncConnection, tenant: str, run: str) -> None:
    """Append one entry, and do not commit."""
    await connection.execute(APPEND, [tenant, run, Kind.RUN_CANCEL_REQUESTED.value, BODY])


class TestLateCommits:
    async def test_are_sealed_though_others_began_later_and_committed_sooner(self, server: MigratedServer, bench: SealingBench) -> None:
        early = await writer(server, bench.tenant)
        await append(early, bench.tenant, run_id(1))
        for _ in range(5):
            await bench.append(2)
            await bench.seal_all()
        await early.commit()
        await early.close()
        assert (await bench.seal_all()).tree_size == await bench.check_log() == 3 + 5 + 1

    async def test_that_are_rolled_back_leave_no_leaf(self, server: MigratedServer, bench: SealingBench) -> None:
        early = await writer(server, bench.tenant)
        await append(early, bench.tenant, run_id(1))
        await bench.seal_all()
        await early.rollback()
        await early.close()
        await bench.append(1)
        assert (await bench.seal_all()).tree_size == await bench.check_log() == 4

    async def test_never_wait_for_the_sealer_nor_it_for_them(self, server: MigratedServer, bench: SealingBench) -> None:
        open_writer = await writer(server, bench.tenant)
        await append(open_writer, bench.tenant, run_id(1))
        async with asyncio.timeout(10):
            assert (await bench.seal_all()).tree_size == 3
        await open_writer.commit()
        await open_writer.close()

    async def test_of_many_writers_leave_no_gap_while_the_sealer_runs(self, server: MigratedServer, bench: SealingBench) -> None:
        running = WRITERS
        dice = random.Random(bench.tenant)

        async def write(number: int) -> None:
            nonlocal running
            connection = await writer(server, bench.tenant)
            for turn in range(APPENDS):
                await append(connection, bench.tenant, run_id(1 + (number + turn) % 3))
                if dice.random() < 0.3:
                    await asyncio.sleep(0)  # let others, and the sealer, in between append and commit
                await (connection.rollback() if dice.random() < 0.1 else connection.commit())
                await begin(connection, bench.tenant)
            await connection.close()
            running -= 1

        async def seal() -> None:
            while running:
                await bench.seal()

        await asyncio.gather(seal(), *(write(number) for number in range(WRITERS)))
        head = await bench.seal_all()
        assert head.tree_size == await bench.check_log() == len(await bench.entries())
        assert head.tree_size > WRITERS * APPENDS / 2


class TestFlag:
    async def test_falls_for_a_run_that_is_sealed_and_quiet_and_rises_with_the_next_entry(self, db: Database, bench: SealingBench) -> None:
        async def flagged() -> int:
            async with db.tenant(bench.tenant) as tx:
                return len(await tx.rows("SELECT run FROM runs WHERE unsealed"))

        await bench.seal_all()
        async with db.tenant(bench.tenant) as tx:
            await tx.execute("UPDATE runs SET updated_at = clock_timestamp() - interval '1 minute'")
        assert not await bench.sealer.waiting(bench.tenant)
        assert await flagged() == 0
        await bench.append(2)
        assert await flagged() == 1
        assert await bench.sealer.waiting(bench.tenant)
        assert (await bench.seal_all()).tree_size == 4

    async def test_stays_while_an_entry_is_not_sealed(self, db: Database, bench: SealingBench) -> None:
        async with db.tenant(bench.tenant) as tx:
            await tx.execute("UPDATE runs SET updated_at = clock_timestamp() - interval '1 minute'")
        assert await bench.sealer.waiting(bench.tenant)
        async with db.tenant(bench.tenant) as tx:
            assert len(await tx.rows("SELECT run FROM runs WHERE unsealed")) == 3


class TestLease:
    async def test_is_one_holders_at_a_time(self, bench: SealingBench) -> None:
        assert await bench.sealer.claim(bench.tenant, holder="a", lease_s=LEASE_S) == 1
        assert await bench.sealer.claim(bench.tenant, holder="b", lease_s=LEASE_S) is None
        assert await bench.sealer.claim(bench.tenant, holder="a", lease_s=LEASE_S) == 1

    async def test_of_a_dead_sealer_is_taken_over(self, bench: SealingBench) -> None:
        assert await bench.sealer.claim(bench.tenant, holder="dead", lease_s=0) == 1
        assert await bench.sealer.claim(bench.tenant, holder="b", lease_s=LEASE_S) == 2

    async def test_given_back_is_free_at_once(self, bench: SealingBench) -> None:
        await bench.sealer.claim(bench.tenant, holder="a", lease_s=LEASE_S)
        await bench.sealer.release(bench.tenant, epoch=1)
        assert await bench.sealer.claim(bench.tenant, holder="b", lease_s=LEASE_S) == 2
        await bench.sealer.release(bench.tenant, epoch=1)
        assert await bench.sealer.claim(bench.tenant, holder="a", lease_s=LEASE_S) is None

    async def test_that_was_lost_seals_nothing(self, bench: SealingBench) -> None:
        old = await bench.sealer.claim(bench.tenant, holder="paused", lease_s=0)
        new = await bench.sealer.claim(bench.tenant, holder="b", lease_s=LEASE_S)
        assert (old, new) == (1, 2)
        assert await bench.sealer.seal(bench.tenant, epoch=1, lease_s=LEASE_S) is None
        assert await bench.tree.newest(bench.tenant) is None
        sealed = await bench.sealer.seal(bench.tenant, epoch=2, lease_s=LEASE_S)
        assert sealed is not None
        assert sealed.leaves == 3

    async def test_makes_racing_sealers_grow_one_log(self, bench: SealingBench) -> None:
        await bench.append(1, 40)

        async def compete(holder: str) -> None:
            for _ in range(30):
                epoch = await bench.sealer.claim(bench.tenant, holder=holder, lease_s=0)
                if epoch is not None:
                    await PostgresSealer(bench.db, bench.keys, batch=3).seal(bench.tenant, epoch=epoch, lease_s=0)

        await asyncio.gather(*(compete(f"sealer {n}") for n in range(5)))
        assert (await bench.seal_all()).tree_size == await bench.check_log() == 43


class TestBatches:
    async def test_end_in_a_head_each(self, bench: SealingBench) -> None:
        await bench.append(2, 7)
        assert (await bench.seal_all(batch=4)).tree_size == 10
        heads = await bench.tree.heads(bench.tenant, limit=50, cursor=None)
        assert [head.tree_size for head in heads.items] == [10, 8, 4]
        await bench.check_log()

    async def test_of_nothing_sign_nothing(self, bench: SealingBench) -> None:
        await bench.seal_all()
        sealed = await bench.seal()
        assert sealed is not None
        assert (sealed.leaves, sealed.head) == (0, None)
        assert len((await bench.tree.heads(bench.tenant, limit=50, cursor=None)).items) == 1

    async def test_have_heads_whose_time_never_goes_back(self, bench: SealingBench) -> None:
        first = await bench.seal_all()
        await bench.append(1)
        second = await bench.seal_all()
        assert first.timestamp_us <= second.timestamp_us
        (key,) = await bench.tree.keys(bench.tenant)
        assert key.valid_from_us <= first.timestamp_us
        assert bench.keys.holds(key.public_key, second.signed_bytes(), second.signature)


class TornKeys(DerivedHeadKeys):
    """Keys that are lost in the moment of signing: the sealer dies between its leaves and their head."""

    def sign(self, tenant: str, generation: int, message: bytes) -> bytes:
        """Die."""
        del tenant, generation, message
        raise ConnectionAbortedError("the sealer died")


class TestDeath:
    async def test_between_leaves_and_head_leaves_nothing(self, bench: SealingBench) -> None:
        dying = SealingBench(bench.db, bench.tenant, bench.sealer_class, TornKeys(MASTER))
        with pytest.raises(ConnectionAbortedError):
            await dying.seal()
        async with bench.db.tenant(bench.tenant) as tx:
            assert await tx.rows("SELECT 1 FROM ledger_leaves UNION ALL SELECT 1 FROM ledger_nodes") == []
        assert (await bench.seal_all()).tree_size == await bench.check_log() == 3


class TestKeys:
    async def test_rotate_and_what_the_old_one_signed_still_holds(self, bench: SealingBench) -> None:
        old_head = await bench.seal_all()
        new_key = await bench.sealer.rotate_key(bench.tenant)
        await bench.append(1)
        new_head = await bench.seal_all()
        first, second = await bench.tree.keys(bench.tenant)
        assert (first.key_id, second) == (old_head.key_id, new_key)
        assert (new_head.key_id, first.valid_to_us) == (second.key_id, second.valid_from_us)
        assert old_head.timestamp_us < second.valid_from_us <= new_head.timestamp_us
        for key, head in ((first, old_head), (second, new_head)):
            assert bench.keys.holds(key.public_key, head.signed_bytes(), head.signature)
        assert not bench.keys.holds(first.public_key, new_head.signed_bytes(), new_head.signature)
        assert await bench.tree.milestones(bench.tenant) == [old_head, new_head]

    async def test_rotate_before_the_first_head(self, bench: SealingBench) -> None:
        assert (await bench.sealer.rotate_key(bench.tenant)).generation == 1
        assert (await bench.sealer.rotate_key(bench.tenant)).generation == 2
        await bench.seal_all()
        assert [key.valid_to_us is None for key in await bench.tree.keys(bench.tenant)] == [False, True]

    async def test_rotate_one_after_the_other_when_asked_at_once(self, bench: SealingBench) -> None:
        made = await asyncio.gather(*(bench.sealer.rotate_key(bench.tenant) for _ in range(4)))
        assert sorted(key.generation for key in made) == [1, 2, 3, 4]

    async def test_of_another_installation_sign_nothing(self, bench: SealingBench) -> None:
        await bench.seal_all()
        await bench.append(1)
        stranger = PostgresSealer(bench.db, DerivedHeadKeys(b"x" * 32))
        epoch = await stranger.claim(bench.tenant, holder="sealer", lease_s=LEASE_S)
        assert epoch is not None
        with pytest.raises(LogBroken):
            await stranger.seal(bench.tenant, epoch=epoch, lease_s=LEASE_S)


def as_superuser(server: MigratedServer, tenant: str, statement: LiteralString) -> None:
    """Change rows past every guard; `%(run)s` is the first run."""
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(statement, {"tenant": tenant, "run": run_id(1)}).rowcount > 0


BENT_LOGS: dict[str, LiteralString] = {
    "a node the tree grows from": "UPDATE ledger_nodes SET hash = sha256(hash) WHERE tenant_id = %(tenant)s",
    "a leaf it grows from": "UPDATE ledger_leaves SET entry_hash = sha256(entry_hash) WHERE tenant_id = %(tenant)s AND leaf_index = 2",
    "a leaf that was deleted": "DELETE FROM ledger_leaves WHERE tenant_id = %(tenant)s AND leaf_index = 2",
    "the root of the head": "UPDATE tree_heads SET root_hash = sha256(root_hash) WHERE tenant_id = %(tenant)s",
    "the signature": "UPDATE tree_heads SET signature = sha256(signature) || sha256(signature) WHERE tenant_id = %(tenant)s",
    "the head's size": "UPDATE tree_heads SET tree_size = 2 WHERE tenant_id = %(tenant)s",
    "the key": "UPDATE signing_keys SET generation = 7 WHERE tenant_id = %(tenant)s",
}


class TestBentLog:
    @pytest.mark.parametrize("change", BENT_LOGS.values(), ids=BENT_LOGS)
    async def test_is_not_signed_on(self, server: MigratedServer, bench: SealingBench, change: LiteralString) -> None:
        await bench.seal_all()
        as_superuser(server, bench.tenant, change)
        await bench.append(1)
        with pytest.raises(LogBroken):
            await bench.seal()


class TestBentChain:
    async def test_that_does_not_continue_what_was_sealed_is_refused_and_others_are_sealed(
        self, server: MigratedServer, bench: SealingBench
    ) -> None:
        await bench.seal_all()
        as_superuser(server, bench.tenant, "UPDATE runs SET head_hash = sha256(head_hash) WHERE tenant_id = %(tenant)s AND run = %(run)s")
        await bench.append(1, 2)
        await bench.append(2)
        sealed = await bench.seal()
        assert sealed is not None
        assert (sealed.leaves, [(one.run, one.seq) for one in sealed.refused]) == (1, [(run_id(1), 2)])
        epoch = await bench.sealer.claim(bench.tenant, holder="sealer", lease_s=LEASE_S)
        assert epoch is not None
        again = await bench.sealer.seal(bench.tenant, epoch=epoch, lease_s=LEASE_S, without=frozenset({run_id(1)}))
        assert again is not None
        assert (again.leaves, again.refused) == (0, ())

    async def test_with_a_hole_is_refused_at_the_hole(self, server: MigratedServer, bench: SealingBench) -> None:
        await bench.append(1, 3)
        as_superuser(server, bench.tenant, "DELETE FROM ledger_entries WHERE tenant_id = %(tenant)s AND run = %(run)s AND seq = 3")
        sealed = await bench.seal()
        assert sealed is not None
        assert (sealed.leaves, [(one.run, one.seq) for one in sealed.refused]) == (4, [(run_id(1), 3)])


class TestLogTables:
    @pytest.mark.parametrize("table", ["ledger_leaves", "ledger_nodes", "tree_heads"])
    @pytest.mark.parametrize("change", ["UPDATE {table} SET tenant_id = 'x'", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"])
    async def test_refuse_change_by_the_app_role_and_by_superusers(
        self, server: MigratedServer, bench: SealingBench, table: str, change: str
    ) -> None:
        await bench.append(1)
        await bench.seal_all()
        statement = change.format(table=table).encode()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            async with bench.db.tenant(bench.tenant) as tx:
                await tx.execute(statement)
        with psycopg.connect(server.owner_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(statement)

    @pytest.mark.parametrize("change", ["SET public_key = ''", "SET valid_from = now()", "SET generation = 9"])
    async def test_let_the_app_role_only_end_a_key(self, bench: SealingBench, change: str) -> None:
        await bench.seal_all()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            async with bench.db.tenant(bench.tenant) as tx:
                await tx.execute(f"UPDATE signing_keys {change}".encode())
