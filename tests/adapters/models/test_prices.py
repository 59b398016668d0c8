"""Costs in micro-USD."""

from datetime import UTC, datetime

import pytest

from adapters.models.prices import GenaiPriceBook, ModelPrice
from wiring.prices import build_prices
from wiring.settings import ModelSettings


class TestCost:
    """The price book."""

    def test_of_a_listed_model_is_the_packages(self) -> None:
        # genai-prices 0.2.3: claude-sonnet-4-5 costs 3 USD per million tokens in, 15 out.
        cost = GenaiPriceBook().cost_usd_micros(model="anthropic/claude-sonnet-4-5", input_tokens=1000, output_tokens=10)
        assert cost == 3150

    def test_is_rounded_up(self) -> None:
        book = GenaiPriceBook({"compatible/m": ModelPrice(input_usd_micros_per_million=1, output_usd_micros_per_million=0)})
        assert book.cost_usd_micros(model="compatible/m", input_tokens=1, output_tokens=0) == 1
        assert book.cost_usd_micros(model="compatible/m", input_tokens=1_000_001, output_tokens=0) == 2

    def test_of_a_configured_model_goes_before_the_list(self) -> None:
        price = ModelPrice(input_usd_micros_per_million=1_000_000, output_usd_micros_per_million=2_000_000)
        book = GenaiPriceBook({"anthropic/claude-sonnet-4-5": price})
        assert book.cost_usd_micros(model="anthropic/claude-sonnet-4-5", input_tokens=10, output_tokens=10) == 30

    def test_of_a_script_is_nothing(self) -> None:
        assert GenaiPriceBook().cost_usd_micros(model="scripted/claim-review", input_tokens=999, output_tokens=9) == 0

    @pytest.mark.parametrize("model", ["anthropic/no-such-model", "compatible/llama-3.3-70b-versatile", "openai/", "gpt-5", ""])
    def test_is_unknown_for_a_model_without_a_price(self, model: str) -> None:
        assert GenaiPriceBook().cost_usd_micros(model=model, input_tokens=1, output_tokens=1) is None


class TestEffectiveDates:
    BOOK = GenaiPriceBook(
        {
            "compatible/m": [
                ModelPrice(input_usd_micros_per_million=9, output_usd_micros_per_million=9, since=datetime(2026, 6, 1, tzinfo=UTC)),
                ModelPrice(input_usd_micros_per_million=5, output_usd_micros_per_million=5),
            ]
        }
    )

    @pytest.mark.parametrize(("day", "cost"), [(datetime(2026, 5, 31, tzinfo=UTC), 5), (datetime(2026, 6, 1, tzinfo=UTC), 9)])
    def test_decide_which_price_holds(self, day: datetime, cost: int) -> None:
        assert self.BOOK.cost_usd_micros(model="compatible/m", input_tokens=1_000_000, output_tokens=0, at=day) == cost

    def test_leave_the_package_to_answer_before_the_first(self) -> None:
        late = ModelPrice(input_usd_micros_per_million=1, output_usd_micros_per_million=1, since=datetime(2999, 1, 1, tzinfo=UTC))
        found = GenaiPriceBook({"anthropic/claude-sonnet-4-5": late}).price("anthropic/claude-sonnet-4-5")
        assert found is not None
        assert (found.source, found.input_usd_micros_per_million) == ("genai-prices", 3_000_000)

    def test_are_listed_in_order(self) -> None:
        assert [price.effective_from for price in self.BOOK.configured()] == [None, "2026-06-01T00:00:00+00:00"]

    def test_are_read_from_the_setting(self) -> None:
        settings = ModelSettings.model_validate(
            {"STANDFAST_PRICES": {"compatible/m": [[5, 5], [9, 9, "2026-06-01"]], "compatible/n": [1, 2]}}
        )
        assert build_prices(settings).configured()[:2] == self.BOOK.configured()
