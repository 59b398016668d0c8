"""The tools of MCP servers as the platform calls them: approved ones only, compared with what their server lists just before each call."""

import logging
from collections.abc import Callable, Mapping

import httpx2
from pydantic import JsonValue

from adapters.mcp.access import BEARER, Access
from adapters.mcp.authorizer import McpAuthorizer
from domain.egress import EgressRules, OutboundClients
from domain.errors import NotFound, StandfastError, ToolFailed, ToolQuarantined
from domain.known_secrets import KnownSecrets
from domain.mcp import SERVER_TOOLS, Listed, McpServer, McpTool, drift, quarantined, seen, spec_of
from domain.mcp_stores import McpServerStore
from domain.redaction import Redactor
from domain.sandbox import SandboxProfile
from domain.sandbox_sessions import SandboxSessions
from domain.secrets import ResolveSecret, only_declared
from domain.tools import Tool, ToolCall, ToolSpec

log = logging.getLogger(__name__)

LISTING_S = 20.0
"""How long a server may take to start and list its tools."""

Heartbeat = Callable[[ToolCall, float, float | None], None]
"""Told that a call made progress: (call, done, of how much)."""


class McpToolbox:
    """Implements `McpConnections`, and gives the tools of a tenant.

    Args:
        servers: What tenants registered and approved.
        sessions: Sandboxes that are spoken with, for stdio servers.
        profiles: The sandbox profiles by name.
        clients: The guarded way out, for http servers.
        authorizer: Tokens of OAuth servers.
        secret: Gives (tenant, name)'s secret; LookupError when it is not set.
        clock: RFC 3339 UTC.
        heartbeat: Told of progress.
        known: Told of tokens, which no `secret` gives; strikes secrets out of what servers say when they are asked for their tools.
    """

    def __init__(
        self,
        *,
        servers: McpServerStore,
        sessions: SandboxSessions,
        profiles: Mapping[str, SandboxProfile],
        clients: OutboundClients[httpx2.AsyncBaseTransport],
        authorizer: McpAuthorizer,
        secret: ResolveSecret,
        clock: Callable[[], str],
        heartbeat: Heartbeat = lambda _call, _done, _total: None,
        known: KnownSecrets | None = None,
    ) -> None:
        self._known = known or KnownSecrets()
        self._servers = servers
        self._sessions = sessions
        self._profiles = profiles
        self._clients = clients
        self._authorizer = authorizer
        self._secret = secret
        self._clock = clock
        self._heartbeat = heartbeat

    async def specs(self, tenant: str) -> list[ToolSpec]:
        """Return the tenant's approved tools, by name: what nobody approved is not there, so no model is told of it."""
        servers = {server.name: server for server in await self._servers.all(tenant)}
        tools = await self._servers.tools(tenant)
        found = [spec_of(tool, servers[tool.server]) for tool in tools if tool.server in servers]
        return [spec for spec in found if spec is not None]

    async def find(self, tenant: str, name: str, version: str) -> Tool:
        """Return an approved tool of the tenant.

        Raises:
            ToolFailed: there is none of that name and version.
            ToolQuarantined: it was approved, and is another one now.
        """
        of = name.removeprefix(SERVER_TOOLS).partition(".")[0]  # the other servers' listings need not be opened
        tool = next((one for one in await self._servers.tools(tenant, of) if one.wire_name == name), None)
        if tool is None or tool.approved is None:
            raise ToolFailed(f"nobody approved a tool {name}: `standfast mcp approve`")
        if tool.state != "approved":
            raise ToolQuarantined(f"{name} may not be called: {tool.reason}; look at it with `standfast mcp show {tool.server}`")
        try:
            server = await self._servers.get(tenant, tool.server)
        except NotFound as error:
            raise ToolFailed(f"the MCP server {tool.server} was taken away") from error
        spec = spec_of(tool, server)
        if spec is None or spec.version != version:
            raise ToolFailed(
                f"{name} was approved anew since this run started, as {'none' if spec is None else spec.version}, not {version}"
            )
        return _McpTool(self, server, tool, spec)

    async def listing(self, tenant: str, server: McpServer) -> list[Listed]:
        """Ask a server for its tools.

        Raises:
            StandfastError: ToolUnavailable: it does not answer. ToolFailed: it answers something else, or needs to be authorized. Neither
                tells a secret.
        """
        from adapters.mcp.sessions import open_session  # noqa: PLC0415 - the SDK takes a second to load, and few workers need it

        access = await self._access(tenant, server)
        try:
            async with open_session(access, timeout_s=LISTING_S) as session:
                return _told(await session.listing(), access)
        except StandfastError as error:
            told = self._known.error(tenant, error)
            if told is error:
                raise
            raise told from None

    async def call(self, call: ToolCall, server: McpServer, tool: McpTool, spec: ToolSpec) -> JsonValue:
        """Compare what the server lists with what was approved, and call the tool in the same session.

        Raises:
            ToolQuarantined: it is another one than was approved; nothing was called.
            ToolFailed, ToolUnavailable, ToolTimedOut, ToolAnswerInvalid: as `Tool.call` says.
        """
        from adapters.mcp.sessions import open_session  # noqa: PLC0415 - as above

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            del message  # text of the server's choice, which nobody reads
            self._heartbeat(call, progress, total)

        access = await self._access(call.tenant, server)
        async with open_session(access, timeout_s=min(call.deadline_s, spec.timeout_s)) as session:
            await self._compare(call, server, tool, _told(await session.listing(), access))
            return await session.call(
                tool.tool,
                call.arguments,
                changes_world=spec.effect_class.changes_world,
                bytes_max=server.result_bytes_max,
                on_progress=on_progress,
            )

    async def _compare(self, call: ToolCall, server: McpServer, tool: McpTool, listed: list[Listed]) -> None:
        """Quarantine every approved tool of the server that is another one now, and refuse the call if its own is one.

        Raises:
            ToolQuarantined: the tool of this call changed.
        """
        known = await self._servers.tools(call.tenant, server.name)
        try:
            now = seen(known, server.name, listed, at=self._clock())
        except StandfastError as error:
            reason = f"its server's list cannot be taken: {error.detail}"
            now = [quarantined(one, reason, at=self._clock()) for one in known if one.approved is not None]
        before = {one.tool: one for one in known}
        for one in now:
            if one != before.get(one.tool):
                await self._servers.save(call.tenant, one)
            if one.state in ("quarantined", "gone") and before.get(one.tool, one).state == "approved":
                log.warning("%s of tenant %s is quarantined: %s; run %s", one.wire_name, call.tenant, one.reason, call.run)
        own = next((one for one in now if one.tool == tool.tool), None)
        reason = "it is not listed any more" if own is None else own.reason
        changed = drift(tool.approved, listed) if tool.approved is not None else "nobody approved it"
        if own is None or own.state != "approved" or changed is not None:
            raise ToolQuarantined(f"{tool.wire_name} was not called: {changed or reason}; it waits for a person")

    async def _access(self, tenant: str, server: McpServer) -> Access:
        """Gather what one session needs: secrets are read now, and never kept.

        Raises:
            ToolFailed: a secret is not set, or the server is not authorized.
        """
        reveal = only_declared(f"the MCP server {server.name}", server.secrets, self._secret)
        headers = {name: await reveal(tenant, secret) for name, secret in server.headers.items()}
        if server.oauth is not None:
            token = await self._authorizer.access_token(tenant, server)
            self._known.add(tenant, token)
            headers["authorization"] = f"{BEARER}{token}"
        return Access(
            server=server,
            sessions=self._sessions,
            profile=self._profiles.get(server.sandbox),
            transport=self._clients.transport(EgressRules(hosts=(server.host,))) if server.host else None,
            headers=headers,
            environment={name: await reveal(tenant, secret) for name, secret in server.environment.items()},
        )


def _told(listed: list[Listed], access: Access) -> list[Listed]:
    """What a server lists, without the secrets it was given for it: models are told of it, and a pin outlives a rotation."""
    redactor = Redactor(access.secrets)
    return [Listed.model_validate(redactor.value(one.model_dump(mode="json"))) for one in listed] if redactor else listed


class _McpTool:
    """One approved tool, for one call of a run."""

    def __init__(self, box: McpToolbox, server: McpServer, tool: McpTool, spec: ToolSpec) -> None:
        self._box = box
        self._server = server
        self._tool = tool
        self._spec = spec

    @property
    def spec(self) -> ToolSpec:
        """What was approved."""
        return self._spec

    async def call(self, call: ToolCall) -> JsonValue:
        """Call it, once its server still lists what was approved."""
        return await self._box.call(call, self._server, self._tool, self._spec)
