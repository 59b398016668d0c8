"""The ports of MCP: servers and their tools as they are kept, tokens, and who speaks to servers. Pure: protocols only."""

from typing import Protocol

from domain.mcp import Listed, McpServer, McpServerDraft, McpTool
from domain.tools import Tool, ToolSpec


class McpServerStore(Protocol):
    """Servers of tenants with their tools; definitions, descriptions and schemas are sealed at rest."""

    async def put(self, tenant: str, draft: McpServerDraft, *, by: str) -> McpServer:
        """Register one, or change it: then its tokens are forgotten and its approved tools are quarantined. Raises: Conflict, too many."""
        ...

    async def get(self, tenant: str, name: str) -> McpServer:
        """Raises: NotFound."""
        ...

    async def all(self, tenant: str) -> list[McpServer]:
        """Return all, by name."""
        ...

    async def remove(self, tenant: str, name: str) -> None:
        """Take it away with its tools and tokens. Raises: NotFound."""
        ...

    async def note(self, tenant: str, name: str, *, problem: str | None) -> None:
        """Note that it was asked for its tools just now, and what went wrong."""
        ...

    async def tools(self, tenant: str, server: str | None = None) -> list[McpTool]:
        """Return the tools of a server, or of all, by name."""
        ...

    async def save(self, tenant: str, tool: McpTool) -> None:
        """Write a tool as it stands now; a quarantine that came meanwhile is never lifted by this."""
        ...

    async def approve(self, tenant: str, tool: McpTool) -> None:
        """Write an approval; it lifts a quarantine."""
        ...


class McpTokens(Protocol):
    """What OAuth needs over time; sealed at rest, by tenant and server."""

    async def get(self, tenant: str, server: str) -> str | None:
        """Return what was kept, or None."""
        ...

    async def put(self, tenant: str, server: str, kept: str) -> None:
        """Keep a text of JSON; the server counts as authorized."""
        ...

    async def begin(self, tenant: str, *, state_digest: str, principal: str, kept: str, minutes: int) -> None:
        """Keep what an authorization under way needs."""
        ...

    async def take(self, tenant: str, *, state_digest: str, principal: str) -> str | None:
        """Return it once: None when there is none, it is too old, another person's, or was taken before."""
        ...


class TenantTools(Protocol):
    """Tools that each tenant has of its own: those of its MCP servers."""

    async def specs(self, tenant: str) -> list[ToolSpec]:
        """Return those that may be called, by name."""
        ...

    async def find(self, tenant: str, name: str, version: str) -> Tool:
        """Return one.

        Raises:
            ToolFailed: there is none of that name and version. ToolQuarantined: it may not be called now.
        """
        ...


class McpConnections(Protocol):
    """Speaks to servers."""

    async def listing(self, tenant: str, server: McpServer) -> list[Listed]:
        """Ask a server for its tools.

        Raises:
            ToolUnavailable: it does not answer, or its sandbox is missing.
            ToolFailed: it answers something that is no listing, or needs to be authorized.
        """
        ...


class McpAuthorizations(Protocol):
    """Has a person let this platform use a server in the person's name (OAuth)."""

    async def begin(self, tenant: str, principal: str, server: McpServer, redirect_uri: str) -> str:
        """Return the page to open.

        Raises:
            InvalidInput: the server needs none, or the redirect URI is none of this person's machine.
            ToolFailed: the server or its issuer cannot be used. ToolUnavailable: one of them does not answer.
        """
        ...

    async def complete(self, tenant: str, principal: str, server: McpServer, *, code: str, state: str, iss: str | None) -> None:
        """Change the code for tokens and keep them.

        Raises:
            InvalidInput: the state is none that this person began for this server, or was used; another issuer answers.
            ToolFailed: the issuer refuses, or its token is for another audience.
        """
        ...
