"""A price book for tests: every model costs the same per token, but for those without a price."""

from datetime import datetime

from domain.provider import ModelPricing


class FakePrices:
    """Implements `PriceBook`; `micros` is the price of one token, in and out."""

    def __init__(self, micros: int = 0, *, unpriced: tuple[str, ...] = ("fake/unpriced",)) -> None:
        self._micros = micros
        self._unpriced = unpriced

    def cost_usd_micros(
        self,
        *,
        model: str,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        cache_write_tokens: int = 0,
        at: datetime | None = None,
    ) -> int | None:
        """Return the cost."""
        del at, cached_input_tokens, cache_write_tokens
        return None if model in self._unpriced else self._micros * (input_tokens + output_tokens)

    def price(self, model: str, *, at: datetime | None = None) -> ModelPricing | None:
        """Return the price of a million tokens."""
        cost = self.cost_usd_micros(model=model, input_tokens=1_000_000, output_tokens=0, at=at)
        if cost is None:
            return None
        return ModelPricing(model=model, input_usd_micros_per_million=cost, output_usd_micros_per_million=cost, source="configured")

    def configured(self) -> list[ModelPricing]:
        """Return nothing: no operator set a price here."""
        return []
