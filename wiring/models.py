"""Model providers from settings. Imported by the worker alone: the vendors' SDKs take seconds to load."""

from collections.abc import Awaitable, Callable

from pydantic import JsonValue, SecretStr

from adapters.models.addresses import AwsAccess, AzureAccess, CompatibleServer, KeyAccess
from adapters.models.factory import ModelRouter
from adapters.outbound.clients import GuardedClients
from domain.errors import InvalidInput
from wiring.settings import ModelSettings
from wiring.storage import Storage


def build_models(settings: ModelSettings, outbound: GuardedClients) -> ModelRouter:
    """Return the router over every provider that is configured; the vendors' SDKs connect by the guard."""
    return ModelRouter(
        anthropic_api_key=plain(settings.anthropic_api_key),
        anthropic_base_url=settings.anthropic_base_url,
        openai_api_key=plain(settings.openai_api_key),
        openai_base_url=settings.openai_base_url,
        azure=_azure(settings),
        bedrock=_bedrock(settings),
        gemini=_gemini(settings),
        compatible=compatible_servers(settings),
        scripts=dict(settings.scripts),
        outbound=outbound,
    )


def compatible_servers(settings: ModelSettings) -> dict[str, CompatibleServer]:
    """Return the OpenAI-compatible servers by the names that models are led by."""
    found: dict[str, CompatibleServer] = {}
    if settings.compatible_base_url is not None:
        found["compatible"] = CompatibleServer(base_url=settings.compatible_base_url, api_key=plain(settings.compatible_api_key))
    for alias, (base_url, api_key) in settings.compatible_servers.items():
        found[alias] = CompatibleServer(base_url=base_url, api_key=plain(api_key))
    return found


def inputs_of(storage: Storage) -> Callable[[str, str], Awaitable[JsonValue]]:
    """Return what reads the input of a tenant's run, for the files that an agent is shown of it."""

    async def input_of(tenant: str, run: str) -> JsonValue:
        given, _config = await storage.runs.input_of(tenant, run)
        return given

    return input_of


def _azure(settings: ModelSettings) -> AzureAccess | None:
    """How to reach Azure, if it is set up.

    Raises:
        InvalidInput: one of its two settings is missing.
    """
    if settings.azure_endpoint is None and settings.azure_api_key is None:
        return None
    key = plain(settings.azure_api_key)
    if settings.azure_endpoint is None or key is None:
        raise InvalidInput("Azure OpenAI needs both AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY")
    return AzureAccess(endpoint=settings.azure_endpoint, api_key=key, api_version=settings.azure_api_version)


def _bedrock(settings: ModelSettings) -> AwsAccess | None:
    if settings.aws_region is None:
        return None
    return AwsAccess(
        region=settings.aws_region,
        api_key=plain(settings.bedrock_api_key),
        access_key_id=settings.aws_access_key_id,
        secret_access_key=plain(settings.aws_secret_access_key),
        session_token=plain(settings.aws_session_token),
        base_url=settings.bedrock_base_url,
    )


def _gemini(settings: ModelSettings) -> KeyAccess | None:
    key = plain(settings.gemini_api_key)
    return None if key is None else KeyAccess(api_key=key, base_url=settings.gemini_base_url)


def plain(secret: SecretStr | None) -> str | None:
    """Return a secret setting's value, None where it is not set."""
    return secret.get_secret_value() if secret is not None else None
