"""The MCP side of our server. Imports the SDK, which takes a second: the first caller loads it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import JsonValue
from starlette.types import Receive, Scope, Send

from domain.errors import InvalidInput
from domain.mcp_served import INSTRUCTIONS, SERVED, checked_call

Answer = tuple[bool, str, dict[str, JsonValue]]
"""Whether it went well, the answer as JSON text, and the answer."""

Do = Callable[[str, dict[str, JsonValue]], Awaitable[Answer]]
"""Does a checked call in the caller's name."""

Context = Any  # Any: the SDK's context is generic over what we do not use


def served_tools() -> list[Tool]:
    """Return our tools in MCP's shape."""
    return [
        Tool(
            name=tool.name,
            description=tool.description,
            input_schema=tool.input_schema,
            annotations=ToolAnnotations(read_only_hint=tool.reads, destructive_hint=False, idempotent_hint=True, open_world_hint=False),
        )
        for tool in SERVED
    ]


def build_server(do: Do) -> Server[dict[str, Any]]:  # Any: the SDK's own lifespan, which is empty
    """Return a server whose calls `do` makes."""

    async def on_list_tools(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=served_tools())

    async def on_call_tool(_context: Context, params: CallToolRequestParams) -> CallToolResult:
        arguments = cast("dict[str, JsonValue]", params.arguments or {})
        try:
            checked_call(params.name, arguments)
        except InvalidInput as error:
            return CallToolResult(content=[TextContent(type="text", text=error.detail)], is_error=True)
        well, text, answer = await do(params.name, arguments)
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=answer, is_error=not well)

    return Server("standfast", version="1", instructions=INSTRUCTIONS, on_list_tools=on_list_tools, on_call_tool=on_call_tool)


async def exchange(do: Do, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer one HTTP request. There are no sessions: each request stands alone with its own key, so none can be guessed or kept."""
    manager = StreamableHTTPSessionManager(build_server(do), json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(cast("Scope", scope), receive, send)
