"""Costs in micro-USD."""

import pytest

from adapters.models.prices import GenaiPriceBook, ModelPrice


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
