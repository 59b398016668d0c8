"""The price book from settings; apart from `wiring/models.py`, which loads the vendors' SDKs, so that the gateway has prices too."""

from datetime import UTC, datetime, time

from adapters.models.prices import GenaiPriceBook, ModelPrice
from wiring.settings_models import ModelSettings, PriceEntry


def build_prices(settings: ModelSettings) -> GenaiPriceBook:
    """Return the price book with the operator's own prices on top."""
    own = {model: [_price(one) for one in (given if isinstance(given, list) else [given])] for model, given in settings.prices.items()}
    return GenaiPriceBook(own)


def _price(entry: PriceEntry) -> ModelPrice:
    """A price that begins on a day begins at midnight UTC."""
    since = datetime.combine(entry[2], time(), tzinfo=UTC) if len(entry) == 3 else None
    return ModelPrice(input_usd_micros_per_million=entry[0], output_usd_micros_per_million=entry[1], since=since)
