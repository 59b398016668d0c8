"""The activity that sends: what it writes before and after, how many at once, and what a faulty channel cannot do."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.deliveries import DeliveryActivities
from domain.deliveries import AttemptResult, DeliveryState, NewDelivery, Outgoing, Recipient, SendAnswer, SendRequest
from domain.errors import NotFound, Unavailable
from domain.events import Event
from tests.fakes_database import MemoryDatabase
from tests.fakes_deliveries import DeliveryTables, FakeDeliveryStore

Answer = Callable[[Outgoing], Awaitable[AttemptResult]]


async def sent(_: Outgoing) -> AttemptResult:
    """Deliver."""
    return AttemptResult(outcome="sent", status=200)


class Scripted:
    """A channel that answers as the test says."""

    kind = "webhook"

    def __init__(self, answer: Answer = sent) -> None:
        self.answer = answer
        self.got: list[Outgoing] = []

    async def send(self, endpoint: str, delivery: Outgoing) -> AttemptResult:
        """Remember and answer."""
        assert endpoint == delivery.endpoint
        self.got.append(delivery)
        return await self.answer(delivery)

    async def aclose(self) -> None:
        """Nothing is open."""


class House:
    """Deliveries of one tenant, and the activity over them."""

    def __init__(self, channel: Scripted | None = None, *, endpoint_places: int = 2, all_places: int = 3) -> None:
        self.tables = DeliveryTables(MemoryDatabase())
        self.store = FakeDeliveryStore(self.tables)
        self.activities = DeliveryActivities(
            deliveries=self.store,
            channels={"webhook": channel} if channel else {},
            endpoint_places=endpoint_places,
            all_places=all_places,
        )

    async def add(self, number: int = 1, endpoint: str = "whk_a") -> str:
        """Add a delivery."""
        event = Event(id=f"evt_{number}", type="run.paused", at="", tenant="acme", run="run_1", seq=number)
        [delivery] = await self.store.add("acme", [NewDelivery(event=event, to=Recipient(channel="webhook", endpoint=endpoint))])
        return delivery

    async def attempt(
        self,
        delivery: str,
        *,
        attempt: int = 1,
        endpoint: str = "whk_a",
        waits: int = 0,
        environment: ActivityEnvironment | None = None,
    ) -> SendAnswer:
        """Make an attempt."""
        request = SendRequest(
            tenant="acme", delivery=delivery, channel="webhook", endpoint=endpoint, round=1, attempt=attempt, chance=0.5, waits=waits
        )
        return await (environment or ActivityEnvironment()).run(self.activities.send_delivery, request)


class TestSendDelivery:
    async def test_writes_the_attempt_and_what_came_of_it(self) -> None:
        channel = Scripted()
        house = House(channel)
        delivery = await house.add()
        assert (await house.attempt(delivery)).state == DeliveryState.DELIVERED
        row, log = await house.store.get("acme", delivery)
        assert (row.state, row.attempts, [line.outcome for line in log]) == (DeliveryState.DELIVERED, 1, ["sent"])
        assert channel.got[0].event == row.event

    async def test_says_when_the_next_attempt_is_due(self) -> None:
        async def fails(_: Outgoing) -> AttemptResult:
            """Fail."""
            return AttemptResult(outcome="failed", status=500)

        house = House(Scripted(fails))
        answer = await house.attempt(await house.add(), attempt=2)
        assert (answer.state, answer.attempt, answer.pause_s) == (DeliveryState.PENDING, 3, 300)

    async def test_sends_nothing_for_a_round_that_is_over(self) -> None:
        channel = Scripted()
        house = House(channel)
        delivery = await house.add()
        await house.attempt(delivery)
        assert (await house.attempt(delivery)).state == DeliveryState.DELIVERED
        await house.store.redeliver("acme", delivery)
        assert (await house.attempt(delivery)).state == DeliveryState.DISCARDED
        assert len(channel.got) == 1

    async def test_takes_no_more_places_of_an_endpoint_than_it_has(self) -> None:
        held = asyncio.Event()

        async def holds(_: Outgoing) -> AttemptResult:
            """Hold until the test lets go."""
            await held.wait()
            return AttemptResult(outcome="sent")

        channel = Scripted(holds)
        house = House(channel)
        many = [await house.add(number) for number in range(1, 5)]
        first = [asyncio.create_task(house.attempt(one)) for one in many[:2]]
        while len(channel.got) < 2:
            await asyncio.sleep(0)
        busy = await house.attempt(many[2])
        assert (busy.state, busy.busy, busy.attempt) == (DeliveryState.PENDING, True, 1)
        assert 0 < busy.pause_s <= 1
        assert (await house.store.get("acme", many[2]))[1] == (), "nothing was tried, so nothing is in the log"
        other = await house.add(1, endpoint="whk_b")
        third = asyncio.create_task(house.attempt(other, endpoint="whk_b"))
        while len(channel.got) < 3:
            await asyncio.sleep(0)
        assert (await house.attempt(await house.add(1, endpoint="whk_c"), endpoint="whk_c")).busy, "a worker has other work to do"
        held.set()
        await asyncio.gather(*first, third)
        assert (await house.attempt(many[2])).state == DeliveryState.DELIVERED

    @pytest.mark.parametrize("fault", [ValueError("a bug of the plugin"), Unavailable("its server is away"), TimeoutError()])
    async def test_a_faulty_channel_ends_in_the_log_and_in_the_schedule(self, fault: Exception) -> None:
        async def breaks(_: Outgoing) -> AttemptResult:
            """Raise."""
            raise fault

        house = House(Scripted(breaks))
        delivery = await house.add()
        answer = await house.attempt(delivery)
        assert (answer.state, answer.attempt) == (DeliveryState.PENDING, 2)
        assert [line.outcome for line in (await house.store.get("acme", delivery))[1]] == ["failed"]

    async def test_a_channel_that_is_not_installed_is_told(self) -> None:
        house = House()
        delivery = await house.add()
        assert (await house.attempt(delivery)).state == DeliveryState.PENDING
        assert "install its plugin" in (await house.store.get("acme", delivery))[1][0].detail

    async def test_an_unknown_delivery_is_an_error(self) -> None:
        with pytest.raises(NotFound):
            await House(Scripted()).attempt("dlv_none")

    async def test_a_cancelled_attempt_gives_its_place_back(self) -> None:
        never = asyncio.Event()

        async def holds(_: Outgoing) -> AttemptResult:
            """Hold for ever."""
            await never.wait()
            return AttemptResult(outcome="sent")

        channel = Scripted(holds)
        house = House(channel, endpoint_places=1)
        delivery = await house.add()
        task = asyncio.create_task(house.attempt(delivery))
        while not channel.got:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        channel.answer = sent
        assert (await house.attempt(delivery)).state == DeliveryState.DELIVERED
        assert [line.outcome for line in (await house.store.get("acme", delivery))[1]] == ["open", "sent"]

    async def test_beats_while_its_channel_waits(self) -> None:
        beaten = asyncio.Event()

        async def waits(_: Outgoing) -> AttemptResult:
            """Wait for a second heartbeat."""
            for _number in range(2):
                beaten.clear()
                await beaten.wait()
            return AttemptResult(outcome="sent")

        house = House(Scripted(waits))
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, heartbeat_timeout=timedelta(milliseconds=30))
        environment.on_heartbeat = lambda *_: beaten.set()
        async with asyncio.timeout(10):
            assert (await house.attempt(await house.add(), environment=environment)).state == DeliveryState.DELIVERED
