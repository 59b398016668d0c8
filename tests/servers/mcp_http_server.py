"""An MCP server on the real SDK over streamable HTTP, whose tools a test changes while it runs; with a bearer token where one is asked."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Context = Any  # Any: the SDK's context is generic over what we do not use


@dataclass
class McpHttpServer:
    """What it lists, what it was asked, and how it answers."""

    tools: list[Tool]
    url: str = ""
    calls: list[CallToolRequestParams] = field(default_factory=list[CallToolRequestParams])
    seen: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    token: str | None = None
    challenge: str = ""
    answer: Callable[[CallToolRequestParams, Context], Awaitable[CallToolResult]] | None = None
    before_call: Callable[[], None] = lambda: None
    metadata: Any = None  # Any: an ASGI app that answers under /.well-known
    began: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_list_tools(self, _context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        """List what the test says."""
        return ListToolsResult(tools=list(self.tools))

    async def on_call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        """Answer as the test says, else `done`."""
        self.calls.append(params)
        self.began.set()
        try:
            if self.answer is not None:
                return await self.answer(params, context)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return CallToolResult(content=[TextContent(type="text", text="done")])


class _App:
    """The ASGI app: one path, behind a token where one is wanted."""

    def __init__(self, house: McpHttpServer, manager: StreamableHTTPSessionManager) -> None:
        self._house = house
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"].startswith("/.well-known/") and self._house.metadata is not None:
            await self._house.metadata(scope, receive, send)
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self._house.seen.append(headers)
        if self._house.token is not None and headers.get("authorization") != f"Bearer {self._house.token}":
            await Response(status_code=401, headers={"www-authenticate": self._house.challenge or "Bearer"})(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)


@asynccontextmanager
async def serving_mcp(*tools: Tool) -> AsyncGenerator[McpHttpServer]:
    """Serve on a loopback port."""
    house = McpHttpServer(list(tools))
    server = Server("house", on_list_tools=house.on_list_tools, on_call_tool=house.on_call_tool)
    manager = StreamableHTTPSessionManager(server)
    async with manager.run(), serving_asgi(_App(house, manager)) as origin:
        house.url = f"{origin}/mcp"
        yield house


@asynccontextmanager
async def serving_asgi(app: Any) -> AsyncGenerator[str]:  # noqa: ANN401  # Any: an ASGI app of any shape
    """Serve an app on a loopback port and yield its origin."""
    listening = asyncio.Event()
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = _Server(config, listening)
    task = asyncio.create_task(server.serve())
    try:
        await listening.wait()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


class _Server(uvicorn.Server):
    """Says when it listens; signals stay with pytest."""

    def __init__(self, config: uvicorn.Config, listening: asyncio.Event) -> None:
        super().__init__(config)
        self._listening = listening

    def install_signal_handlers(self) -> None:
        """Leave signals alone."""

    async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401  # Any: passed on as it is
        """Listen, then say so."""
        await super().startup(sockets)
        self._listening.set()
