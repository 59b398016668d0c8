"""Budgets on PostgreSQL: what is reserved, granted, settled, refused and brought back (JOURNAL §3)."""

import asyncio

import pytest

from adapters.postgres.pool import Database
from domain.budget import Cap, Scope, Unit
from domain.effects import EffectState, IntentAnswer, RetryClass
from domain.errors import NotFound
from domain.runs import RunStatus
from tests.contracts.journal_bench import AT
from tests.contracts.money_bench import RUN, MoneyBench

OTHER = "run_00000000000000000000000002"
DEFINITION = "delay-claim"


@pytest.fixture
async def money(db: Database, tenant: str) -> MoneyBench:
    """A tenant with one accepted run."""
    return await MoneyBench(db, tenant).accept()


def run_cap(usd: int, **more: int) -> Cap:
    """The budget of a definition's run."""
    return Cap(step="", usd_micros=usd, **more)


class TestRunBudget:
    async def test_refuses_the_call_whose_worst_case_does_not_fit(self, money: MoneyBench) -> None:
        caps = [run_cap(100)]
        assert await money.allowed("a", 60, caps=caps)
        verdict = await money.begin("b", 41, caps=caps)
        assert verdict.answer is IntentAnswer.BUDGET_EXCEEDED
        assert verdict.detail == "this call may use up to $0.000041, and the budget of this run has $0.000040 of $0.000100 left"
        assert await money.allowed("c", 40, caps=caps)
        await money.check()

    async def test_leaves_nothing_of_a_refused_call(self, money: MoneyBench) -> None:
        await money.begin("a", 101, caps=[run_cap(100)])
        assert await money.rows(b"SELECT 1 FROM effects WHERE tenant_id = %(tenant)s") == []
        assert await money.rows(b"SELECT 1 FROM reservations WHERE tenant_id = %(tenant)s") == []
        assert (await money.row("run", RUN)).reserved == 0
        assert (await money.runs.get(money.tenant, RUN)).head_seq == 1
        await money.check()

    async def test_leaves_room_for_what_a_call_did_not_use(self, money: MoneyBench) -> None:
        caps = [run_cap(100)]
        await money.begin("a", 90, caps=caps)
        await money.end("a", 10)
        assert await money.allowed("b", 90, caps=caps)
        await money.end("b", 90)
        assert not await money.allowed("c", 1, caps=caps)
        assert ((await money.row("run", RUN)).spent, (await money.row("run", RUN)).reserved) == (100, 0)
        await money.check()

    async def test_takes_tokens_back_when_money_is_short(self, money: MoneyBench) -> None:
        await money.begin("a", 5, tokens=10, caps=[Cap(usd_micros=100, tokens=9)])
        assert (await money.row("run", RUN)).reserved == 0
        await money.check()

    async def test_counts_a_nested_step_against_every_budget_around_it(self, money: MoneyBench) -> None:
        caps = [run_cap(100), Cap(step="review", usd_micros=50), Cap(step="review.ask", usd_micros=30)]
        assert await money.allowed("review.ask", 30, caps=caps)
        assert not await money.allowed("review.ask.b", 1, caps=caps)
        assert await money.allowed("review.other", 20, caps=caps[:2])
        assert not await money.allowed("review.third", 1, caps=caps[:2])
        assert await money.allowed("pay", 50, caps=caps[:1])
        assert not await money.allowed("pay_more", 1, caps=caps[:1])
        await money.check()

    async def test_may_be_raised_while_the_run_goes_on(self, money: MoneyBench) -> None:
        caps = [run_cap(100)]
        assert not await money.allowed("a", 150, caps=caps)
        await money.limit("run", RUN, 200)
        assert await money.allowed("a", 150, caps=caps)

    async def test_counts_an_undo_and_never_refuses_it(self, money: MoneyBench) -> None:
        await money.limit("tenant", "", 5)
        assert (await money.begin("undo", 50, forced=True)).answer is IntentAnswer.GO
        await money.end("undo", 50)
        assert (await money.row("run", RUN)).spent == 50
        await money.check()

    async def test_refuses_a_call_without_a_price_where_dollars_are_limited(self, money: MoneyBench) -> None:
        assert await money.allowed("a", None)
        assert not await money.allowed("b", None, caps=[run_cap(100)])
        await money.limit("tenant", "", 100)
        verdict = await money.begin("c", None)
        assert "no known price" in verdict.detail


class TestTime:
    async def test_gives_an_attempt_no_more_than_is_left(self, money: MoneyBench) -> None:
        caps = [Cap(ms=10_000)]
        assert (await money.begin("a", ms=8_000, caps=caps)).ms_held == 8_000
        assert (await money.begin("b", ms=8_000, caps=caps)).ms_held == 2_000
        assert (await money.begin("c", ms=8_000, caps=caps)).answer is IntentAnswer.BUDGET_EXCEEDED
        await money.end("a", ms=500)
        assert (await money.begin("c", ms=8_000, caps=caps)).ms_held == 7_500
        await money.check()

    async def test_is_bounded_by_what_the_tenant_has_left_too(self, money: MoneyBench) -> None:
        await money.limit("tenant", "", 3_000, unit=Unit.MS)
        assert (await money.begin("a", ms=8_000)).ms_held == 3_000
        assert (await money.begin("b", ms=8_000)).answer is IntentAnswer.BUDGET_EXCEEDED
        await money.end("a", ms=1_000)
        assert (await money.begin("b", ms=8_000)).ms_held == 2_000
        await money.check()

    async def test_is_not_counted_where_nothing_limits_it(self, money: MoneyBench) -> None:
        assert (await money.begin("a", ms=8_000)).ms_held is None
        await money.end("a", ms=8_000)
        assert await money.rows(b"SELECT 1 FROM allowances WHERE tenant_id = %(tenant)s") == []


class TestEscrow:
    @pytest.mark.parametrize("scope", ["tenant", "definition"])
    async def test_never_lets_runs_together_pass_a_shared_limit(self, money: MoneyBench, scope: str) -> None:
        runs = [f"run_{number:026d}" for number in range(10, 20)]
        await money.accept(*runs)
        await (money.limit("tenant", "", 1000) if scope == "tenant" else money.limit("definition", DEFINITION, 1000))
        went = await asyncio.gather(*(money.allowed(f"s{step}", 30, run=run) for run in runs for step in range(5)))
        assert sum(went) == 1000 // 30
        await money.check()

    async def test_grants_in_chunks_where_there_is_plenty(self, money: MoneyBench) -> None:
        await money.limit("tenant", "", 1_000_000)
        await money.begin("a", 10)
        assert (await money.row("tenant", "")).reserved == 160
        await money.begin("b", 10)
        assert (await money.row("tenant", "")).reserved == 160

    async def test_takes_idle_grants_of_other_runs_when_it_is_short(self, money: MoneyBench) -> None:
        await money.accept(OTHER, definition="another")
        await money.limit("tenant", "", 10_000)
        await money.begin("a", 100)
        assert (await money.row("tenant", "")).reserved > 200
        assert await money.allowed("b", 9_900, run=OTHER)
        assert not await money.allowed("c", 1, run=OTHER)
        await money.check()

    async def test_reports_spending_and_gives_the_rest_back_before_a_wait(self, money: MoneyBench) -> None:
        await money.limit("tenant", "", 1_000_000)
        await money.begin("a", 10)
        await money.end("a", 7)
        await money.flush(RunStatus.WAITING)
        for place in (await money.row("tenant", ""), await money.row("definition", DEFINITION)):
            assert (place.reserved, place.spent) == (0, 7)
        await money.check()

    async def test_gives_everything_back_when_a_run_is_closed_from_outside(self, money: MoneyBench) -> None:
        await money.begin("a", 10)
        await money.runs.close_externally(money.tenant, RUN, epoch=1, status=RunStatus.TERMINATED, reason="gone", at=AT)
        assert (await money.row("tenant", "")).reserved == 0
        assert await money.rows(b"SELECT 1 FROM reservations WHERE tenant_id = %(tenant)s") == []
        await money.check()

    async def test_counts_what_a_closed_run_still_tells(self, money: MoneyBench) -> None:
        await money.begin("a", 10)
        await money.flush(RunStatus.FAILED)
        await money.end("a", 9)
        await money.budgets.bring_back(money.tenant, idle_ms=0)
        assert ((await money.row("tenant", "")).spent, (await money.row("tenant", "")).reserved) == (9, 0)
        await money.check()


class TestLease:
    async def test_brings_back_what_a_dead_attempt_held(self, money: MoneyBench) -> None:
        caps = [run_cap(100)]
        await money.begin("a", 100, caps=caps, lease_ms=500)
        assert not await money.allowed("b", 1, caps=caps)
        assert await money.budgets.bring_back(money.tenant, idle_ms=60_000) == 0
        await asyncio.sleep(0.55)  # a lease is real time (DESIGN §15)
        assert await money.budgets.bring_back(money.tenant, idle_ms=60_000) == 1
        assert await money.allowed("b", 100, caps=caps)
        await money.check()

    async def test_hands_the_reservation_of_a_lost_attempt_to_the_next(self, money: MoneyBench) -> None:
        caps = [run_cap(100)]
        await money.begin("a", 100, caps=caps, lease_ms=0)
        assert await money.allowed("a", 100, caps=caps)
        await money.check()

    async def test_counts_both_when_a_lost_attempt_answers_after_all(self, money: MoneyBench) -> None:
        await money.begin("a", 100, lease_ms=0)
        first = money.tokens[RUN, "a"]
        await money.begin("a", 100)
        await money.end("a", 40)
        await money.end("a", 30, token=first)
        assert (await money.row("run", RUN)).spent == 70
        await money.check()

    async def test_keeps_holding_what_may_have_happened(self, money: MoneyBench) -> None:
        await money.begin("a", 100, lease_ms=0, retry_class=RetryClass.AT_MOST_ONCE)
        await money.begin("a", 100, lease_ms=0, retry_class=RetryClass.AT_MOST_ONCE)
        await money.budgets.bring_back(money.tenant, idle_ms=0)
        assert (await money.row("run", RUN)).reserved == 100

    @pytest.mark.parametrize("spent", [100, 0])
    async def test_settles_by_what_a_person_says(self, money: MoneyBench, spent: int) -> None:
        await money.begin("a", 100, retry_class=RetryClass.AT_MOST_ONCE)
        token = money.tokens[RUN, "a"]
        await money.end("a", state=EffectState.IN_DOUBT)
        assert (await money.row("run", RUN)).reserved == 100
        await money.journal.resolve(money.carrier(RUN), money.key(RUN, "a"), happened=spent > 0, output=1, principal="prn_b", at=AT)
        row = await money.row("run", RUN)
        assert (row.reserved, row.spent) == (0, spent)
        await money.check()
        await money.end("a", spent, token=token)
        assert (await money.row("run", RUN)).spent == spent
        await money.check()

    async def test_lets_a_failed_attempt_go(self, money: MoneyBench) -> None:
        await money.begin("a", 100, caps=[run_cap(100)])
        await money.end("a", state=EffectState.FAILED)
        assert await money.allowed("a", 100, caps=[run_cap(100)])
        await money.check()


class TestThresholds:
    async def test_tells_each_threshold_once(self, money: MoneyBench) -> None:
        await money.limit("tenant", "", 1000, soft=100)
        for number, cost in enumerate((49, 1, 30, 5, 40)):
            await money.begin(f"s{number}", cost)
            await money.end(f"s{number}", cost)
            await money.flush(RunStatus.WAITING, fact_seq=2 * number)
            await money.flush(RunStatus.RUNNING, fact_seq=2 * number + 1)
        told = (await money.budgets.events(money.tenant, limit=10, cursor=None)).items
        assert [(event.scope, event.threshold, event.spent, event.basis) for event in reversed(told)] == [
            ("tenant", 50, 50, 100),
            ("tenant", 80, 80, 100),
            ("tenant", 100, 125, 100),
        ]

    async def test_tells_a_runs_own_at_once(self, money: MoneyBench) -> None:
        await money.begin("a", 90, caps=[run_cap(100)])
        await money.end("a", 85)
        told = await money.budgets.untold(money.tenant, limit=10)
        assert [(event.scope, event.name, event.threshold) for event in told] == [("run", RUN, 50), ("run", RUN, 80)]
        await money.budgets.mark_told(money.tenant, told[0].event)
        assert [event.threshold for event in await money.budgets.untold(money.tenant, limit=10)] == [80]

    async def test_pages_through_events(self, money: MoneyBench) -> None:
        await money.begin("a", 90, caps=[run_cap(100)])
        await money.end("a", 85)
        first = await money.budgets.events(money.tenant, limit=1, cursor=None)
        second = await money.budgets.events(money.tenant, limit=1, cursor=first.next_cursor)
        assert ([event.threshold for event in (*first.items, *second.items)], second.next_cursor) == ([80, 50], None)


class TestPeriod:
    async def test_counts_what_was_settled_within_it_when_it_is_set(self, money: MoneyBench) -> None:
        await money.begin("a", 10)
        await money.end("a", 10)
        await money.limit("tenant", "", 1000, period="day")
        await money.flush(RunStatus.WAITING)
        row = await money.row("tenant", "")
        assert (row.spent, row.period, row.reserved) == (10, "day", 0)

    async def test_begins_anew(self, money: MoneyBench) -> None:
        await money.limit("tenant", "", 10, period="month")
        await money.begin("a", 10)
        await money.end("a", 10)
        await money.flush(RunStatus.WAITING)
        assert not await money.allowed("b", 10)
        await money.rows(b"UPDATE budgets SET period_start = period_start - interval '1 month' WHERE tenant_id = %(tenant)s RETURNING 1")
        assert (await money.row("tenant", "")).spent == 0
        assert await money.allowed("b", 10)
        await money.check()


class TestLimits:
    async def test_are_only_for_what_there_is(self, money: MoneyBench) -> None:
        for scope, name in (("definition", "no-such"), ("run", OTHER), ("tenant", "other")):
            with pytest.raises(NotFound):
                await money.budgets.set_limits(money.tenant, scope, name, [])  # pyright: ignore[reportArgumentType]  # the tuple widens it

    async def test_below_what_is_spent_stop_the_next_call(self, money: MoneyBench) -> None:
        await money.begin("a", 10)
        await money.end("a", 10)
        await money.limit("tenant", "", 5)
        assert not await money.allowed("b", 1)
        await money.check()

    @pytest.mark.parametrize(("scope", "name"), [("tenant", ""), ("definition", DEFINITION)])
    @pytest.mark.parametrize("ended", [True, False], ids=["ended", "lost"])
    async def test_below_what_is_held_take_back_what_comes_free(self, money: MoneyBench, scope: Scope, name: str, *, ended: bool) -> None:
        await money.begin("a", 10, lease_ms=0)
        await money.limit(scope, name, 5)
        if ended:
            await money.end("a", 2)
        assert not await money.allowed(*(("b", 4) if ended else ("a", 6)))
        assert await money.allowed("c", 3 if ended else 5)
        await money.check()

    async def test_of_other_tenants_do_not_exist(self, money: MoneyBench, db: Database) -> None:
        await money.limit("tenant", "", 5)
        assert await MoneyBench(db, f"{money.tenant}-b").budgets.budgets(f"{money.tenant}-b") == []


class TestPlatform:
    async def test_bounds_all_tenants_together(self, money: MoneyBench, db: Database) -> None:
        held = sum(
            row["held"] + row["spent"] for row in await money.rows(b"SELECT held, spent FROM platform_budgets WHERE unit = 'usd_micros'")
        )
        other = await MoneyBench(db, f"{money.tenant}-b").accept()
        await money.budgets.set_platform_limits({Unit.USD_MICROS: held + 100}, "total")
        try:
            assert await money.allowed("a", 60)
            assert not await other.allowed("a", 60)
            assert await other.allowed("b", 40)
            await money.end("a", 10)
            await money.flush(RunStatus.WAITING)
            await money.budgets.bring_back(money.tenant, idle_ms=0)
            assert await other.allowed("c", 50)
        finally:
            await money.budgets.set_platform_limits({Unit.USD_MICROS: None}, "total")
        await money.check()
