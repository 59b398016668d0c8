"""`budget:` in definitions."""

import pytest

from domain.budget import BudgetRule, usd_micros, usd_text
from domain.caps import ProgramCaps
from domain.compile import compile_program
from domain.program import Program
from tests.adapters.definitions.bundles import TOOLS, bundle, draft_of, messages_of, problems_of

NESTED = """\
- outer:
    budget: {usd: "0.25"}
    do:
      - inner: {call: orders.find, budget: {tokens: 10, seconds: 2}}
      - beside: {call: orders.find}
- outer_too: {call: orders.find}
"""


def program_of(do: str, *, tail: str = "") -> Program:
    """Compile a definition without mistakes."""
    return compile_program(draft_of(bundle(do, tail=tail)), tools=TOOLS, config={})


class TestBudgetKeyword:
    def test_stands_at_the_top_and_on_steps(self) -> None:
        program = program_of(NESTED, tail='budget: {usd: "0.50", tokens: 60000}\n')
        assert program.budget == BudgetRule(usd_micros=500_000, tokens=60_000)
        assert program.steps[0].budget == BudgetRule(usd_micros=250_000)

    def test_counts_an_effect_against_every_budget_around_it(self) -> None:
        caps = ProgramCaps(program_of(NESTED, tail="budget: {usd: 1}\n"))
        assert [cap.step for cap in caps.of("outer.inner")] == ["", "outer", "outer.inner"]
        assert [cap.step for cap in caps.of("outer.beside")] == ["", "outer"]
        assert [cap.step for cap in caps.of("outer_too")] == [""]
        assert caps.of("outer.inner")[2].ms == 2000

    def test_counts_several_effects_against_every_budget_around_one_of_them(self) -> None:
        caps = ProgramCaps(program_of(NESTED, tail="budget: {usd: 1}\n"))
        assert [cap.step for cap in caps.of("outer", "outer.inner", "outer.beside", "outer_too")] == ["", "outer", "outer.inner"]

    @pytest.mark.parametrize(
        ("budget", "told"),
        [
            ("{usd: 0.5}", '`usd` is an amount in quotes with at most six decimals: money is exact → usd: "0.5"'),
            ('{usd: "0.0000001"}', '`usd` is an amount in quotes with at most six decimals: money is exact → usd: "0.50"'),
            ("{usd: yes}", '`usd` is an amount in quotes with at most six decimals: money is exact → usd: "0.50"'),
            ("{tokens: -1}", "`tokens` must be an integer from 0 to 9007199254740991 → tokens: 60000"),
            ("{euro: 5}", "unknown key `euro` in budget → one of `seconds`, `tokens`, `usd`"),
            ("{}", "`budget` is empty → one or more of usd, tokens, seconds"),
        ],
    )
    def test_says_what_is_wrong(self, budget: str, told: str) -> None:
        assert [message.split(": ", 1)[1] for message in messages_of(f"- a: {{set: 1, budget: {budget}}}\n")] == [told]

    def test_is_told_where_it_stands(self) -> None:
        assert [problem.message for problem in problems_of(bundle("- a: {set: 1}\n", tail="budget: 5\n"))] == [
            "`budget` must be a mapping, not a number"
        ]


class TestDollars:
    @pytest.mark.parametrize(("text", "micros"), [("0.50", 500_000), ("12", 12_000_000), ("0.000001", 1), ("0", 0)])
    def test_are_exact_micros(self, text: str, micros: int) -> None:
        assert usd_micros(text) == micros

    @pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "0.0000001", "a", "", "9007199254.740992"])
    def test_refuse_what_is_no_amount(self, text: str) -> None:
        assert usd_micros(text) is None

    def test_are_shown_with_six_decimals(self) -> None:
        assert usd_text(1_234_567) == "1.234567"
