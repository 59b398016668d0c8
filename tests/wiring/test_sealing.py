"""The sealer's loop: it seals every tenant, gives its leases back, takes over from the dead, and goes on past what is broken."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from domain.errors import InvalidInput, LogBroken, Unavailable
from domain.ledger import EntryBody, Kind
from domain.sealing import Anchor, Sealed
from domain.tree_heads import SignedTreeHead
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run
from tests.contracts.sealing_bench import run_id
from tests.fake_log import FakeLog
from tests.fakes_database import MemoryDatabase
from tests.fakes_runs import FakeRunStore
from tests.outbound import outbound
from wiring.sealing import Sealer, SealingParts, build_anchors
from wiring.settings import SealingSettings

TENANTS = ("acme", "beta")


class Kept:
    """An anchor that keeps heads, or is down; `fails` counts down."""

    name = "kept"

    def __init__(self, *, fails: int = 0) -> None:
        self.heads: list[SignedTreeHead] = []
        self.fails = fails

    async def keep(self, head: SignedTreeHead) -> None:
        """Keep a head."""
        if self.fails:
            self.fails -= 1
            raise Unavailable("the anchor is down")
        self.heads.append(head)

    async def aclose(self) -> None:
        """Nothing is open."""


class House:
    """Two tenants with a run of one entry each, over one log."""

    def __init__(self, log: Callable[[MemoryDatabase], FakeLog] = FakeLog) -> None:
        self.database = MemoryDatabase()
        self.log = log(self.database)

    async def accept(self) -> "House":
        """Accept the runs."""
        for tenant in TENANTS:
            await FakeRunStore(self.database).accept(new_run(tenant, run_id(1)))
        return self

    def append(self, tenant: str, run: int = 1) -> None:
        """Append an entry."""
        body = EntryBody(kind=Kind.RUN_CANCEL_REQUESTED, at=AT, principal="prn_a", correlation_id="c", epoch=0)
        self.database.append(tenant, run_id(run), body)

    def sealer(self, *anchors: Anchor, holder: str = "one", every_s: float = 0) -> Sealer:
        """Return a sealer of these tenants."""

        async def tenants() -> list[str]:
            return list(TENANTS)

        return Sealer(
            SealingParts(
                tenants=tenants,
                store=self.log,
                anchorage=self.log,
                anchors=anchors,
                holder=holder,
                pause_s=0.001,
                anchor_every_s=every_s,
            )
        )

    async def sizes(self) -> list[int]:
        """Return the size of each tenant's newest head."""
        newest = [await self.log.newest(tenant) for tenant in TENANTS]
        return [0 if head is None else head.tree_size for head in newest]


async def until(reached: Callable[[], bool]) -> None:
    """Let others run until a condition holds."""
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0.001)


class TestRound:
    async def test_seals_every_tenant_in_batches(self) -> None:
        house = await House(lambda database: FakeLog(database, batch=2)).accept()
        for _ in range(4):
            house.append("acme")
        await house.sealer().round()
        assert await house.sizes() == [5, 1]

    async def test_leaves_a_tenant_to_the_sealer_that_holds_its_lease(self) -> None:
        house = await House().accept()
        await house.sealer().round()
        for tenant in TENANTS:
            house.append(tenant)
        second = house.sealer(holder="two")
        await second.round()
        assert await house.sizes() == [1, 1]
        house.database.pass_time(seconds=16)
        await second.round()
        assert await house.sizes() == [2, 2]

    async def test_goes_on_without_a_run_that_does_not_continue(self, caplog: pytest.LogCaptureFixture) -> None:
        house = await House().accept()
        sealer = house.sealer()
        await sealer.round()
        house.append("acme")
        chain = house.database.entries["acme", run_id(1)]
        chain[1] = chain[1].model_copy(update={"prev": b"x" * 32})
        await FakeRunStore(house.database).accept(new_run("acme", run_id(2)))
        for _ in range(2):
            await sealer.round()
        assert await house.sizes() == [2, 1]
        assert [record.message.split(":")[0] for record in caplog.records if record.levelno == logging.ERROR] == [
            f"entry 2 of {run_id(1)} (tenant acme) is not sealed"
        ]

    async def test_says_once_that_a_log_is_broken_and_seals_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(FakeLog):
            """The first tenant's log was changed."""

            async def seal(self, tenant: str, *, epoch: int, lease_s: float, without: frozenset[str] = frozenset()) -> Sealed | None:
                """Refuse one tenant."""
                if tenant == "acme":
                    raise LogBroken("the stored log was changed")
                return await super().seal(tenant, epoch=epoch, lease_s=lease_s, without=without)

        house = await House(Broken).accept()
        sealer = house.sealer()
        for _ in range(3):
            await sealer.round()
        assert await house.sizes() == [0, 1]
        assert len([record for record in caplog.records if "was changed" in record.message]) == 1


class TestAnchors:
    async def test_get_the_newest_head_of_each_tenant(self) -> None:
        house, kept = await House().accept(), Kept()
        sealer = house.sealer(kept)
        await sealer.round()
        await sealer.round()
        assert [(head.tenant, head.tree_size) for head in kept.heads] == [("acme", 1), ("beta", 1)]

    async def test_that_are_down_get_it_later_and_stop_nobody_else(self) -> None:
        house, down, up = await House().accept(), Kept(fails=4), Kept()
        down.name = "down"
        sealer = house.sealer(down, up)
        await sealer.round()
        assert (len(down.heads), len(up.heads)) == (0, 2)
        for _ in range(3):
            house.database.pass_time(seconds=600)
            await sealer.round()
        assert [head.tenant for head in down.heads] == ["acme", "beta"]

    async def test_get_what_a_dead_sealer_had_not_delivered(self) -> None:
        house, kept = await House().accept(), Kept()
        await house.sealer().round()
        second = house.sealer(kept, holder="two")
        await second.round()
        assert kept.heads == []
        house.database.pass_time(seconds=16)
        await second.round()
        assert len(kept.heads) == 2

    def test_are_those_of_the_settings(self) -> None:
        settings = SealingSettings.model_validate({"anchor_file": "heads.jsonl", "anchor_url": "https://anchor.example/"})
        assert [anchor.name for anchor in build_anchors(settings, "development", outbound())] == [
            "file:heads.jsonl",
            "webhook:https://anchor.example/",
        ]
        assert build_anchors(SealingSettings(), "production", outbound()) == []

    def test_are_signed_in_production_and_use_tls(self) -> None:
        unsigned = SealingSettings.model_validate({"anchor_url": "https://anchor.example/"})
        with pytest.raises(InvalidInput, match="STANDFAST_ANCHOR_SECRET"):
            build_anchors(unsigned, "production", outbound())
        signed = {"anchor_url": "http://127.0.0.1:9/", "anchor_secret": SecretStr("s")}
        with pytest.raises(InvalidInput, match="https"):
            build_anchors(SealingSettings.model_validate(signed), "production", outbound())
        assert build_anchors(SealingSettings.model_validate(signed), "test", outbound())


class TestRun:
    async def test_seals_until_it_is_stopped_and_gives_its_leases_back(self) -> None:
        house, stop = await House().accept(), asyncio.Event()
        running = asyncio.create_task(house.sealer().run(stop))
        await until(lambda: all(house.log.log_of(tenant).heads for tenant in TENANTS))
        house.append("acme")
        await until(lambda: len(house.log.log_of("acme").leaves) == 2)
        stop.set()
        await running
        house.append("beta")
        await house.sealer(holder="two").round()
        assert await house.sizes() == [2, 2]

    async def test_outlives_rounds_that_fail(self, caplog: pytest.LogCaptureFixture) -> None:
        class Faulty(FakeLog):
            """The database is away twice, then something unforeseen happens."""

            faults = [Unavailable("PostgreSQL does not answer"), Unavailable("PostgreSQL does not answer"), ZeroDivisionError()]

            async def waiting(self, tenant: str) -> bool:
                """Fail while faults are left."""
                if self.faults:
                    raise self.faults.pop(0)
                return await super().waiting(tenant)

        house, stop = await House(Faulty).accept(), asyncio.Event()
        running = asyncio.create_task(house.sealer().run(stop))
        await until(lambda: all(house.log.log_of(tenant).heads for tenant in TENANTS))
        stop.set()
        await running
        assert [record.levelname for record in caplog.records if "sealer" in record.message] == ["WARNING", "WARNING", "ERROR"]
