"""The relay on PostgreSQL: no entry is passed over however late its writer commits, and what one transaction cannot write, none does."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from adapters.postgres.deliveries import PostgresDeliveryStore
from adapters.postgres.pool import Database
from adapters.postgres.relay import PostgresRelay
from adapters.postgres.sealer import PostgresSealer
from domain.deliveries import NewDelivery, Recipient
from domain.delivery_stores import DeliveryFilter
from domain.events import events_of
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.test_sealer import APPENDS, WRITERS, append, begin, writer
from tests.contracts.sealing_bench import LEASE_S, SealingBench, run_id

TO = Recipient(channel="webhook", endpoint="whk_a")


@dataclass
class RelayBench:
    """One tenant with three runs of one entry each, a relay that tells all, and a sealer beside it."""

    db: Database
    tenant: str
    relay_class: type[PostgresRelay] = PostgresRelay
    sealer_class: type[PostgresSealer] = PostgresSealer
    sealing: SealingBench = field(init=False)

    def __post_init__(self) -> None:
        self.relay = self.relay_class(self.db)
        self.sealing = SealingBench(self.db, self.tenant, self.sealer_class)

    async def open(self) -> "RelayBench":
        """Begin to relay, and accept the runs."""
        await self.relay.activate(self.tenant)
        await self.sealing.accept(1, 2, 3)
        return self

    async def tell(self, *, holder: str = "relay", limit: int = 50) -> bool:
        """Tell one portion; return whether there was any."""
        epoch = await self.relay.claim(self.tenant, holder=holder, lease_s=LEASE_S)
        assert epoch is not None
        unread = await self.relay.unread(self.tenant, limit=limit)
        new = [NewDelivery(event=events_of(entry)[0], to=TO) for entry in unread.entries]
        await self.relay.relay(self.tenant, epoch=epoch, lease_s=LEASE_S, deliveries=new, cursors=unread.cursors)
        return bool(unread.cursors)

    async def tell_all(self) -> None:
        """Tell until nothing is unread."""
        while await self.tell():
            continue

    async def told(self) -> set[tuple[str, int]]:
        """Return (run, sequence) of each delivery."""
        found: set[tuple[str, int]] = set()
        cursor: str | None = None
        while True:
            where = DeliveryFilter(limit=500, cursor=cursor)
            page = await PostgresDeliveryStore(self.db).page(self.tenant, TO.channel, TO.endpoint, where)
            found |= {(row.event.run or "", row.event.seq) for row in page.items}
            if (cursor := page.next_cursor) is None:
                return found

    async def age(self) -> None:
        """Let every run be quiet for a minute."""
        async with self.db.tenant(self.tenant) as tx:
            await tx.execute("UPDATE runs SET updated_at = clock_timestamp() - interval '1 minute'")

    async def flagged(self) -> int:
        """Count the runs that are still to be looked at."""
        async with self.db.tenant(self.tenant) as tx:
            return len(await tx.rows("SELECT run FROM runs WHERE unsealed"))


@pytest.fixture
async def bench(db: Database, tenant: str) -> RelayBench:
    """The bench."""
    return await RelayBench(db, tenant).open()


class TestLateCommits:
    async def test_are_told_though_others_began_later_and_committed_sooner(self, server: MigratedServer, bench: RelayBench) -> None:
        early = await writer(server, bench.tenant)
        await append(early, bench.tenant, run_id(1))
        for _ in range(5):
            await bench.sealing.append(2)
            await bench.tell_all()
        await early.commit()
        await early.close()
        await bench.tell_all()
        assert await bench.told() == set(await bench.sealing.entries())

    async def test_of_many_writers_are_all_told_while_relay_and_sealer_run(self, server: MigratedServer, bench: RelayBench) -> None:
        running = WRITERS
        dice = random.Random(bench.tenant)

        async def write(number: int) -> None:
            nonlocal running
            connection = await writer(server, bench.tenant)
            for turn in range(APPENDS):
                await append(connection, bench.tenant, run_id(1 + (number + turn) % 3))
                if dice.random() < 0.3:
                    await asyncio.sleep(0)  # let others, and the relay, in between append and commit
                await (connection.rollback() if dice.random() < 0.1 else connection.commit())
                await begin(connection, bench.tenant)
            await connection.close()
            running -= 1

        async def relay() -> None:
            while running:
                await bench.tell()
                await bench.age()

        async def seal() -> None:
            while running:
                await bench.sealing.sealer.waiting(bench.tenant)
                await bench.sealing.seal()

        await asyncio.gather(relay(), seal(), *(write(number) for number in range(WRITERS)))
        await bench.tell_all()
        entries = set(await bench.sealing.entries())
        assert await bench.told() == entries
        assert len(entries) > WRITERS * APPENDS / 2


class TestFlag:
    async def test_stays_until_the_relay_has_read_what_the_sealer_has_sealed(self, bench: RelayBench) -> None:
        await bench.sealing.seal_all()
        await bench.age()
        await bench.sealing.sealer.waiting(bench.tenant)
        assert await bench.flagged() == 3
        await bench.tell_all()
        assert len(await bench.told()) == 3
        await bench.sealing.sealer.waiting(bench.tenant)
        assert await bench.flagged() == 0
        assert not await bench.relay.waiting(bench.tenant) or await bench.relay.startable(bench.tenant, limit=9)

    async def test_falls_without_a_relay_where_nobody_listens(self, db: Database, tenant: str) -> None:
        alone = RelayBench(db, tenant)
        await alone.sealing.accept(1)
        await alone.sealing.seal_all()
        await alone.age()
        await alone.sealing.sealer.waiting(tenant)
        assert await alone.flagged() == 0


class TestLease:
    async def test_that_was_lost_tells_nothing(self, bench: RelayBench) -> None:
        epoch = await bench.relay.claim(bench.tenant, holder="first", lease_s=0.0)
        assert epoch is not None
        unread = await bench.relay.unread(bench.tenant)
        await bench.tell(holder="second")
        told = await bench.told()
        await bench.sealing.append(1)
        stale = {run: seq + 1 for run, seq in unread.cursors.items()}
        assert not await bench.relay.relay(bench.tenant, epoch=epoch, lease_s=LEASE_S, deliveries=[], cursors=stale)
        await bench.tell(holder="second")
        assert await bench.told() == told | {(run_id(1), 2)}


class TestDeath:
    async def test_between_cursors_and_rows_loses_nothing(self, bench: RelayBench) -> None:
        epoch = await bench.relay.claim(bench.tenant, holder="relay", lease_s=LEASE_S)
        assert epoch is not None
        unread = await bench.relay.unread(bench.tenant)
        broken = [NewDelivery(event=events_of(unread.entries[0])[0].model_copy(update={"type": "a\0b"}), to=TO)]
        with pytest.raises(Exception, match=r"NUL|0x00"):  # whatever ends the transaction in its middle
            await bench.relay.relay(bench.tenant, epoch=epoch, lease_s=LEASE_S, deliveries=broken, cursors=unread.cursors)
        await bench.tell_all()
        assert await bench.told() == set(await bench.sealing.entries())
