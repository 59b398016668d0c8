"""The one place that imports a vendor's adapter, at the first call of one of its models: each SDK takes a second or more to load.

What can be wrong with the configuration is known without the SDKs, and `ModelRouter` says it when it is built.
"""

from collections.abc import Callable
from typing import Protocol

import httpx2

from adapters.models.addresses import AwsAccess, AzureAccess, KeyAccess
from adapters.models.late import Late
from domain.provider import CompletionReply, CompletionRequest, LlmProvider, OnDelta

NewClient = Callable[[], httpx2.AsyncClient | None]
"""Return a client on a guarded transport; None leaves the vendor's SDK its own."""


class Vendor(LlmProvider, Protocol):
    """A provider with connections to close."""

    async def aclose(self) -> None:
        """Close its connections."""
        ...


class LateVendor:
    """A `Vendor` that `build` makes at its first call."""

    def __init__(self, build: Callable[[], Vendor]) -> None:
        self._vendor = Late(build)

    async def complete(self, request: CompletionRequest, on_delta: OnDelta | None = None, *, timeout_s: float) -> CompletionReply:
        """Return the vendor's reply, as `LlmProvider.complete` promises."""
        return await (await self._vendor.get()).complete(request, on_delta, timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Close the vendor's connections, if it was ever called."""
        await self._vendor.aclose()


def anthropic_vendor(*, api_key: str, base_url: str, client: NewClient) -> LateVendor:
    """Return Anthropic's provider, not yet loaded."""

    def build() -> Vendor:
        from adapters.models.anthropic_provider import AnthropicProvider  # noqa: PLC0415 - late on purpose, see the module

        return AnthropicProvider(api_key=api_key, base_url=base_url, http=client())

    return LateVendor(build)


def openai_vendor(*, api_key: str, base_url: str, client: NewClient) -> LateVendor:
    """Return OpenAI's provider, not yet loaded."""

    def build() -> Vendor:
        from adapters.models.openai_provider import OpenAIProvider  # noqa: PLC0415 - late on purpose, see the module

        return OpenAIProvider(api_key=api_key, base_url=base_url, http=client())

    return LateVendor(build)


def compatible_vendor(*, name: str, base_url: str, api_key: str | None, client: NewClient) -> LateVendor:
    """Return the provider of an OpenAI-compatible server, not yet loaded."""

    def build() -> Vendor:
        from adapters.models.compatible_provider import CompatibleProvider  # noqa: PLC0415 - late on purpose, see the module

        return CompatibleProvider(name=name, base_url=base_url, api_key=api_key, http=client())

    return LateVendor(build)


def azure_vendor(access: AzureAccess, client: NewClient) -> LateVendor:
    """Return Azure OpenAI's provider, not yet loaded."""

    def build() -> Vendor:
        from adapters.models.openai_provider import AzureProvider  # noqa: PLC0415 - late on purpose, see the module

        return AzureProvider(access, http=client())

    return LateVendor(build)


def bedrock_vendor(access: AwsAccess, client: NewClient) -> LateVendor:
    """Return Bedrock's provider, not yet loaded."""

    def build() -> Vendor:
        from adapters.models.bedrock_provider import BedrockProvider  # noqa: PLC0415 - late on purpose, see the module

        return BedrockProvider(access, http=client())

    return LateVendor(build)


def gemini_vendor(access: KeyAccess, client: NewClient) -> LateVendor:
    """Return Gemini's provider, not yet loaded."""

    def build() -> Vendor:
        from adapters.models.gemini_provider import GeminiProvider  # noqa: PLC0415 - late on purpose, see the module

        return GeminiProvider(api_key=access.api_key, base_url=access.base_url, http=client())

    return LateVendor(build)
