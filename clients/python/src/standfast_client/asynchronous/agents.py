"""Agents and prompts, asynchronous."""

from builtins import list as listing
from collections.abc import Mapping
from pathlib import Path

from standfast_client.agents import Agent, AgentRegistration, Prompt
from standfast_client.drivers import AsyncDriver
from standfast_client.flows import agents


class AsyncAgents:
    """The registry of agents."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def register(
        self, bundle: Path | str | Mapping[str, str], *, owner: str | None = None, idempotency_key: str | None = None
    ) -> AgentRegistration:
        """Register every agent of a bundle as a draft, with the prompts they name; the same content again changes nothing.

        Args:
            bundle: A folder, one YAML file, or path → text.
            owner: The principal who answers for them; the caller when None. Neither approves them.
            idempotency_key: A random key when None.

        Raises:
            BundleError: The folder cannot be read.
            InvalidInputError: A file has mistakes; `errors` lists them.
            ConflictError: A version exists with other content.
        """
        return await self._driver.run(agents.register(self._driver.link, bundle, owner=owner, idempotency_key=idempotency_key))

    async def list(self, *, name: str | None = None, status: str | None = None) -> listing[Agent]:
        """Read every version, by name, then newest first."""
        return await self._driver.run(agents.agents(self._driver.link, name=name, status=status))

    async def get(self, name: str, version: str | None = None) -> Agent:
        """Read the highest version in an npm-style range, or of all, with how it came to its status."""
        return await self._driver.run(agents.agent(self._driver.link, name, version))

    async def move(self, name: str, version: str, status: str, *, comment: str = "", idempotency_key: str | None = None) -> Agent:
        """Move a version to another status: `review`, `approved`, `deprecated`, `retired`, or back to `draft`.

        Raises:
            ForbiddenError: The caller may not, or would approve what is theirs.
            ConflictError: The version's status does not lead there.
        """
        flow = agents.move(self._driver.link, name, version, status, comment=comment, idempotency_key=idempotency_key)
        return await self._driver.run(flow)


class AsyncPrompts:
    """The registry of prompts."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def register(self, name: str, version: str, text: str, *, idempotency_key: str | None = None) -> Prompt:
        """Register a prompt's version; the same text again changes nothing.

        Raises:
            InvalidInputError: The text is no template for prompts.
            ConflictError: The version exists with another text.
        """
        return await self._driver.run(agents.register_prompt(self._driver.link, name, version, text, idempotency_key=idempotency_key))

    async def list(self) -> listing[Prompt]:
        """Read every version, by name, then newest first."""
        return await self._driver.run(agents.prompts(self._driver.link))

    async def get(self, name: str, version: str | None = None) -> Prompt:
        """Read the highest version in an npm-style range, or of all."""
        return await self._driver.run(agents.prompt(self._driver.link, name, version))
