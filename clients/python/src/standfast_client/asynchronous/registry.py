"""Definitions, asynchronous."""

from collections.abc import Mapping
from pathlib import Path

from standfast_client.drivers import AsyncDriver
from standfast_client.flows import registry
from standfast_client.models import Definition


class AsyncDefinitions:
    """The registry of definitions."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def register(self, bundle: Path | str | Mapping[str, str], *, idempotency_key: str | None = None) -> list[Definition]:
        """Register every definition of a bundle; a version that is there with the same content stays as it is.

        Args:
            bundle: A folder, one YAML file, or path → text.
            idempotency_key: A random key when None.

        Raises:
            BundleError: The folder cannot be read.
            InvalidInputError: The definition has mistakes; `errors` lists them.
            ConflictError: The version exists with other content.
        """
        return await self._driver.run(registry.register(self._driver.link, bundle, idempotency_key=idempotency_key))

    async def list(self) -> list[Definition]:
        """Read every version, by name, then newest first."""
        return await self._driver.run(registry.definitions(self._driver.link))

    async def get(self, name: str, version: str | None = None) -> Definition:
        """Read the highest version in an npm-style range, or of all."""
        return await self._driver.run(registry.definition(self._driver.link, name, version))
