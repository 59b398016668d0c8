"""Model providers from settings. Imported by the worker alone: the vendors' SDKs take seconds to load."""

from pydantic import SecretStr

from adapters.models.factory import CompatibleServer, ModelRouter
from wiring.settings import ModelSettings


def build_models(settings: ModelSettings) -> ModelRouter:
    """Return the router over every provider that is configured."""
    compatible: dict[str, CompatibleServer] = {}
    if settings.compatible_base_url is not None:
        compatible["compatible"] = CompatibleServer(base_url=settings.compatible_base_url, api_key=_plain(settings.compatible_api_key))
    return ModelRouter(
        anthropic_api_key=_plain(settings.anthropic_api_key),
        anthropic_base_url=settings.anthropic_base_url,
        openai_api_key=_plain(settings.openai_api_key),
        openai_base_url=settings.openai_base_url,
        compatible=compatible,
        scripts=dict(settings.scripts),
    )


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
