"""The relay's loop: it tells every tenant's listeners, starts what waits, passes its lease on, and goes on past what is broken."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.deliveries import DeliveryInput, DeliveryState, NewDelivery, Recipient
from domain.errors import InvalidInput, Unavailable
from domain.events import Event
from domain.ledger import EntryBody, Kind
from domain.subscriptions import Subscribers, SubscriptionDraft, format_secret
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run
from tests.contracts.sealing_bench import run_id
from tests.fakes_database import MemoryDatabase
from tests.fakes_deliveries import DeliveryTables, FakeDeliveryStore, FakeRelay
from tests.fakes_runs import FakeRunStore
from tests.fakes_subscriptions import FakeSubscriptionStore
from wiring.relaying import Relay, RelayParts, starter
from wiring.settings import WebhookSettings

TENANTS = ("acme", "beta")
DRAFT = SubscriptionDraft(url="https://hooks.example/in", events=("*",))


class House:
    """Two tenants with a webhook each; `started` is what became workflows, oldest first."""

    def __init__(self) -> None:
        self.tables = DeliveryTables(MemoryDatabase())
        self.subscriptions = FakeSubscriptionStore(self.tables)
        self.started: list[DeliveryInput] = []
        self.fails = 0

    async def open(self) -> "House":
        """Register the webhooks and accept a run in each tenant."""
        for tenant in TENANTS:
            await self.subscriptions.create(tenant, f"whk_{tenant}", DRAFT, secret=format_secret(b"s" * 32), by="prn_a")
            await FakeRunStore(self.tables.database).accept(new_run(tenant, run_id(1)))
        return self

    def append(self, tenant: str, entries: int = 1) -> None:
        """Append entries to the tenant's run."""
        for _ in range(entries):
            body = EntryBody(kind=Kind.RUN_CANCEL_REQUESTED, at=AT, principal="prn_a", correlation_id="c", epoch=0)
            self.tables.database.append(tenant, run_id(1), body)

    async def start(self, delivery: DeliveryInput) -> None:
        """Start a workflow, or fail as often as `fails` says."""
        if self.fails:
            self.fails -= 1
            raise Unavailable("Temporal is away")
        if delivery not in self.started:
            self.started.append(delivery)

    def relay(self, *, holder: str = "one", store: FakeRelay | None = None, entries_max: int = 100) -> Relay:
        """Return a relay of these tenants."""

        async def tenants() -> list[str]:
            return list(TENANTS)

        return Relay(
            RelayParts(
                tenants=tenants,
                store=store or FakeRelay(self.tables, in_flight=1000),
                audiences=[Subscribers(self.subscriptions)],
                start=self.start,
                holder=holder,
                pause_s=0.001,
                entries_max=entries_max,
            )
        )

    def told(self) -> list[tuple[str, int]]:
        """Return (tenant, sequence) of each event that has a delivery, in order."""
        return sorted((tenant, row.event.seq) for (tenant, _), row in self.tables.rows.items())


async def until(reached: Callable[[], bool]) -> None:
    """Let others run until a condition holds."""
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0.001)


class TestRound:
    async def test_tells_every_tenant_in_portions_and_starts_each_delivery(self) -> None:
        house = await House().open()
        house.append("acme", 4)
        await house.relay(entries_max=2).round()
        assert house.told() == [("acme", 1), ("acme", 2), ("acme", 3), ("acme", 4), ("acme", 5), ("beta", 1)]
        assert len(house.started) == 6

    async def test_leaves_a_tenant_to_the_relay_that_holds_its_lease(self) -> None:
        house = await House().open()
        await house.relay().round()
        house.append("acme")
        second = house.relay(holder="two")
        await second.round()
        assert house.told() == [("acme", 1), ("beta", 1)]
        house.tables.database.pass_time(seconds=16)
        await second.round()
        assert house.told() == [("acme", 1), ("acme", 2), ("beta", 1)]

    async def test_writes_nothing_when_its_lease_was_taken_meanwhile(self) -> None:
        house = await House().open()

        class Slow(FakeRelay):
            """Somebody else takes the lease between reading and writing."""

            async def relay(
                self, tenant: str, *, epoch: int, lease_s: float, deliveries: list[NewDelivery], cursors: dict[str, int]
            ) -> bool:
                """Lose it."""
                house.tables.leases[tenant] = (epoch + 1, "two", house.tables.database.time)
                return await super().relay(tenant, epoch=epoch, lease_s=lease_s, deliveries=deliveries, cursors=cursors)

        await house.relay(store=Slow(house.tables)).round()
        assert house.told() == []
        await house.relay(holder="three").round()
        assert house.told() == [("acme", 1), ("beta", 1)]

    async def test_starts_again_what_it_could_not_start(self) -> None:
        house = await House().open()
        house.fails = 1
        with pytest.raises(Unavailable):
            await house.relay().round()
        await house.relay().round()
        assert {one.tenant for one in house.started} == set(TENANTS)
        assert house.told() == [("acme", 1), ("beta", 1)]

    async def test_a_tenant_that_cannot_be_read_keeps_no_other_from_its_turn(self, caplog: pytest.LogCaptureFixture) -> None:
        house = await House().open()

        class Broken(FakeRelay):
            """The first tenant's rows cannot be read."""

            async def waiting(self, tenant: str) -> bool:
                """Break on one tenant."""
                if tenant == "acme":
                    raise ValueError("not JSON")
                return await super().waiting(tenant)

        await house.relay(store=Broken(house.tables)).round()
        assert house.told() == [("beta", 1)]
        assert "nothing is relayed for tenant acme" in caplog.text

    async def test_starts_deliveries_that_nobody_relayed(self) -> None:
        house = await House().open()
        await house.relay().round()
        event = Event(id="evt_test", type="webhook.test", at=AT, tenant="acme", run=None)
        to = Recipient(channel="webhook", endpoint="whk_acme")
        [delivery] = await FakeDeliveryStore(house.tables).add("acme", [NewDelivery(event=event, to=to)])
        await house.relay().round()
        assert house.started[-1].delivery == delivery
        assert house.tables.rows["acme", delivery].state is DeliveryState.PENDING

    async def test_forgets_what_is_long_over_once_an_hour(self) -> None:
        house, asked = await House().open(), list[float]()

        class Noting(FakeRelay):
            """Notes when it is asked to forget."""

            async def forget(self, tenant: str, *, days: float) -> int:
                """Note it."""
                asked.append(days)
                return await super().forget(tenant, days=days)

        relay = house.relay(store=Noting(house.tables))
        for _ in range(3):
            house.append("acme")
            await relay.round()
        assert asked == [30.0] * len(TENANTS)


class TestRun:
    async def test_goes_on_until_it_is_stopped_and_gives_its_leases_back(self) -> None:
        house, stop = await House().open(), asyncio.Event()
        running = asyncio.create_task(house.relay().run(stop))
        await until(lambda: len(house.started) == 2)
        house.append("beta")
        await until(lambda: len(house.started) == 3)
        stop.set()
        await running
        await house.relay(holder="two").round()
        house.append("acme")
        await house.relay(holder="two").round()
        assert ("acme", 2) in house.told()

    async def test_outlives_an_outage(self, caplog: pytest.LogCaptureFixture) -> None:
        house, stop = await House().open(), asyncio.Event()
        house.fails = 3
        running = asyncio.create_task(house.relay().run(stop))
        await until(lambda: len(house.started) == 2)
        stop.set()
        await running
        assert "the relay waits: Temporal is away" in caplog.text


class AwayClient:
    """Temporal's client while its server is away, or knows the workflow."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def start_workflow(self, *_: object, **__: object) -> None:
        """Raise."""
        raise self._error


class TestStarter:
    async def test_says_that_temporal_is_away(self) -> None:
        bound: list[tuple[str, str]] = []
        away = cast("Client", AwayClient(RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")))
        start = starter(away, lambda workflow, tenant: bound.append((workflow, tenant)), task_queue="q")
        with pytest.raises(Unavailable, match="connection refused"):
            await start(DeliveryInput(tenant="acme", delivery="dlv_1", round=3))
        assert bound == [("dlv_1.3", "acme")]

    async def test_a_workflow_that_exists_is_success(self) -> None:
        there = cast("Client", AwayClient(WorkflowAlreadyStartedError("dlv_1", "standfast.delivery.v1")))
        await starter(there, lambda _workflow, _tenant: None, task_queue="q")(DeliveryInput(tenant="acme", delivery="dlv_1"))


class TestSettings:
    def test_private_addresses_are_refused_in_production(self) -> None:
        asked = WebhookSettings.model_validate({"allow_private": True})
        assert asked.private_in("development")
        with pytest.raises(InvalidInput, match="STANDFAST_WEBHOOK_PRIVATE"):
            asked.private_in("production")
        assert not WebhookSettings.model_validate({"allow_private": False}).private_in("production")
