"""`/v1/mcp-servers`: MCP servers of a tenant, what they list, and what a person approves of it."""

from enum import Enum

from fastapi import FastAPI

from api.changes import tell
from api.context import Context
from api.deps import GatewayDeps, instant
from api.mcp_views import (
    ApprovalBody,
    AuthorizationAnswer,
    AuthorizationBegun,
    AuthorizationBody,
    QuarantineBody,
    ServerDetail,
    ServerInPath,
    ServerRemoved,
    ServerView,
    ToolView,
    server_detail,
    server_view,
    tool_view,
)
from domain.errors import BadRequest, Conflict, InvalidInput, NotFound, StandfastError, StepFailed, Unavailable
from domain.mcp import Approval, McpServerDraft, McpTool, approved, quarantined, seen
from domain.stores import Page
from domain.subscriptions import checked_url

ONE = "/v1/mcp-servers/{server_name}"


class McpServerRoutes:
    """MCP servers over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._mcp = deps.mcp

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["mcp"]
        add = app.router.add_api_route
        add("/v1/mcp-servers", self.register_mcp_server, methods=["POST"], tags=tags, status_code=201)
        add("/v1/mcp-servers", self.list_mcp_servers, methods=["GET"], tags=tags)
        add(ONE, self.get_mcp_server, methods=["GET"], tags=tags)
        add(ONE, self.remove_mcp_server, methods=["DELETE"], tags=tags)
        add(f"{ONE}/check", self.check_mcp_server, methods=["POST"], tags=tags)
        add(f"{ONE}/approvals", self.approve_mcp_tool, methods=["POST"], tags=tags)
        add(f"{ONE}/quarantines", self.quarantine_mcp_tool, methods=["POST"], tags=tags)
        add(f"{ONE}/authorization", self.begin_mcp_authorization, methods=["POST"], tags=tags)
        add(f"{ONE}/authorization/answer", self.complete_mcp_authorization, methods=["POST"], tags=tags)

    async def register_mcp_server(self, body: McpServerDraft, context: Context) -> ServerView:
        """Register a server, or register it anew under its name: its approved tools then wait for a person again.

        Nothing of it can be called before a person approved it, tool by tool.

        Raises:
            InvalidInput: its URL cannot be used. Conflict: there are too many.
        """
        principal = context.principal
        if body.url is not None:
            checked_url(body.url, allow_private=self._deps.webhooks.allow_private)
        server = await self._mcp.servers.put(principal.tenant, body, by=principal.id)
        tell(context, f"registered as revision {server.revision}", f"MCP server {server.name}")
        context.kept = True
        return server_view(server)

    async def list_mcp_servers(self, context: Context) -> Page[ServerView]:
        """List servers, by name."""
        found = await self._mcp.servers.all(context.principal.tenant)
        return Page[ServerView](items=tuple(server_view(server) for server in found))

    async def get_mcp_server(self, server_name: ServerInPath, context: Context) -> ServerDetail:
        """Show a server with its tools, as they were listed last and as they were approved."""
        return await self._detail(context.principal.tenant, server_name)

    async def remove_mcp_server(self, server_name: ServerInPath, context: Context) -> ServerRemoved:
        """Take a server away, with its tools and tokens; calls of runs under way fail."""
        await self._mcp.servers.remove(context.principal.tenant, server_name)
        tell(context, "removed", f"MCP server {server_name}")
        context.kept = True
        return ServerRemoved(name=server_name)

    async def check_mcp_server(self, server_name: ServerInPath, context: Context) -> ServerDetail:
        """Ask a server for its tools now. An approved tool that is another one is quarantined.

        Raises:
            Unavailable: it does not answer. Conflict: it answers something that cannot be taken.
        """
        tenant = context.principal.tenant
        server = await self._mcp.servers.get(tenant, server_name)
        known = await self._mcp.servers.tools(tenant, server_name)
        try:
            listed = await self._mcp.connections.listing(tenant, server)
            now = seen(known, server_name, listed, at=instant(self._deps.now()))
        except (StepFailed, InvalidInput) as error:
            await self._mcp.servers.note(tenant, server_name, problem=error.detail[:500])
            told = _told(error)
            raise told from error
        for tool in now:
            if tool not in known:
                await self._mcp.servers.save(tenant, tool)
        await self._mcp.servers.note(tenant, server_name, problem=None)
        context.kept = True
        return await self._detail(tenant, server_name)

    async def approve_mcp_tool(self, server_name: ServerInPath, body: ApprovalBody, context: Context) -> ToolView:
        """Allow a tool exactly as you read it: its pin is a digest of name, description and schemas. It also lifts a quarantine.

        Raises:
            InvalidInput: it is another one by now, or holds characters that a screen hides.
        """
        principal = context.principal
        tool = await self._tool(principal.tenant, server_name, body.tool)
        given = Approval.model_validate(body.model_dump(exclude={"tool"}))
        allowed = approved(tool, given, by=principal.id, at=instant(self._deps.now()))
        await self._mcp.servers.approve(principal.tenant, allowed)
        tell(context, f"approved as {given.effect_class.value}", tool.wire_name)
        context.kept = True
        return tool_view(allowed)

    async def quarantine_mcp_tool(self, server_name: ServerInPath, body: QuarantineBody, context: Context) -> ToolView:
        """Hold a tool back from its next call on, until it is approved anew.

        Raises:
            Conflict: nobody approved it.
        """
        tenant = context.principal.tenant
        tool = await self._tool(tenant, server_name, body.tool)
        if tool.approved is None:
            raise Conflict(f"nobody approved {tool.wire_name}: it cannot be called as it is")
        await self._mcp.servers.save(tenant, quarantined(tool, body.reason, at=instant(self._deps.now())))
        tell(context, "quarantined", tool.wire_name)
        context.kept = True
        return tool_view(await self._tool(tenant, server_name, body.tool))

    async def begin_mcp_authorization(self, server_name: ServerInPath, body: AuthorizationBody, context: Context) -> AuthorizationBegun:
        """Begin to authorize a server by OAuth: open the page, and bring back what comes to the redirect URI; it counts once, for you.

        Raises:
            InvalidInput: the server needs none, or the redirect URI is none.
            Unavailable, Conflict: the server or its issuer cannot be used.
        """
        principal = context.principal
        server = await self._mcp.servers.get(principal.tenant, server_name)
        try:
            url = await self._mcp.authorizations.begin(principal.tenant, principal.id, server, body.redirect_uri)
        except StepFailed as error:
            told = _told(error)
            raise told from error
        return AuthorizationBegun(url=url)

    async def complete_mcp_authorization(self, server_name: ServerInPath, body: AuthorizationAnswer, context: Context) -> ServerView:
        """Bring back what the authorization server answered; its tokens are kept sealed and sent to this server alone.

        Raises:
            InvalidInput: the state is none that you began, or was used. Unavailable, Conflict: the issuer refuses.
        """
        principal = context.principal
        server = await self._mcp.servers.get(principal.tenant, server_name)
        try:
            await self._mcp.authorizations.complete(principal.tenant, principal.id, server, code=body.code, state=body.state, iss=body.iss)
        except StepFailed as error:
            told = _told(error)
            raise told from error
        tell(context, "authorized", f"MCP server {server_name}")
        context.kept = True
        return server_view(await self._mcp.servers.get(principal.tenant, server_name))

    async def _detail(self, tenant: str, name: str) -> ServerDetail:
        return server_detail(await self._mcp.servers.get(tenant, name), await self._mcp.servers.tools(tenant, name))

    async def _tool(self, tenant: str, server: str, name: str) -> McpTool:
        await self._mcp.servers.get(tenant, server)
        found = next((tool for tool in await self._mcp.servers.tools(tenant, server) if tool.wire_name == name), None)
        if found is None:
            raise NotFound(f"the MCP server {server} has no tool {name[:100]}: `standfast mcp check {server}` asks it")
        return found


def _told(error: StandfastError) -> StandfastError:
    """Return a step's failure as an answer of the gateway."""
    if error.retryable:
        return Unavailable(error.detail, retry_after_s=5)
    return error if isinstance(error, InvalidInput | BadRequest) else Conflict(error.detail)
