"""The stores of budgets and costs: one suite for PostgreSQL 18, PostgreSQL 15 and the fakes."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pytest

from adapters.postgres.costs import PostgresCostStore
from adapters.postgres.pool import Database
from domain.budget import Cap, Unit
from domain.budget_stores import BudgetEvent, BudgetLimit, BudgetStore
from domain.costs import CostQuery, CostStore
from domain.effects import IntentAnswer
from domain.errors import NotFound
from domain.runs import RunStatus
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.money_bench import RUN, MoneyBench
from tests.contracts.postgres_bench import new_run
from tests.contracts.test_stores import draft
from tests.fakes_money import Settled
from tests.fakes_stores import FakeStores

DEFINITION = "delay-claim"


class MoneyStores(Protocol):
    """The stores of a tenant with one run, and the means to spend."""

    @property
    def tenant(self) -> str:
        """The tenant."""
        ...

    @property
    def budgets(self) -> BudgetStore:
        """Budgets."""
        ...

    @property
    def costs(self) -> CostStore:
        """Settled costs."""
        ...

    async def settle(self, step: str, usd: int, *, tokens: int = 3, worst: int = 100) -> None:
        """Settle one model call of the run, which might have used `worst` of everything."""
        ...

    async def pass_half(self) -> None:
        """Let the tenant's spending pass half of its limit."""
        ...


@dataclass
class OnPostgres:
    """The adapters."""

    money: MoneyBench
    costs: PostgresCostStore

    @property
    def tenant(self) -> str:
        """The tenant."""
        return self.money.tenant

    @property
    def budgets(self) -> BudgetStore:
        """Budgets."""
        return self.money.budgets

    async def settle(self, step: str, usd: int, *, tokens: int = 3, worst: int = 100) -> None:
        """Reserve and settle."""
        assert (await self.money.begin(step, worst, tokens=worst, caps=[Cap(usd_micros=10**9)])).answer is IntentAnswer.GO
        await self.money.end(step, usd, tokens=tokens)

    async def pass_half(self) -> None:
        """Spend 60 of 100, and report it."""
        await self.money.limit("tenant", "", 100)
        await self.settle("half", 60, worst=60)
        await self.money.flush(RunStatus.WAITING)


class OnFakes:
    """The fakes."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.stores = FakeStores()
        self.budgets, self.costs = self.stores.budgets, self.stores.costs

    async def settle(self, step: str, usd: int, *, tokens: int = 3, worst: int = 100) -> None:
        """Add to the list."""
        self.costs.settled.append(
            Settled(
                tenant=self.tenant,
                run=RUN,
                definition=DEFINITION,
                step=step,
                call="1.model",
                subject="fake/model",
                model="fake/model",
                at=datetime.now(UTC).isoformat(timespec="microseconds"),
                input_tokens=tokens,
                output_tokens=0,
                cost_usd_micros=usd,
                worst_usd_micros=worst,
                worst_tokens=worst,
            )
        )

    async def pass_half(self) -> None:
        """Note the event."""
        self.budgets.events_of[self.tenant].append(
            BudgetEvent(
                event="evt",
                at=self.stores.database.now(),
                scope="tenant",
                name="",
                unit=Unit.USD_MICROS,
                threshold=50,
                basis=100,
                spent=60,
                run=RUN,
            )
        )


@pytest.fixture(params=["fake", *VERSIONS])
async def money(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[MoneyStores]:
    """The stores, with the definition and one run."""
    if request.param == "fake":
        fakes = OnFakes(tenant)
        await fakes.stores.runs.accept(new_run(tenant))
        await fakes.stores.definitions.register(tenant, draft("1.0.0"), principal="prn_a")
        yield fakes
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        bench = await MoneyBench(database, tenant).accept()
        await bench.limit("definition", draft("1.0.0").name, None)
        yield OnPostgres(bench, PostgresCostStore(database))


def usd(hard: int | None, **more: object) -> BudgetLimit:
    """Build a limit in dollars."""
    return BudgetLimit.model_validate({"unit": Unit.USD_MICROS, "hard": hard, **more})


class TestBudgetStore:
    @pytest.mark.parametrize("scope", ["tenant", "definition", "run"])
    async def test_keeps_limits_by_scope(self, money: MoneyStores, scope: str) -> None:
        name = {"tenant": "", "definition": draft("1.0.0").name, "run": RUN}[scope]
        await money.budgets.set_limits(money.tenant, scope, name, [usd(70, soft=50, thresholds=(10, 20))])  # pyright: ignore[reportArgumentType]  # parametrised text
        rows = await money.budgets.budgets(money.tenant, scope=scope, name=name)  # pyright: ignore[reportArgumentType]  # parametrised text
        assert [(row.hard, row.soft, row.thresholds, row.reserved, row.spent) for row in rows if row.unit is Unit.USD_MICROS] == [
            (70, 50, (10, 20), 0, 0)
        ]

    async def test_leaves_units_alone_that_are_not_named(self, money: MoneyStores) -> None:
        await money.budgets.set_limits(money.tenant, "tenant", "", [usd(70)])
        await money.budgets.set_limits(money.tenant, "tenant", "", [BudgetLimit(unit=Unit.TOKENS, hard=5)])
        rows = await money.budgets.budgets(money.tenant, scope="tenant", name="")
        assert {row.unit: row.hard for row in rows} == {Unit.USD_MICROS: 70, Unit.TOKENS: 5}

    async def test_shows_runs_only_when_they_are_named(self, money: MoneyStores) -> None:
        await money.budgets.set_limits(money.tenant, "run", RUN, [usd(1)])
        assert not [row for row in await money.budgets.budgets(money.tenant) if row.scope in ("run", "step")]

    async def test_shows_no_tenant_the_budgets_of_another(self, money: MoneyStores) -> None:
        await money.budgets.set_limits(money.tenant, "tenant", "", [usd(1)])
        assert await money.budgets.budgets(f"{money.tenant}-b") == []
        with pytest.raises(NotFound):
            await money.budgets.set_limits(f"{money.tenant}-b", "run", RUN, [usd(1)])

    async def test_tells_what_was_passed_until_it_is_marked(self, money: MoneyStores) -> None:
        await money.pass_half()
        (event,) = await money.budgets.untold(money.tenant, limit=5)
        assert (event.scope, event.threshold, event.spent, event.basis, event.run) == ("tenant", 50, 60, 100, RUN)
        await money.budgets.mark_told(money.tenant, event.event)
        assert await money.budgets.untold(money.tenant, limit=5) == []
        assert [one.event for one in (await money.budgets.events(money.tenant, limit=5, cursor=None)).items] == [event.event]


class TestCostStore:
    async def test_sums_up_by_each_group(self, money: MoneyStores) -> None:
        await money.settle("a", 10)
        await money.settle("b", 30, tokens=7)
        keys = {"run": RUN, "definition": DEFINITION, "model": "fake/model", "tenant": money.tenant}
        for by, key in keys.items():
            (group,) = await money.costs.grouped(money.tenant, CostQuery.model_validate({"by": by}))
            assert (group.key, group.calls, group.cost_usd_micros, group.input_tokens) == (key, 2, 40, 10)
        steps = await money.costs.grouped(money.tenant, CostQuery(by="step"))
        assert [(group.key, group.cost_usd_micros) for group in steps] == [(f"{DEFINITION}/b", 30), (f"{DEFINITION}/a", 10)]
        assert await money.costs.grouped(money.tenant, CostQuery(by="agent")) == steps
        (today,) = await money.costs.grouped(money.tenant, CostQuery(by="day"))
        assert today.key == datetime.now(UTC).date().isoformat()

    async def test_narrows_by_time_run_and_model(self, money: MoneyStores) -> None:
        await money.settle("a", 10)
        nothing = [CostQuery(since="2999-01-01T00:00:00+00:00"), CostQuery(run="run_x"), CostQuery(model="other/model")]
        for query in nothing:
            assert await money.costs.grouped(money.tenant, query) == []

    async def test_bills_a_month(self, money: MoneyStores) -> None:
        await money.settle("a", 10)
        await money.settle("b", 5)
        month = datetime.now(UTC).strftime("%Y-%m")
        bill = await money.costs.invoice(money.tenant, month)
        assert [(line.definition, line.subject, line.calls, line.cost_usd_micros) for line in bill.lines] == [
            (DEFINITION, "fake/model", 2, 15)
        ]
        assert bill.total_usd_micros == 15
        assert (await money.costs.invoice(money.tenant, "2025-12")).lines == ()

    async def test_learns_only_from_enough_calls(self, money: MoneyStores) -> None:
        for number in range(19):
            await money.settle(f"s{number}", 10, tokens=20)
        assert not (await money.costs.calibration(money.tenant, "fake/model")).calibrated
        await money.settle("last", 10, tokens=20)
        learned = await money.costs.calibration(money.tenant, "fake/model")
        assert (learned.samples, learned.usd, learned.tokens) == (20, (0.1, 0.1, 0.1), (0.2, 0.2, 0.2))
        assert (await money.costs.calibration(money.tenant, "other/model")).samples == 0

    async def test_knows_no_runs_before_one_succeeds(self, money: MoneyStores) -> None:
        await money.settle("a", 10)
        assert await money.costs.runs_of(money.tenant, DEFINITION) == []
