"""MCP servers and references of secrets, asynchronous."""

from collections.abc import Mapping

from pydantic import JsonValue

from standfast_client.drivers import AsyncDriver
from standfast_client.flows import mcp
from standfast_client.mcp import McpAuthorization, McpServer, McpServerRemoved, McpTool, SecretReference, SecretRemoved


class AsyncMcpServers:
    """MCP servers, and what is approved of them."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def add(self, server: Mapping[str, JsonValue], *, idempotency_key: str | None = None) -> McpServer:
        """Register a server, or register it anew; nothing of it can be called before it is approved.

        Args:
            server: `name`, `transport` (`stdio` or `http`), and what belongs to it; see docs/mcp.md.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: it cannot be used as it is.
        """
        return await self._driver.run(mcp.add(self._driver.link, server, idempotency_key=idempotency_key))

    async def get(self, name: str) -> McpServer:
        """Read one server with its tools."""
        return await self._driver.run(mcp.server(self._driver.link, name))

    async def check(self, name: str, *, idempotency_key: str | None = None) -> McpServer:
        """Have a server asked for its tools now; an approved one that changed is quarantined."""
        return await self._driver.run(mcp.check(self._driver.link, name, idempotency_key=idempotency_key))

    async def approve(self, name: str, approval: Mapping[str, JsonValue], *, idempotency_key: str | None = None) -> McpTool:
        """Approve a tool exactly as it was read.

        Args:
            name: The server.
            approval: `tool` (`mcp.<server>.<tool>`), its `pin`, its `effect_class`, and more; see docs/mcp.md.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: it is another one by now, or holds hidden characters.
        """
        return await self._driver.run(mcp.approve(self._driver.link, name, approval, idempotency_key=idempotency_key))

    async def quarantine(self, name: str, tool: str, reason: str, *, idempotency_key: str | None = None) -> McpTool:
        """Hold a tool back from its next call on, until it is approved anew."""
        return await self._driver.run(mcp.quarantine(self._driver.link, name, tool, reason, idempotency_key=idempotency_key))

    async def remove(self, name: str, *, idempotency_key: str | None = None) -> McpServerRemoved:
        """Take a server away with its tools and tokens."""
        return await self._driver.run(mcp.remove(self._driver.link, name, idempotency_key=idempotency_key))

    async def begin_authorization(self, name: str, redirect_uri: str, *, idempotency_key: str | None = None) -> McpAuthorization:
        """Begin to authorize a server by OAuth; open the page in a browser, and listen at the redirect URI on this machine."""
        flow = mcp.begin_authorization(self._driver.link, name, redirect_uri, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def answer_authorization(
        self, name: str, *, code: str, state: str, iss: str | None = None, idempotency_key: str | None = None
    ) -> McpServer:
        """Bring back what came to the redirect URI; it counts once."""
        flow = mcp.answer_authorization(self._driver.link, name, code=code, state=state, iss=iss, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def list(self, *, limit: int = 50) -> list[McpServer]:
        """Read up to `limit` servers, by name."""
        return await self._driver.run(mcp.servers(self._driver.link, limit=limit))


class AsyncSecrets:
    """Where the values of secrets lie; no value is ever sent or shown."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def set_reference(self, name: str, reference: str, *, environment: str, idempotency_key: str | None = None) -> SecretReference:
        """Say where a value lies in one environment: `env:NAME`, `file:/path` or `vault:MOUNT/PATH#KEY`.

        Raises:
            InvalidInputError: that is no reference, or a place that this tenant may not name.
        """
        flow = mcp.set_reference(self._driver.link, name, reference, environment=environment, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def remove(self, name: str, *, environment: str, idempotency_key: str | None = None) -> SecretRemoved:
        """Take a name away; the value stays where it lies."""
        flow = mcp.remove_secret(self._driver.link, name, environment=environment, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def list(self) -> list[SecretReference]:
        """Read all, by environment, then name."""
        return await self._driver.run(mcp.references(self._driver.link))
