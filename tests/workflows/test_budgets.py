"""Budgets in whole runs: Temporal, PostgreSQL and the journal as they are."""

import pytest

from domain.budget import BudgetRule, Unit
from domain.budget_stores import BudgetRow
from domain.costs import CostQuery
from domain.effects import EffectClass
from domain.errors import BudgetExceeded
from domain.program import AgentStep, Program, Step
from domain.provider import ModelToolCall
from tests.domain.programs import call, program, saga
from tests.fake_provider import FakeProvider, answered, calling
from tests.workflows.bench import Bench, LiveRun, ScriptedTool

COST = 100


def dear(*steps: Step, usd: int | None = None, tokens: int | None = None) -> Program:
    """Build a program whose tool calls cost 100 micro-USD each, under a budget."""
    made = program(*steps)
    tools = {name: tool.model_copy(update={"cost_usd_micros": COST}) for name, tool in made.tools.items()}
    return made.model_copy(update={"tools": tools, "budget": BudgetRule(usd_micros=usd, tokens=tokens)})


async def budget(run: LiveRun, unit: Unit = Unit.USD_MICROS) -> BudgetRow:
    """Return the run's own budget."""
    rows = await run.bench.storage.budgets.budgets(run.bench.tenant, scope="run", name=run.run)
    return next(row for row in rows if row.unit is unit)


async def shared(bench: Bench) -> BudgetRow:
    """Return the tenant's budget in dollars."""
    rows = await bench.storage.budgets.budgets(bench.tenant, scope="tenant", name="")
    return next(row for row in rows if row.unit is Unit.USD_MICROS)


class TestRunBudget:
    async def test_lets_a_run_end_within_it_and_gives_the_rest_back(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with bench.worker(pay):
            run = await bench.start(dear(call("a"), call("b"), usd=250))
            assert await run.failure() is None
        assert ((await budget(run)).spent, (await shared(bench)).reserved, (await shared(bench)).spent) == (200, 0, 200)
        (group,) = await bench.storage.costs.grouped(bench.tenant, CostQuery(by="run"))
        assert (group.key, group.cost_usd_micros, (await run.row()).cost_usd_micros) == (run.run, 200, 200)

    async def test_fails_the_step_that_does_not_fit_without_doing_it(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with bench.worker(pay):
            run = await bench.start(dear(call("a"), call("b"), usd=150))
            assert await run.failure() == BudgetExceeded.code
        assert len(pay.calls) == 1
        assert (await budget(run)).spent == COST
        assert (await run.kinds()).count("agent:tool:requested") == 1

    async def test_undoes_a_saga_whose_next_step_does_not_fit(self, bench: Bench) -> None:
        pay, refund = ScriptedTool("bank.pay"), ScriptedTool("bank.refund")
        async with bench.worker(pay, refund):
            run = await bench.start(dear(saga("s", call("s.a", undo="bank.refund"), call("s.b")), usd=150))
            assert await run.failure() == BudgetExceeded.code
        assert (len(pay.calls), len(refund.calls)) == (1, 1)
        assert (await budget(run)).spent == 2 * COST, "the undo is counted, beyond the limit"

    async def test_bounds_steps_inside_a_segment_too(self, bench: Bench) -> None:
        read = ScriptedTool("flights.lookup", effect_class=EffectClass.READ)
        steps = [call(name, tool="flights.lookup") for name in ("a", "b", "c")]
        made = dear(*steps, usd=250)
        tools = {name: tool.model_copy(update={"effect_class": EffectClass.READ}) for name, tool in made.tools.items()}
        async with bench.worker(read):
            run = await bench.start(made.model_copy(update={"tools": tools, "execution": None}))
            assert await run.failure() == BudgetExceeded.code
        assert len(read.calls) == 2
        assert (await budget(run)).spent == 2 * COST


class TestStepBudget:
    async def test_bounds_the_step_and_leaves_the_rest_of_the_run(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with bench.worker(pay):
            run = await bench.start(dear(call("a", budget={"usd_micros": 50}), call("b"), usd=1000))
            assert await run.failure() == BudgetExceeded.code
        assert pay.calls == []


class TestAgentBudget:
    @pytest.mark.parametrize(("tokens", "asked"), [(800, 0), (50_000, 2)])
    async def test_in_tokens_is_reserved_before_the_model_is_asked(self, bench: Bench, tokens: int, asked: int) -> None:
        wanted = ModelToolCall(vendor_id="x", name="flights.lookup", arguments={})
        provider = FakeProvider(calling(wanted), answered("done"))
        read = ScriptedTool("flights.lookup", effect_class=EffectClass.READ)
        agent = AgentStep(path="ask", model="fake/model", instructions="Look.", tools=["flights.lookup"], max_output_tokens=500)
        made = dear(agent, tokens=tokens)
        tools = {name: tool.model_copy(update={"effect_class": EffectClass.READ}) for name, tool in made.tools.items()}
        async with bench.worker(read, provider=provider):
            run = await bench.start(made.model_copy(update={"tools": tools}))
            assert await run.failure() == (None if asked else BudgetExceeded.code)
        assert len(provider.requests) == asked
        assert (await budget(run, Unit.TOKENS)).spent == 15 * asked
