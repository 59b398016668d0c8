"""Prices of models: configured ones first, else those of the genai-prices package; integer micro-USD, rounded up."""

import decimal
from collections.abc import Mapping
from dataclasses import dataclass

_TOKENS_PER_PRICE = 1_000_000
_MICROS_PER_USD = 1_000_000
_SCRIPTED_PREFIX = "scripted/"


@dataclass(frozen=True, kw_only=True)
class ModelPrice:
    """A configured price in micro-USD per million tokens: 3 USD per million is 3_000_000."""

    input_usd_micros_per_million: int
    output_usd_micros_per_million: int


class GenaiPriceBook:
    """The `PriceBook` of the platform. `overrides` maps `provider/model` to a price and goes before the package's own data.

    A model of a compatible server has a price only if it is configured, or if the server's alias is a provider that the package
    knows (such as `groq`): the same open model costs something else on every host.
    """

    def __init__(self, overrides: Mapping[str, ModelPrice] | None = None) -> None:
        self._overrides = dict(overrides or {})

    def cost_usd_micros(self, *, model: str, input_tokens: int, output_tokens: int) -> int | None:
        """Return the cost in integer micro-USD, rounded up, or None for a model without a price; scripted models cost 0."""
        override = self._overrides.get(model)
        if override is not None:
            total = input_tokens * override.input_usd_micros_per_million + output_tokens * override.output_usd_micros_per_million
            return -(-total // _TOKENS_PER_PRICE)
        if model.startswith(_SCRIPTED_PREFIX):
            return 0
        provider, _, name = model.partition("/")
        return _listed_cost(provider, name, input_tokens=input_tokens, output_tokens=output_tokens)


def _listed_cost(provider: str, name: str, *, input_tokens: int, output_tokens: int) -> int | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - its price list takes a quarter of a second, and scripted runs need none

    if not provider or not name:
        return None
    try:
        price = calc_price(Usage(input_tokens=input_tokens, output_tokens=output_tokens), name, provider_id=provider).total_price
    except LookupError:
        return None
    return int((price * _MICROS_PER_USD).to_integral_value(rounding=decimal.ROUND_CEILING))
