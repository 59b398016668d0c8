"""The factory `provider/model`: one provider that sends each request to the vendor its model names."""

from collections.abc import Mapping
from pathlib import Path

import httpx2

from adapters.models.addresses import ANTHROPIC_BASE_URL, OPENAI_BASE_URL, AwsAccess, AzureAccess, CompatibleServer, KeyAccess
from adapters.models.late_vendors import (
    LateVendor,
    anthropic_vendor,
    azure_vendor,
    bedrock_vendor,
    compatible_vendor,
    gemini_vendor,
    openai_vendor,
)
from adapters.models.scripted import ScriptedProvider
from domain.egress import OPERATOR, OutboundClients
from domain.errors import UnknownModel
from domain.provider import CompletionReply, CompletionRequest, LlmProvider, OnDelta

_SETTINGS = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY",
    "bedrock": "AWS_REGION",
    "gemini": "GEMINI_API_KEY",
    "compatible": "STANDFAST_COMPATIBLE_BASE_URL",
    "scripted": "STANDFAST_SCRIPTS",
}
"""What a person sets to get each provider; wiring reads these settings."""


class ModelRouter:
    """The `LlmProvider` that wiring uses; the text before the first `/` of a model names the provider.

    `compatible` maps an alias (`compatible`, or a name of one's own) to its server; `scripts` maps the name in `scripted/<name>` to a
    file. An alias may not take the name of another provider. A vendor's SDK is loaded by the first call of one of its models.

    Raises:
        InvalidDefinition: a script has mistakes.
        UnknownModel: an alias is the name of a vendor or `scripted`, or has a `/`.
    """

    def __init__(
        self,
        *,
        anthropic_api_key: str | None = None,
        anthropic_base_url: str = ANTHROPIC_BASE_URL,
        openai_api_key: str | None = None,
        openai_base_url: str = OPENAI_BASE_URL,
        azure: AzureAccess | None = None,
        bedrock: AwsAccess | None = None,
        gemini: KeyAccess | None = None,
        compatible: Mapping[str, CompatibleServer] | None = None,
        scripts: Mapping[str, Path] | None = None,
        outbound: OutboundClients[httpx2.AsyncBaseTransport] | None = None,
    ) -> None:
        self._outbound = outbound
        self._vendors: dict[str, LateVendor] = {}
        for alias, server in (compatible or {}).items():
            if "/" in alias or (alias in _SETTINGS and alias != "compatible"):
                raise UnknownModel(f"'{alias}' cannot name an OpenAI-compatible server; choose another name, without '/'")
            self._vendors[alias] = compatible_vendor(name=alias, base_url=server.base_url, api_key=server.api_key, client=self._client)
        if anthropic_api_key:
            self._vendors["anthropic"] = anthropic_vendor(api_key=anthropic_api_key, base_url=anthropic_base_url, client=self._client)
        if openai_api_key:
            self._vendors["openai"] = openai_vendor(api_key=openai_api_key, base_url=openai_base_url, client=self._client)
        if azure is not None:
            self._vendors["azure"] = azure_vendor(azure, self._client)
        if bedrock is not None:
            self._vendors["bedrock"] = bedrock_vendor(bedrock, self._client)
        if gemini is not None:
            self._vendors["gemini"] = gemini_vendor(gemini, self._client)
        self._scripted = ScriptedProvider(scripts or {})
        self._script_names = sorted(scripts or {})

    def configured(self) -> list[str]:
        """Return what a model may begin with, sorted: `anthropic/…`, and every script by its whole name."""
        return sorted(f"{name}/…" for name in self._vendors) + [f"scripted/{name}" for name in self._script_names]

    def check(self, model: str) -> None:
        """Check that a call of `model` would reach a provider; whether the vendor has the model only a call can tell.

        Raises:
            UnknownModel: the provider is unknown or not configured; the sentence says what is, and which setting to set.
        """
        self._provider(model)

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the reply of the provider that `request.model` names, as `LlmProvider.complete` promises.

        Raises:
            UnknownModel: the provider is unknown or not configured.
        """
        return await self._provider(request.model).complete(request, on_delta, timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Close the connections of every vendor."""
        for vendor in self._vendors.values():
            await vendor.aclose()

    def _client(self) -> httpx2.AsyncClient | None:
        """Return a client for one vendor's SDK: the operator set the address, so it may be inside, and no redirect is followed."""
        if self._outbound is None:
            return None
        return httpx2.AsyncClient(transport=self._outbound.transport(OPERATOR), timeout=None, follow_redirects=False)

    def _provider(self, model: str) -> LlmProvider:
        provider, slash, name = model.partition("/")
        if provider == "scripted" and name in self._script_names:
            return self._scripted
        if slash and name and provider in self._vendors:
            return self._vendors[provider]
        raise UnknownModel(
            f"the model '{model}' {self._trouble(provider, name)}; configured here: {', '.join(self.configured()) or 'none'}"
        )

    def _trouble(self, provider: str, name: str) -> str:
        if not name:
            return "is not of the form provider/model"
        if provider in self._vendors:
            return "cannot be used"
        if provider == "scripted":
            return f"names no script; name its file in {_SETTINGS[provider]}"
        if provider in _SETTINGS:
            return f"needs its provider to be set up; set {_SETTINGS[provider]}"
        return f"names an unknown provider; there are {', '.join(_SETTINGS)} (set {', '.join(_SETTINGS.values())})"
