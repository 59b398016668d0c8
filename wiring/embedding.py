"""What makes the vectors of memory, from settings."""

from functools import partial

from adapters.memory.hashing import HashingEmbedder
from adapters.models.addresses import AzureAccess
from adapters.models.embeddings import EmbeddingPlace, ModelEmbedder
from adapters.outbound.clients import GuardedClients
from domain.errors import InvalidInput
from domain.memory import Embedder
from domain.provider import PriceBook
from wiring.models import compatible_servers, plain
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
        key = _given(plain(models.openai_api_key), model, "OPENAI_API_KEY")
        return EmbeddingPlace(called="OpenAI", base_url=models.openai_base_url, model=name, api_key=key, dimensions=dimensions)
    if provider == "azure":
        needed = "AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY"
        access = AzureAccess(
            endpoint=_given(models.azure_endpoint, model, needed),
            api_key=_given(plain(models.azure_api_key), model, needed),
            api_version=models.azure_api_version,
        )
        return EmbeddingPlace(
            called="Azure OpenAI",
            base_url=access.address,
            model=name,
            api_key=access.api_key,
            headers={"api-key": access.api_key},
            query={"api-version": access.api_version},
            dimensions=dimensions,
        )
    servers = compatible_servers(models)
    if provider not in servers:
        needed = "STANDFAST_COMPATIBLE_BASE_URL" if provider == "compatible" else "a server of that name in STANDFAST_COMPATIBLE_SERVERS"
        _given(None, model, needed)
    called, server = f"The model server '{provider}'", servers[provider]
    return EmbeddingPlace(called=called, base_url=server.base_url, model=name, api_key=server.api_key, dimensions=dimensions)


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


def _cost(prices: PriceBook, model: str, tokens: int) -> int | None:
    return prices.cost_usd_micros(model=model, input_tokens=tokens, output_tokens=0)
