"""Deliveries from the ledger to a receiver: the schedule, answers, crashes between the parts, and endpoints that hold nobody up."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from temporalio.api.enums.v1 import EventType

from domain.deliveries import PAUSES_S, DeliveryInput, DeliveryState, Schedule
from domain.delivery_stores import DeliveryRow
from domain.errors import Unavailable
from tests.domain.programs import call, program
from tests.servers.webhook_sink import Said, WebhookSink
from tests.workflows.bench import Bench, ScriptedTool, until
from tests.workflows.delivery_bench import SHORT, DeliveryHouse

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """The receiver."""
    with WebhookSink() as running:
        yield running


@pytest.fixture
def house(bench: Bench) -> DeliveryHouse:
    """The tenant."""
    return DeliveryHouse(bench)


class TestFromLedgerToReceiver:
    async def test_a_run_is_told_from_its_start_to_its_end(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, secret = await house.subscribe(sink.url, "run.*", "tool.called")
        async with house.delivering(ScriptedTool("bank.pay", {"id": 7})) as relay:
            run = await house.bench.start(program(call("pay")))
            await run.handle.result()
            await relay.round()
            await house.ends(webhook, DeliveryState.DELIVERED, count=4)
        types = {came.id: row.event.type for came in sink.requests for row in await house.rows(webhook) if row.event.id == came.id}
        assert sorted(types.values()) == ["run.accepted", "run.started", "run.succeeded", "tool.called"]
        assert all(came.signed_by(secret) for came in sink.requests)
        assert {row.event.run for row in await house.rows(webhook)} == {run.run}

    async def test_ordered_events_arrive_in_the_order_of_the_ledger(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url, "*", ordered=True)
        sink.answers.extend([Said(500), Said(500), Said(500)])
        run = await house.accept()
        for _ in range(5):
            await house.append(run)
        async with house.delivering() as relay:

            async def all_told() -> bool:
                await relay.round()
                return all(row.state is DeliveryState.DELIVERED for row in await house.rows(webhook))

            await until(all_told)
        place = {row.event.id: row.event.seq for row in await house.rows(webhook)}
        assert [place[came.id] for came in sink.requests] == [1, 1, 1, 1, 2, 3, 4, 5, 6]


class TestSchedule:
    async def test_ten_attempts_over_three_days_then_a_dead_letter_and_a_redelivery(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        house.schedule, house.skips_time = Schedule(), True
        webhook, secret = await house.subscribe(sink.url)
        sink.answers.extend([Said(500)] * 10)
        await house.accept()
        async with house.delivering() as relay:
            await relay.round()
            [dead] = await house.ends(webhook, DeliveryState.DEAD)
            pauses = await self.timers(house, dead.delivery)
            assert len(pauses) == 9
            assert all(abs(pause - wanted) <= wanted * 0.1 + 1 for pause, wanted in zip(pauses, PAUSES_S[1:], strict=True))
            assert [line.status for line in await house.log(dead.delivery)] == [500] * 10
            [letter] = await self.letters(house)
            assert letter == (dead.delivery, "delivery-failed")
            await house.bench.storage.deliveries.redeliver(house.tenant, dead.delivery)
            await relay.round()
            await house.ends(webhook, DeliveryState.DELIVERED)
        assert await self.letters(house) == []
        assert len({came.id for came in sink.requests}) == 1
        assert len(sink.requests) == 11
        assert all(came.signed_by(secret) for came in sink.requests)

    async def test_a_short_one_is_kept_by_the_real_clock(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url)
        sink.answers.extend([Said(500), Said(503), Said(404)])
        await house.accept()
        async with house.delivering() as relay:
            await relay.round()
            await house.ends(webhook, DeliveryState.DELIVERED)
        times = [came.at for came in sink.requests]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert len(gaps) == 3
        assert all(gap >= wanted * 0.9 for gap, wanted in zip(gaps, SHORT.pauses_s[1:], strict=True))

    @staticmethod
    async def timers(house: DeliveryHouse, delivery: str) -> list[float]:
        """Return the durations of the delivery's timers in seconds."""
        history = await house.bench.env.client.get_workflow_handle(delivery).fetch_history()
        started = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
        return [event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds() for event in started]

    @staticmethod
    async def letters(house: DeliveryHouse) -> list[tuple[str, str]]:
        """Return (delivery, cause) of the open dead letters."""
        async with house.bench.storage.database.tenant(house.tenant) as tx:
            rows = await tx.rows("SELECT subject, cause FROM dead_letters WHERE kind = 'delivery' AND state = 'open'")
        return [(row["subject"], row["cause"]) for row in rows]


class TestAnswers:
    async def test_gone_disables_the_webhook(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url)
        sink.answers.append(Said(410))
        await house.accept()
        async with house.delivering() as relay:
            await relay.round()
            await house.ends(webhook, DeliveryState.DEAD)
            await house.accept()
            await relay.round()
        assert (await house.bench.storage.subscriptions.get(house.tenant, webhook)).disabled_at is not None
        assert len(sink.requests) == len(await house.rows(webhook)) == 1

    async def test_retry_after_keeps_every_delivery_to_that_endpoint_away(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url)
        other, _ = await house.subscribe(sink.url + "/other")
        sink.answers.append(Said(429, {"retry-after": "2"}))
        sink.by_path["/hook/other"] = lambda _: Said()
        await house.accept()
        async with house.delivering() as relay:
            await relay.round()
            await until(lambda: self.came(sink, "/hook", 1))
            await until(lambda: self.throttled(house, webhook))
            await house.accept()
            while len(await house.rows(webhook)) < 2 or any(row.state is DeliveryState.PENDING for row in await house.rows(webhook)):
                await relay.round()
                await asyncio.sleep(0.05)  # the pause between two rounds; the condition decides
            await house.ends(other, DeliveryState.DELIVERED, count=2)
        first, *later = sink.of("/hook")
        assert len(later) == 2
        assert all(came.at - first.at >= 1.9 for came in later)

    @staticmethod
    async def came(sink: WebhookSink, path: str, count: int) -> bool:
        """Whether so many came."""
        return len(sink.of(path)) >= count

    @staticmethod
    async def throttled(house: DeliveryHouse, webhook: str) -> bool:
        """Whether the webhook is left alone now."""
        return (await house.bench.storage.subscriptions.get(house.tenant, webhook)).throttled_until is not None


class TestIsolation:
    async def test_an_endpoint_that_never_answers_delays_no_other(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        slow, _ = await house.subscribe(sink.url + "/slow")
        quick, _ = await house.subscribe(sink.url + "/quick")
        sink.by_path = {"/hook/slow": lambda _: Said(hold_s=20), "/hook/quick": lambda _: Said()}
        house.timeout_s = 20.0
        for _ in range(60):
            await house.accept()
        async with house.delivering() as relay:

            async def all_quick() -> bool:
                await relay.round()
                return len(sink.of("/hook/quick")) >= 60

            await until(all_quick, seconds=100)  # behind the slow one, eight at a time, they would take 150
            await house.ends(quick, DeliveryState.DELIVERED, count=60)
            assert len(sink.of("/hook/slow")) <= 8, "no more attempts at once than an endpoint has places"
            sink.release()
        assert all(row.state is not DeliveryState.DEAD for row in await house.rows(slow))


class TestCrashes:
    async def test_rows_without_a_workflow_are_started_by_the_next_relay(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url)
        await house.accept()

        async def dies(_: DeliveryInput) -> None:
            """End between row and workflow."""
            raise Unavailable("killed")

        with pytest.raises(Unavailable):
            await house.relay(start=dies, holder="first").round()
        assert [row.state for row in await house.rows(webhook)] == [DeliveryState.PENDING]
        async with house.delivering():
            second = house.relay(holder="second")

            async def told() -> bool:
                await second.round()  # the first one's lease ends by itself
                return bool(sink.requests)

            await until(told)
            await house.ends(webhook, DeliveryState.DELIVERED)
        assert len(sink.requests) == 1

    async def test_a_workflow_that_was_started_and_not_noted_is_not_a_second_one(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url)
        await house.accept()
        async with house.delivering() as relay:
            [found] = await self.startable(house, relay)
            begin = house.relay()._parts.start  # pyright: ignore[reportPrivateUsage]  # the very function that the relay starts with
            await begin(found)
            await house.ends(webhook, DeliveryState.DELIVERED)
            await begin(found)
            await relay.round()
        assert len(sink.requests) == 1

    async def test_an_attempt_whose_worker_was_lost_is_made_again_under_the_same_id(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, secret = await house.subscribe(sink.url)
        await house.accept()
        lost = asyncio.Event()

        house.timeout_s = 20.0
        sink.by_path["/hook"] = lambda _: Said(hold_s=0 if lost.is_set() else 20)
        async with house.worker():
            await house.relay().round()
            await until(lambda: TestAnswers.came(sink, "/hook", 1))
            lost.set()
        async with house.worker():
            await house.ends(webhook, DeliveryState.DELIVERED, seconds=100)
        assert len(sink.requests) >= 2
        assert len({came.id for came in sink.requests}) == 1
        assert all(came.signed_by(secret) for came in sink.requests)

    async def test_one_whose_workflow_was_ended_from_outside_goes_on_where_it_was(self, house: DeliveryHouse, sink: WebhookSink) -> None:
        webhook, _ = await house.subscribe(sink.url)
        await house.accept()
        sink.by_path["/hook"] = lambda _: Said(500)
        house.schedule = Schedule(pauses_s=(0.0, 3.0, 3.0), jitter=0.0)
        async with house.delivering() as relay:
            await relay.round()
            [row] = await until(lambda: self.tried(house, webhook))
            await house.bench.env.client.get_workflow_handle(row.delivery).terminate("by hand")
            sink.by_path["/hook"] = lambda _: Said()
            late = house.relay(overdue_s=-60.0)
            await late.round()
            [row] = await house.ends(webhook, DeliveryState.DELIVERED)
            await late.round()
        assert [line.attempt for line in await house.log(row.delivery)] == [1, 2]
        assert len({came.id for came in sink.requests}) == 1

    @staticmethod
    async def tried(house: DeliveryHouse, webhook: str) -> list[DeliveryRow] | None:
        """Return the rows once an attempt at the first has ended."""
        rows = await house.rows(webhook)
        return rows if rows and rows[0].attempts else None

    @staticmethod
    async def startable(house: DeliveryHouse, relay: object) -> list[DeliveryInput]:
        """Write the rows, and return what may start, without starting it."""
        del relay

        async def nothing(_: DeliveryInput) -> None:
            """Start nothing."""

        store = house.bench.storage.relay
        await house.relay(start=nothing).round()
        async with house.bench.storage.database.tenant(house.tenant) as tx:
            await tx.execute("UPDATE deliveries SET started_round = 0")
        return await store.startable(house.tenant, limit=10)
