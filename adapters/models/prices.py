"""Prices of models: configured ones first, else those of the genai-prices package; integer micro-USD, rounded up."""

import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.provider import ModelPricing

_TOKENS_PER_PRICE = 1_000_000
_MICROS_PER_USD = 1_000_000
_SCRIPTED_PREFIX = "scripted/"
_LISTED_AS = {"bedrock": "aws", "gemini": "google"}
"""What the package calls a provider whose name here is another."""


@dataclass(frozen=True, kw_only=True)
class ModelPrice:
    """A configured price in micro-USD per million tokens: 3 USD per million is 3_000_000. `since` is when it begins; None: always."""

    input_usd_micros_per_million: int
    output_usd_micros_per_million: int
    since: datetime | None = None


class GenaiPriceBook:
    """The `PriceBook` of the platform.

    `overrides` maps `provider/model` to one price or to several with the instants from which they hold; they go before the package's own
    data, from their first instant on. A model of a compatible server has a price only if it is configured, or if the server's alias is a
    provider that the package knows (such as `groq`): the same open model costs something else on every host.
    """

    def __init__(self, overrides: Mapping[str, ModelPrice | Sequence[ModelPrice]] | None = None) -> None:
        listed = {model: [given] if isinstance(given, ModelPrice) else list(given) for model, given in (overrides or {}).items()}
        self._overrides = {model: sorted(prices, key=_begin) for model, prices in listed.items()}

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
        """Return the cost in integer micro-USD, rounded up, or None for a model without a price; scripted models cost 0.

        A configured price is that of every token that is read, cached or not.
        """
        override = self._override(model, at)
        if override is not None:
            total = input_tokens * override.input_usd_micros_per_million + output_tokens * override.output_usd_micros_per_million
            return -(-total // _TOKENS_PER_PRICE)
        if model.startswith(_SCRIPTED_PREFIX):
            return 0
        provider, _, name = model.partition("/")
        used = _Used(input_tokens, output_tokens, cached_input_tokens, cache_write_tokens)
        return _listed_cost(provider, name, used, at)

    def price(self, model: str, *, at: datetime | None = None) -> ModelPricing | None:
        """Return what a million tokens cost, or None for a model without a price.

        Prices of the package may rise with the size of a request: this is the price of small ones.
        """
        override = self._override(model, at)
        if override is not None:
            return _configured(model, override)
        if model.startswith(_SCRIPTED_PREFIX):
            return ModelPricing(model=model, input_usd_micros_per_million=0, output_usd_micros_per_million=0, source="scripted")
        provider, _, name = model.partition("/")
        # A thousand tokens stay below every step of a price that rises with size.
        given = _listed_cost(provider, name, _Used(1000, 0), at)
        got = _listed_cost(provider, name, _Used(0, 1000), at)
        if given is None or got is None:
            return None
        return ModelPricing(
            model=model, input_usd_micros_per_million=1000 * given, output_usd_micros_per_million=1000 * got, source="genai-prices"
        )

    def configured(self) -> list[ModelPricing]:
        """Return the operator's own prices, by model and then by the instant they begin."""
        return [_configured(model, price) for model, prices in sorted(self._overrides.items()) for price in prices]

    def _override(self, model: str, at: datetime | None) -> ModelPrice | None:
        instant = at or datetime.now(UTC)
        begun = [price for price in self._overrides.get(model, ()) if price.since is None or price.since <= instant]
        return begun[-1] if begun else None


@dataclass(frozen=True)
class _Used:
    """Tokens of one call; the cached ones are parts of those read."""

    read: int
    written: int
    cached: int = 0
    cache_written: int = 0


def _begin(price: ModelPrice) -> datetime:
    return price.since or datetime.min.replace(tzinfo=UTC)


def _configured(model: str, price: ModelPrice) -> ModelPricing:
    return ModelPricing(
        model=model,
        input_usd_micros_per_million=price.input_usd_micros_per_million,
        output_usd_micros_per_million=price.output_usd_micros_per_million,
        source="configured",
        effective_from=None if price.since is None else price.since.isoformat(),
    )


def _listed_cost(provider: str, name: str, used: "_Used", at: datetime | None) -> int | None:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - its price list takes a quarter of a second, and scripted runs need none

    if not provider or not name:
        return None
    usage = Usage(input_tokens=used.read, output_tokens=used.written, cache_read_tokens=used.cached, cache_write_tokens=used.cache_written)
    try:
        price = calc_price(usage, name, provider_id=_LISTED_AS.get(provider, provider), genai_request_timestamp=at).total_price
    except LookupError:
        return None
    return int((price * _MICROS_PER_USD).to_integral_value(rounding=decimal.ROUND_CEILING))
