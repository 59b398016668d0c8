"""What things will probably cost."""

import random

from domain.budget import BudgetRule
from domain.costs import DEFAULT_RATIOS, Calibration, interval, quantiles
from domain.estimates import PromptShape, estimate_program, estimate_prompt
from domain.fallbacks import Fallback
from domain.program import AgentStep, CallStep, PinnedTool, Program, Step, SwitchCase, SwitchStep
from tests.domain.programs import program
from tests.fakes_prices import FakePrices

PRICES = FakePrices(2)
SHAPE = PromptShape(model="fake/model", input_tokens_max=1000, output_tokens_max=500)


def agent(path: str, *, max_turns: int = 3, tools: tuple[str, ...] = ()) -> AgentStep:
    """Build an agent step."""
    return AgentStep(path=path, model="fake/model", instructions="Check.", max_turns=max_turns, max_output_tokens=100, tools=list(tools))


def estimated(*steps: Step, budget: BudgetRule | None = None, runs: list[tuple[int, int]] | None = None):  # noqa: ANN201 - pyright infers it
    """Estimate a program of these steps with nothing learned."""
    made: Program = program(*steps).model_copy(update={"budget": budget})
    return estimate_program(made, run_input={}, prices=PRICES, known={}, runs=runs or [])


class TestPrompt:
    def test_is_never_above_the_worst_case(self) -> None:
        found = estimate_prompt(SHAPE, PRICES, Calibration(samples=50, usd=(0.5, 0.9, 1.7), tokens=(0.1, 0.2, 0.3)))
        assert found.usd_micros is not None
        assert (found.usd_micros.low, found.usd_micros.high, found.worst_usd_micros) == (1500, 3000, 3000)
        assert (found.tokens.low, found.tokens.expected, found.tokens.high) == (150, 300, 450)

    def test_without_a_price_still_has_tokens(self) -> None:
        found = estimate_prompt(SHAPE.model_copy(update={"model": "fake/unpriced"}), PRICES, Calibration())
        assert (found.usd_micros, found.unpriced, found.worst_tokens) == (None, ("fake/unpriced",), 1500)

    def test_of_a_chain_is_at_worst_the_dearest_way_through_it(self) -> None:
        declining = SHAPE.model_copy(update={"fallbacks": (Fallback(model="fake/other", on=("refusal",)),)})
        found, alone = estimate_prompt(declining, PRICES, Calibration()), estimate_prompt(SHAPE, PRICES, Calibration())
        assert (found.worst_usd_micros, found.worst_tokens, found.usd_micros) == (6000, 3000, alone.usd_micros)
        unpriced = SHAPE.model_copy(update={"fallbacks": (Fallback(model="fake/unpriced"),)})
        assert estimate_prompt(unpriced, PRICES, Calibration()).unpriced == ("fake/unpriced",)

    def test_holds_nine_of_ten_later_calls_once_it_has_learned(self) -> None:
        chance = random.Random(7)
        drawn = [min(chance.lognormvariate(-2.0, 0.6), 1.0) for _ in range(1200)]
        learned = quantiles(drawn[:500])
        inside = [learned[0] <= ratio <= learned[2] for ratio in drawn[500:]]
        assert sum(inside) / len(inside) >= 0.87

    def test_rounds_the_tails_outward(self) -> None:
        assert quantiles(range(21)) == (1, 10, 19)
        assert quantiles([5]) == (5, 5, 5)
        assert interval(100, DEFAULT_RATIOS).high == 100


class TestDefinition:
    def test_expects_a_turn_for_each_tool_and_one_to_answer(self) -> None:
        alone, with_tools = estimated(agent("a", max_turns=8)), estimated(agent("a", max_turns=8, tools=("bank.pay", "mail.send")))
        assert alone.usd_micros is not None
        assert with_tools.usd_micros is not None
        assert with_tools.usd_micros.expected > 2 * alone.usd_micros.expected
        assert alone.worst_tokens > 8 * 100

    def test_counts_what_may_be_left_out_as_nothing_in_its_low(self) -> None:
        sure = estimated(agent("a"))
        maybe = estimated(agent("a").model_copy(update={"when": "true"}))
        switched = estimated(SwitchStep(path="s", cases=[SwitchCase(name="one", when=None, steps=[agent("s.a")])]))
        lows = [found.usd_micros.low for found in (sure, maybe, switched) if found.usd_micros]
        assert lows[0] > 0
        assert lows[1:] == [0, 0]

    def test_adds_what_tools_declare(self) -> None:
        made = program(CallStep(path="pay", tool="bank.pay"))
        tools: dict[str, PinnedTool] = {name: tool.model_copy(update={"cost_usd_micros": 70}) for name, tool in made.tools.items()}
        found = estimate_program(made.model_copy(update={"tools": tools}), run_input={}, prices=PRICES, known={}, runs=[])
        assert found.usd_micros is not None
        assert (found.usd_micros.low, found.usd_micros.high, found.worst_usd_micros) == (70, 70, 70)

    def test_is_bounded_by_its_budget(self) -> None:
        found = estimated(agent("a"), budget=BudgetRule(usd_micros=100, tokens=50))
        assert found.usd_micros is not None
        assert (found.usd_micros.high, found.worst_usd_micros, found.tokens.high) == (100, 100, 50)

    def test_takes_settled_runs_before_everything_else(self) -> None:
        found = estimated(agent("a"), runs=[(100 + number, 10) for number in range(40)])
        assert found.usd_micros is not None
        assert (found.usd_micros.low, found.usd_micros.expected, found.usd_micros.high) == (101, 120, 138)
        assert (found.basis, found.samples) == ("settled_runs", 40)

    def test_names_the_models_without_a_price(self) -> None:
        found = estimated(agent("a").model_copy(update={"model": "fake/unpriced"}), agent("b"))
        assert (found.usd_micros, found.worst_usd_micros, found.unpriced) == (None, None, ("fake/unpriced",))
