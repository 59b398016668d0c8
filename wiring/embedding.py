"""What makes the vectors of memory, from settings."""

from functools import partial

from pydantic import SecretStr

from adapters.memory.hashing import HashingEmbedder
from adapters.models.embeddings import EmbeddingPlace, ModelEmbedder
from adapters.outbound.clients import GuardedClients
from domain.errors import InvalidInput
from domain.memory import Embedder
from domain.provider import PriceBook
from wiring.settings_models import ModelSettings
from wiring.settings_outbound import WORDS, OutboundSettings


def build_embedder(settings: OutboundSettings, models: ModelSettings, prices: PriceBook, outbound: GuardedClients) -> Embedder:
    """Return the embedder that the settings name: words, or a model of a provider that is configured.

    Raises:
        InvalidInput: they name none that can be had here.
    """
    if settings.memory_embedder == WORDS:
        return HashingEmbedder()
    model = settings.memory_embedder
    place = _place(model, models, settings.memory_dimensions)
    return ModelEmbedder(place, model=model, cost_of=partial(_cost, prices, model), outbound=outbound)


def _place(model: str, models: ModelSettings, dimensions: int | None) -> EmbeddingPlace:
    """Where a model is asked.

    Raises:
        InvalidInput: its provider is not configured, or makes no vectors here.
    """
    provider, _, name = model.partition("/")
    if provider == "openai":
        key = _given(_plain(models.openai_api_key), model, "OPENAI_API_KEY")
        return EmbeddingPlace(called="OpenAI", base_url=models.openai_base_url, model=name, api_key=key, dimensions=dimensions)
    if provider == "azure":
        needed = "AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY"
        endpoint = _given(models.azure_endpoint, model, needed)
        key = _given(_plain(models.azure_api_key), model, needed)
        return EmbeddingPlace(
            called="Azure OpenAI",
            base_url=f"{endpoint.rstrip('/')}/openai/v1",
            model=name,
            api_key=key,
            headers={"api-key": key},
            query={"api-version": models.azure_api_version},
            dimensions=dimensions,
        )
    servers = dict(models.compatible_servers)
    if models.compatible_base_url is not None:
        servers["compatible"] = (models.compatible_base_url, models.compatible_api_key)
    if provider not in servers:
        needed = "STANDFAST_COMPATIBLE_BASE_URL" if provider == "compatible" else "a server of that name in STANDFAST_COMPATIBLE_SERVERS"
        _given(None, model, needed)
    base_url, secret = servers[provider]
    called = f"The model server '{provider}'"
    return EmbeddingPlace(called=called, base_url=base_url, model=name, api_key=_plain(secret), dimensions=dimensions)


def _given(value: str | None, model: str, needed: str) -> str:
    """Return a value that is set.

    Raises:
        InvalidInput: it is not; it says what to set.
    """
    if not value:
        raise InvalidInput(
            f"STANDFAST_MEMORY_EMBEDDER names {model}, which needs {needed}; there are {WORDS}, openai/MODEL, azure/DEPLOYMENT, "
            "compatible/MODEL and NAME/MODEL of another compatible server"
        )
    return value


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _cost(prices: PriceBook, model: str, tokens: int) -> int | None:
    return prices.cost_usd_micros(model=model, input_tokens=tokens, output_tokens=0)
