"""MCP servers, their tokens and references of secrets in memory; tests/contracts runs one suite on them and on PostgreSQL."""

from datetime import UTC, datetime, timedelta

from domain.errors import Conflict, InvalidInput, NotFound, StandfastError, ToolFailed, ToolUnavailable
from domain.mcp import SERVERS_MAX, Listed, McpServer, McpServerDraft, McpTool
from domain.mcp_oauth import checked_redirect
from domain.secrets import SECRETS_MAX, DeclaredSecret


def now_text() -> str:
    """Return the time as RFC 3339 UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class FakeMcpServers:
    """Implements `McpServerStore`."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str], McpServer] = {}
        self._tools: dict[tuple[str, str, str], McpTool] = {}
        self.tokens: dict[tuple[str, str], str] = {}

    async def put(self, tenant: str, draft: McpServerDraft, *, by: str) -> McpServer:
        """Register a server, or register it anew."""
        known = self._servers.get((tenant, draft.name))
        if known is None and sum(1 for owner, _ in self._servers if owner == tenant) >= SERVERS_MAX:
            raise Conflict(f"a tenant has at most {SERVERS_MAX} MCP servers: remove one first")
        told = draft.model_dump(include=set(McpServerDraft.model_fields))
        self._servers[tenant, draft.name] = McpServer(
            **told,
            revision=1 if known is None else known.revision + 1,
            created_by=by if known is None else known.created_by,
            created_at=now_text() if known is None else known.created_at,
        )
        self.tokens.pop((tenant, draft.name), None)
        for tool in await self.tools(tenant, draft.name):
            key = (tenant, draft.name, tool.tool)
            if tool.approved is None:
                del self._tools[key]
            elif tool.state == "approved":
                changes = {"state": "quarantined", "quarantined_at": now_text(), "reason": "its server was registered anew"}
                self._tools[key] = tool.model_copy(update=changes)
        return await self.get(tenant, draft.name)

    async def get(self, tenant: str, name: str) -> McpServer:
        """Return one."""
        if (tenant, name) not in self._servers:
            raise NotFound(f"there is no MCP server {name}")
        return self._servers[tenant, name].model_copy(update={"authorized": (tenant, name) in self.tokens})

    async def all(self, tenant: str) -> list[McpServer]:
        """Return all, by name."""
        return [await self.get(tenant, name) for owner, name in sorted(self._servers) if owner == tenant]

    async def remove(self, tenant: str, name: str) -> None:
        """Take a server away."""
        await self.get(tenant, name)
        del self._servers[tenant, name]
        self.tokens.pop((tenant, name), None)
        self._tools = {key: tool for key, tool in self._tools.items() if key[:2] != (tenant, name)}

    async def note(self, tenant: str, name: str, *, problem: str | None) -> None:
        """Note that it was asked."""
        if (tenant, name) in self._servers:
            changes = {"checked_at": now_text(), "problem": problem}
            self._servers[tenant, name] = self._servers[tenant, name].model_copy(update=changes)

    async def tools(self, tenant: str, server: str | None = None) -> list[McpTool]:
        """Return tools, by name."""
        found = [tool for (owner, of, _), tool in self._tools.items() if owner == tenant and server in (None, of)]
        return sorted(found, key=lambda tool: tool.wire_name)

    async def save(self, tenant: str, tool: McpTool) -> None:
        """Write what is seen of a tool."""
        key = (tenant, tool.server, tool.tool)
        known = self._tools.get(key)
        if known is None:
            self._tools[key] = tool
            return
        kept = {"approved": known.approved}
        if known.state == "quarantined":
            kept |= {"state": known.state, "quarantined_at": known.quarantined_at, "reason": known.reason}
        self._tools[key] = tool.model_copy(update=kept)

    async def approve(self, tenant: str, tool: McpTool) -> None:
        """Write an approval."""
        self._tools[tenant, tool.server, tool.tool] = tool


class FakeMcpTokens:
    """Implements `McpTokens` beside the servers that it authorizes."""

    def __init__(self, servers: FakeMcpServers) -> None:
        self._servers = servers
        self._under_way: dict[tuple[str, str, str], tuple[str, datetime]] = {}

    async def get(self, tenant: str, server: str) -> str | None:
        """Return what was kept."""
        return self._servers.tokens.get((tenant, server))

    async def put(self, tenant: str, server: str, kept: str) -> None:
        """Keep a text."""
        self._servers.tokens[tenant, server] = kept

    async def begin(self, tenant: str, *, state_digest: str, principal: str, kept: str, minutes: int) -> None:
        """Keep what an authorization needs."""
        self._under_way[tenant, state_digest, principal] = (kept, datetime.now(UTC) + timedelta(minutes=minutes))

    async def take(self, tenant: str, *, state_digest: str, principal: str) -> str | None:
        """Return it once."""
        kept, until = self._under_way.pop((tenant, state_digest, principal), ("", datetime.min.replace(tzinfo=UTC)))
        return kept if until > datetime.now(UTC) else None


class FakeSecretReferences:
    """Implements `SecretReferences`."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], DeclaredSecret] = {}

    async def get(self, tenant: str, environment: str, name: str) -> DeclaredSecret:
        """Return one."""
        if (tenant, environment, name) not in self._rows:
            raise NotFound(f"there is no secret {name} in the environment {environment}")
        return self._rows[tenant, environment, name]

    async def all(self, tenant: str) -> list[DeclaredSecret]:
        """Return all, by environment, then name."""
        return [row for (owner, _, _), row in sorted(self._rows.items()) if owner == tenant]

    async def put(self, tenant: str, environment: str, name: str, reference: str, *, by: str) -> DeclaredSecret:
        """Name one."""
        others = [key for key in self._rows if key[:2] == (tenant, environment) and key[2] != name]
        if len(others) >= SECRETS_MAX:
            raise Conflict(f"a tenant has at most {SECRETS_MAX} secrets in one environment: remove one first")
        row = DeclaredSecret(name=name, environment=environment, reference=reference, set_by=by, set_at=now_text())
        self._rows[tenant, environment, name] = row
        return row

    async def remove(self, tenant: str, environment: str, name: str) -> None:
        """Take a name away."""
        await self.get(tenant, environment, name)
        del self._rows[tenant, environment, name]


class FakeMcpConnections:
    """Servers that list what a test put into `lists`, and authorizations that go through: implements both ports of the gateway."""

    def __init__(self, servers: FakeMcpServers) -> None:
        self._servers = servers
        self._begun: set[tuple[str, str, str]] = set()
        self.lists: dict[str, list[Listed] | StandfastError] = {}

    async def listing(self, tenant: str, server: McpServer) -> list[Listed]:
        """Return what the server lists, or fail as it does."""
        del tenant
        told = self.lists.get(server.name, ToolUnavailable(f"the MCP server {server.name} does not answer"))
        if isinstance(told, StandfastError):
            raise told
        return told

    async def begin(self, tenant: str, principal: str, server: McpServer, redirect_uri: str) -> str:
        """Return a page whose state names who asked."""
        if server.oauth is None:
            raise InvalidInput(f"the MCP server {server.name} is registered without oauth")
        checked_redirect(redirect_uri)
        self._begun.add((tenant, principal, server.name))
        return f"https://issuer.example/authorize?state=state-of-{server.name}-0000"

    async def complete(self, tenant: str, principal: str, server: McpServer, *, code: str, state: str, iss: str | None) -> None:
        """Keep a token for a code that is `good`; once for each beginning."""
        del iss
        if (tenant, principal, server.name) not in self._begun or state != f"state-of-{server.name}-0000":
            raise InvalidInput("this authorization was not begun by you, is too old, or was used: begin again", where="/state")
        self._begun.discard((tenant, principal, server.name))
        if code != "good":
            raise ToolFailed("the authorization server refuses: invalid_grant")
        self._servers.tokens[tenant, server.name] = "{}"
