"""`POST /mcp`: Standfast as an MCP server. Every call becomes a request of this gateway, with the caller's own key and permissions."""

import asyncio
import json
from importlib import import_module
from typing import TYPE_CHECKING, cast

import httpx2
from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import JsonValue
from starlette.types import Message

from api.context import Context, RequestContext, written_by
from api.deps import GatewayDeps
from domain.errors import Forbidden
from domain.mcp_served import asked

if TYPE_CHECKING:
    from api.mcp import speaking

INSIDE = "http://gateway.internal"
"""The base of requests that never leave this process."""


class McpRoutes:
    """The MCP endpoint."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._origins = deps.codec_origins
        self._app: FastAPI | None = None

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        self._app = app
        app.router.add_api_route("/mcp", self.speak_mcp, methods=["POST"], include_in_schema=False)

    async def speak_mcp(self, request: Request, context: Context) -> Response:
        """Answer one MCP message (streamable HTTP, without sessions and streams).

        Raises:
            Forbidden: a web page of another origin sent it (DNS rebinding).
        """
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise Forbidden("this endpoint is not for web pages of other origins")
        module = cast("speaking", await asyncio.to_thread(import_module, "api.mcp.speaking"))
        answer = _Answer()

        async def do(tool: str, arguments: dict[str, JsonValue]) -> tuple[bool, str, dict[str, JsonValue]]:
            return await self._asked(tool, arguments, request, context)

        await module.exchange(do, request.scope, request.receive, answer.take)
        return answer.response()

    async def _asked(
        self, tool: str, arguments: dict[str, JsonValue], request: Request, context: RequestContext
    ) -> tuple[bool, str, dict[str, JsonValue]]:
        """Send the call's request to this gateway, as the caller would; a model wrote it more often than the caller did."""
        wanted = asked(tool, arguments)
        headers = {"authorization": request.headers["authorization"], "x-correlation-id": context.correlation_id}
        if wanted.key is not None:
            headers["idempotency-key"] = wanted.key
        transport = httpx2.ASGITransport(app=written_by("mcp", cast("FastAPI", self._app)))
        async with httpx2.AsyncClient(transport=transport, base_url=INSIDE, trust_env=False, timeout=None) as inside:
            answer = await inside.request(wanted.method, wanted.path, json=wanted.body, headers=headers)
        told = cast("dict[str, JsonValue]", json.loads(answer.content or b"{}"))
        return answer.status_code < 400, json.dumps(told, ensure_ascii=False), told


class _Answer:
    """Collects what an ASGI app sends, as one response."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    async def take(self, message: Message) -> None:
        """Take one message in."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def response(self) -> Response:
        """Return what was sent."""
        response = Response(bytes(self._body), status_code=self._status)
        response.raw_headers = [*self._headers] or response.raw_headers
        return response
