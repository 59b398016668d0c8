"""The ports of deliveries on PostgreSQL and on the fakes: nothing untold, nothing twice, nobody waits for another endpoint."""

from collections.abc import AsyncGenerator

import pytest

from adapters.postgres.pool import Database
from domain.deliveries import AttemptResult, DeliveryInput, DeliveryState, NewDelivery, Next, Outgoing, Recipient
from domain.delivery_stores import DeliveryFilter
from domain.errors import BadRequest, Conflict, NotFound
from domain.events import Event, delivery_id, event_id
from domain.subscriptions import SUBSCRIPTIONS_MAX, Target
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.delivery_bench import (
    DRAFT,
    IN_FLIGHT,
    SECRET,
    DeliveryBench,
    FakeDeliveryBench,
    PostgresDeliveryBench,
    fresh_id,
    relay_all,
)
from tests.contracts.sealing_bench import run_id

NEXT_SECRET = "whsec_" + "QUFB" * 10
FAILED = AttemptResult(outcome="failed", status=500, detail="HTTP 500", duration_ms=7)
DELIVERED = Next(state=DeliveryState.DELIVERED)
LATER = Next(state=DeliveryState.PENDING, attempt=2, pause_s=3600)


@pytest.fixture(params=["fake", *VERSIONS])
async def bench(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[DeliveryBench]:
    """The bench on each."""
    if request.param == "fake":
        yield FakeDeliveryBench(tenant)
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        yield PostgresDeliveryBench(database, tenant)


def paused(tenant: str, number: int, *, endpoint: str = "whk_a", ordered: bool = False) -> NewDelivery:
    """Build a delivery of an event about run 1."""
    run = run_id(1)
    identity = event_id(tenant, run, number, "run.paused")
    event = Event(id=identity, type="run.paused", at="2026-01-05T09:00:00.000000Z", tenant=tenant, run=run, seq=number, data={"n": number})
    return NewDelivery(event=event, to=Recipient(channel="webhook", endpoint=endpoint, ordered=ordered))


async def begun(bench: DeliveryBench, delivery: str, *, round_: int = 1, attempt: int = 1) -> Outgoing:
    """Begin an attempt that may be made."""
    sent = await bench.deliveries.begin(bench.tenant, delivery, round_=round_, attempt=attempt)
    assert isinstance(sent, Outgoing)
    return sent


async def starts(bench: DeliveryBench) -> list[DeliveryInput]:
    """Start all that may start, as the relay does."""
    found = await bench.relay.startable(bench.tenant, limit=100)
    await bench.relay.started(bench.tenant, found)
    return found


class TestRelay:
    async def test_does_nothing_for_a_tenant_without_listeners(self, bench: DeliveryBench) -> None:
        await bench.accept(1)
        assert not await bench.relay.waiting(bench.tenant)
        assert await bench.relay.claim(bench.tenant, holder="a", lease_s=60) is None

    async def test_tells_what_is_appended_after_the_activation_and_nothing_twice(self, bench: DeliveryBench) -> None:
        await bench.accept(1)
        await bench.relay.activate(bench.tenant)
        await bench.append(1, 2)
        await bench.accept(2)
        told = await relay_all(bench)
        assert [(event.run, event.seq) for event in told] == [(run_id(1), 2), (run_id(1), 3), (run_id(2), 1)]
        assert await relay_all(bench) == []
        await bench.append(2)
        assert [(event.run, event.seq) for event in await relay_all(bench)] == [(run_id(2), 2)]

    async def test_reads_in_portions_without_a_gap(self, bench: DeliveryBench) -> None:
        await bench.relay.activate(bench.tenant)
        for number in (1, 2, 3):
            await bench.accept(number)
            await bench.append(number, number)
        told = await relay_all(bench, limit=2)
        assert [(event.run, event.seq) for event in told] == [(run_id(n), seq) for n in (1, 2, 3) for seq in range(1, n + 2)]

    async def test_writes_nothing_under_a_lease_that_another_has_taken(self, bench: DeliveryBench) -> None:
        await bench.relay.activate(bench.tenant)
        await bench.accept(1)
        epoch = await bench.relay.claim(bench.tenant, holder="a", lease_s=60)
        assert epoch is not None
        assert await bench.relay.claim(bench.tenant, holder="b", lease_s=60) is None
        await bench.relay.release(bench.tenant, epoch=epoch)
        assert await bench.relay.claim(bench.tenant, holder="b", lease_s=60) == epoch + 1
        assert not await bench.relay.relay(bench.tenant, epoch=epoch, lease_s=60, deliveries=[], cursors={run_id(1): 1})
        assert len((await bench.relay.unread(bench.tenant)).entries) == 1

    async def test_starts_each_delivery_once(self, bench: DeliveryBench) -> None:
        [first] = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1)])
        assert await bench.relay.waiting(bench.tenant)
        assert await starts(bench) == [DeliveryInput(tenant=bench.tenant, delivery=first, channel="webhook", endpoint="whk_a", round=1)]
        assert await starts(bench) == []
        assert not await bench.relay.waiting(bench.tenant)

    async def test_one_endpoint_takes_no_place_of_another(self, bench: DeliveryBench) -> None:
        many = [paused(bench.tenant, number, endpoint="whk_slow") for number in range(1, 10)]
        await bench.deliveries.add(bench.tenant, many)
        await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1, endpoint="whk_quick")])
        chosen = {one.delivery for one in await starts(bench)}
        assert len(chosen) == IN_FLIGHT + 1
        assert delivery_id(many[0].event.id, "webhook", "whk_quick") in chosen
        assert await starts(bench) == []
        await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 2, endpoint="whk_quick")])
        assert len(await starts(bench)) == 1

    async def test_deliveries_that_wait_for_their_next_attempt_hold_no_place(self, bench: DeliveryBench) -> None:
        await bench.deliveries.add(bench.tenant, [paused(bench.tenant, number) for number in range(1, IN_FLIGHT + 2)])
        for one in await starts(bench):
            await bench.deliveries.settle(await begun(bench, one.delivery), FAILED, LATER)
        assert len(await starts(bench)) == 1

    async def test_ordered_events_of_a_run_go_one_after_the_other(self, bench: DeliveryBench) -> None:
        pair = [paused(bench.tenant, number, ordered=True) for number in (2, 1)]
        await bench.deliveries.add(bench.tenant, pair)
        [first] = await starts(bench)
        assert (await bench.deliveries.get(bench.tenant, first.delivery))[0].event.seq == 1
        await bench.deliveries.settle(await begun(bench, first.delivery), FAILED, LATER)
        assert await starts(bench) == []
        sent = await begun(bench, first.delivery, attempt=2)
        await bench.deliveries.settle(sent, AttemptResult(outcome="sent", status=204), DELIVERED)
        [second] = await starts(bench)
        assert (await bench.deliveries.get(bench.tenant, second.delivery))[0].event.seq == 2

    async def test_names_what_is_overdue_with_its_next_attempt(self, bench: DeliveryBench) -> None:
        tried, slow, _ = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, number) for number in (1, 2, 3)])
        rows = {one.delivery: one for one in await starts(bench)}
        await bench.relay.started(bench.tenant, list(rows.values()))
        await bench.deliveries.settle(await begun(bench, tried), FAILED, LATER)
        await bench.deliveries.settle(await begun(bench, slow), AttemptResult(outcome="sent", status=204), DELIVERED)
        assert await bench.relay.overdue(bench.tenant, after="", seconds=600, limit=10) == []
        assert await bench.relay.overdue("t-other", after="", seconds=-1e6, limit=10) == []
        found = await bench.relay.overdue(bench.tenant, after="", seconds=-1e6, limit=10)
        assert {one.delivery: one.attempt for one in found} == {name: 2 if name == tried else 1 for name in rows if name != slow}
        assert [one.delivery for one in found] == sorted(one.delivery for one in found)
        assert await bench.relay.overdue(bench.tenant, after=found[0].delivery, seconds=-1e6, limit=10) == found[1:]
        assert await bench.relay.overdue(bench.tenant, after="", seconds=-1e6, limit=1) == found[:1]

    async def test_forgets_what_was_delivered_and_keeps_what_is_dead_or_pending(self, bench: DeliveryBench) -> None:
        delivered, dead, pending = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, number) for number in (1, 2, 3)])
        await bench.deliveries.settle(await begun(bench, delivered), AttemptResult(outcome="sent", status=200), DELIVERED)
        await bench.deliveries.settle(await begun(bench, dead), FAILED, Next(state=DeliveryState.DEAD))
        assert await bench.relay.forget(bench.tenant, days=1) == 0
        assert await bench.relay.forget("t-other", days=-1) == 0
        assert await bench.relay.forget(bench.tenant, days=-1) == 1
        with pytest.raises(NotFound):
            await bench.deliveries.get(bench.tenant, delivered)
        assert {(await bench.deliveries.get(bench.tenant, one))[0].state for one in (dead, pending)} == {"dead", "pending"}
        assert await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1)]) == [delivered], "a replay finds the same id again"


class TestDelivery:
    @pytest.fixture
    async def delivery(self, bench: DeliveryBench) -> str:
        """A pending delivery."""
        [one] = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1)])
        return one

    async def test_keeps_its_event_through_attempts_and_rounds(self, bench: DeliveryBench, delivery: str) -> None:
        sent = await begun(bench, delivery)
        await bench.deliveries.settle(sent, FAILED, LATER)
        again = await begun(bench, delivery, attempt=2)
        await bench.deliveries.settle(again, AttemptResult(outcome="sent", status=200, duration_ms=3), DELIVERED)
        row, log = await bench.deliveries.get(bench.tenant, delivery)
        assert sent.event == again.event == row.event == paused(bench.tenant, 1).event
        assert (row.state, row.attempts, row.reason) == (DeliveryState.DELIVERED, 2, "")
        assert row.settled_at is not None
        assert [(line.attempt, line.outcome, line.status) for line in log] == [(1, "failed", 500), (2, "sent", 200)]
        await bench.deliveries.redeliver(bench.tenant, delivery)
        assert (await begun(bench, delivery, round_=2)).event == sent.event

    async def test_a_row_that_exists_is_not_written_again(self, bench: DeliveryBench, delivery: str) -> None:
        assert await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1)]) == []
        assert (await bench.deliveries.get(bench.tenant, delivery))[0].round == 1

    async def test_an_attempt_whose_worker_was_lost_stays_open_in_the_log(self, bench: DeliveryBench, delivery: str) -> None:
        await begun(bench, delivery)
        sent = await begun(bench, delivery)
        await bench.deliveries.settle(sent, AttemptResult(outcome="sent", status=200), DELIVERED)
        _, log = await bench.deliveries.get(bench.tenant, delivery)
        assert [line.outcome for line in log] == ["open", "sent"]

    async def test_waits_while_its_endpoint_is_throttled(self, bench: DeliveryBench, delivery: str) -> None:
        [other] = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 2)])
        throttled = AttemptResult(outcome="throttled", status=429, retry_after_s=600)
        await bench.deliveries.settle(await begun(bench, delivery), throttled, LATER.model_copy(update={"throttle_s": 600.0}))
        result = await bench.deliveries.begin(bench.tenant, other, round_=1, attempt=1)
        assert isinstance(result, AttemptResult)
        assert result.outcome == "busy"
        assert result.retry_after_s is not None
        assert 590 < result.retry_after_s <= 600
        assert await bench.relay.startable(bench.tenant, limit=10) == []

    async def test_gone_disables_the_endpoint_for_all_that_wait(self, bench: DeliveryBench, delivery: str) -> None:
        [other] = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 2)])
        gone = AttemptResult(outcome="gone", status=410, detail="HTTP 410")
        await bench.deliveries.settle(await begun(bench, delivery), gone, Next(state=DeliveryState.DEAD, disable=True))
        assert await bench.deliveries.begin(bench.tenant, other, round_=1, attempt=1) is DeliveryState.DEAD
        assert sorted(await bench.dead_letters()) == sorted([(delivery, "endpoint-gone"), (other, "endpoint-disabled")])

    async def test_a_dead_one_has_its_dead_letter_until_it_is_redelivered(self, bench: DeliveryBench, delivery: str) -> None:
        await bench.deliveries.settle(await begun(bench, delivery, attempt=10), FAILED, Next(state=DeliveryState.DEAD))
        row, _ = await bench.deliveries.get(bench.tenant, delivery)
        assert (row.state, row.reason) == (DeliveryState.DEAD, "HTTP 500")
        assert await bench.dead_letters() == [(delivery, "delivery-failed")]
        fresh = await bench.deliveries.redeliver(bench.tenant, delivery)
        assert (fresh.state, fresh.round, fresh.attempts) == (DeliveryState.PENDING, 2, 0)
        assert await bench.dead_letters() == []
        assert [one.round for one in await starts(bench)] == [2]

    async def test_an_older_round_neither_sends_nor_settles_any_more(self, bench: DeliveryBench, delivery: str) -> None:
        sent = await begun(bench, delivery)
        await bench.deliveries.redeliver(bench.tenant, delivery)
        await bench.deliveries.settle(sent, AttemptResult(outcome="sent", status=200), DELIVERED)
        row, log = await bench.deliveries.get(bench.tenant, delivery)
        assert (row.state, row.round, row.attempts) == (DeliveryState.PENDING, 2, 0)
        assert [line.outcome for line in log] == ["sent"]
        assert await bench.deliveries.begin(bench.tenant, delivery, round_=1, attempt=2) is DeliveryState.DISCARDED

    async def test_pages_newest_first_by_state_type_and_run(self, bench: DeliveryBench) -> None:
        for number in range(1, 6):
            await bench.deliveries.add(bench.tenant, [paused(bench.tenant, number)])
        first = await bench.deliveries.page(bench.tenant, "webhook", "whk_a", DeliveryFilter(limit=3))
        rest = await bench.deliveries.page(bench.tenant, "webhook", "whk_a", DeliveryFilter(limit=3, cursor=first.next_cursor))
        assert len({row.delivery for row in (*first.items, *rest.items)}) == 5
        assert rest.next_cursor is None
        for where, count in (
            (DeliveryFilter(state=DeliveryState.PENDING, type="run.paused", run=run_id(1)), 5),
            (DeliveryFilter(state=DeliveryState.DEAD), 0),
            (DeliveryFilter(run=run_id(2)), 0),
        ):
            assert len((await bench.deliveries.page(bench.tenant, "webhook", "whk_a", where)).items) == count
        with pytest.raises(BadRequest):
            await bench.deliveries.page(bench.tenant, "webhook", "whk_a", DeliveryFilter(cursor="nonsense"))

    async def test_another_tenants_is_absent(self, bench: DeliveryBench, delivery: str) -> None:
        with pytest.raises(NotFound):
            await bench.deliveries.get("t-other", delivery)
        with pytest.raises(NotFound):
            await bench.deliveries.redeliver("t-other", delivery)
        with pytest.raises(NotFound):
            await bench.deliveries.begin("t-other", delivery, round_=1, attempt=1)


class TestReplay:
    async def test_reads_the_sealed_log_from_any_position(self, bench: DeliveryBench) -> None:
        await bench.accept(1)
        await bench.seal()
        await bench.accept(2)
        await bench.append(1, 2)
        await bench.seal()
        whole = await bench.past.from_position(bench.tenant, 0, limit=10)
        assert len(whole.entries) == 4
        assert whole.next is None
        part = await bench.past.from_position(bench.tenant, 1, limit=2)
        assert part.entries == whole.entries[1:3]
        assert part.next == 3
        assert (await bench.past.from_position("t-other", 0, limit=10)).entries == ()

    async def test_reads_a_run_from_any_sequence(self, bench: DeliveryBench) -> None:
        await bench.accept(1)
        await bench.append(1, 3)
        past = await bench.past.of_run(bench.tenant, run_id(1), 2, limit=2)
        assert [entry.seq for entry in past.entries] == [2, 3]
        assert past.next == 4
        with pytest.raises(NotFound):
            await bench.past.of_run("t-other", run_id(1), 1, limit=2)

    async def test_sends_new_ones_and_settled_ones_again_and_leaves_pending_ones(self, bench: DeliveryBench) -> None:
        settled, pending, new = (paused(bench.tenant, number) for number in (1, 2, 3))
        first, second = await bench.deliveries.add(bench.tenant, [settled, pending])
        await bench.deliveries.settle(await begun(bench, first, attempt=10), FAILED, Next(state=DeliveryState.DEAD))
        assert await bench.deliveries.replay(bench.tenant, [settled, pending, new]) == 2
        rows = {row.delivery: row for row in (await bench.deliveries.page(bench.tenant, "webhook", "whk_a", DeliveryFilter())).items}
        assert (rows[first].round, rows[first].state) == (2, DeliveryState.PENDING)
        assert rows[second].round == 1
        assert len(rows) == 3
        assert await bench.dead_letters() == []


class TestSubscription:
    @pytest.fixture
    async def webhook(self, bench: DeliveryBench) -> str:
        """A subscription."""
        name = fresh_id("whk")
        await bench.subscriptions.create(bench.tenant, name, DRAFT, secret=SECRET, by="prn_a")
        return name

    async def test_is_read_as_it_was_made_and_begins_the_relay(self, bench: DeliveryBench, webhook: str) -> None:
        row = await bench.subscriptions.get(bench.tenant, webhook)
        assert (row.url, row.events, row.enabled, row.ordered, row.description) == (DRAFT.url, ("run.*",), True, False, "ours")
        assert await bench.subscriptions.target(bench.tenant, webhook) == Target(url=DRAFT.url, secrets=(SECRET,))
        assert await bench.relay.claim(bench.tenant, holder="a", lease_s=60) is not None

    async def test_the_same_id_again_changes_nothing(self, bench: DeliveryBench, webhook: str) -> None:
        await bench.subscriptions.create(bench.tenant, webhook, DRAFT, secret=NEXT_SECRET, by="prn_b")
        target = await bench.subscriptions.target(bench.tenant, webhook)
        assert target is not None
        assert target.secrets == (SECRET,)

    async def test_signs_with_both_secrets_during_a_rotation(self, bench: DeliveryBench, webhook: str) -> None:
        row = await bench.subscriptions.rotate(bench.tenant, webhook, secret=NEXT_SECRET, overlap_s=3600)
        assert row.old_secret_until is not None
        target = await bench.subscriptions.target(bench.tenant, webhook)
        assert target is not None
        assert target.secrets == (NEXT_SECRET, SECRET)
        await bench.end_overlap()
        target = await bench.subscriptions.target(bench.tenant, webhook)
        assert target is not None
        assert target.secrets == (NEXT_SECRET,)
        assert (await bench.subscriptions.get(bench.tenant, webhook)).old_secret_until is None
        await bench.subscriptions.rotate(bench.tenant, webhook, secret=SECRET, overlap_s=0)
        target = await bench.subscriptions.target(bench.tenant, webhook)
        assert target is not None
        assert target.secrets == (SECRET,)

    async def test_only_enabled_ones_listen(self, bench: DeliveryBench, webhook: str) -> None:
        assert [one.subscription for one in await bench.subscriptions.listeners(bench.tenant)] == [webhook]
        await bench.subscriptions.update(bench.tenant, webhook, DRAFT.model_copy(update={"enabled": False}))
        assert await bench.subscriptions.listeners(bench.tenant) == []

    async def test_enabling_takes_back_what_the_endpoint_asked_for(self, bench: DeliveryBench, webhook: str) -> None:
        [one] = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1, endpoint=webhook)])
        gone = AttemptResult(outcome="gone", status=410, detail="HTTP 410")
        await bench.deliveries.settle(await begun(bench, one), gone, Next(state=DeliveryState.DEAD, disable=True))
        row = await bench.subscriptions.get(bench.tenant, webhook)
        assert row.disabled_at is not None
        assert row.disabled_reason == "HTTP 410"
        assert await bench.subscriptions.listeners(bench.tenant) == []
        row = await bench.subscriptions.update(bench.tenant, webhook, DRAFT)
        assert row.disabled_at is None
        assert len(await bench.subscriptions.listeners(bench.tenant)) == 1

    async def test_deleting_discards_what_is_pending(self, bench: DeliveryBench, webhook: str) -> None:
        [one] = await bench.deliveries.add(bench.tenant, [paused(bench.tenant, 1, endpoint=webhook)])
        await bench.subscriptions.delete(bench.tenant, webhook)
        assert (await bench.deliveries.get(bench.tenant, one))[0].state is DeliveryState.DISCARDED
        assert await bench.deliveries.begin(bench.tenant, one, round_=1, attempt=1) is DeliveryState.DISCARDED
        assert await bench.subscriptions.target(bench.tenant, webhook) is None
        with pytest.raises(NotFound):
            await bench.subscriptions.get(bench.tenant, webhook)
        with pytest.raises(NotFound):
            await bench.subscriptions.delete(bench.tenant, webhook)

    async def test_another_tenants_is_absent(self, bench: DeliveryBench, webhook: str) -> None:
        for attempt in (
            bench.subscriptions.get("t-other", webhook),
            bench.subscriptions.update("t-other", webhook, DRAFT),
            bench.subscriptions.rotate("t-other", webhook, secret=SECRET, overlap_s=0),
            bench.subscriptions.delete("t-other", webhook),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert await bench.subscriptions.target("t-other", webhook) is None
        assert (await bench.subscriptions.page("t-other", limit=10, cursor=None)).items == ()

    async def test_pages_oldest_first_up_to_a_limit(self, bench: DeliveryBench) -> None:
        names = [fresh_id("whk") for _ in range(SUBSCRIPTIONS_MAX)]
        for name in names:
            await bench.subscriptions.create(bench.tenant, name, DRAFT, secret=SECRET, by="prn_a")
        with pytest.raises(Conflict):
            await bench.subscriptions.create(bench.tenant, fresh_id("whk"), DRAFT, secret=SECRET, by="prn_a")
        first = await bench.subscriptions.page(bench.tenant, limit=150, cursor=None)
        rest = await bench.subscriptions.page(bench.tenant, limit=150, cursor=first.next_cursor)
        assert {row.subscription for row in (*first.items, *rest.items)} == set(names)
