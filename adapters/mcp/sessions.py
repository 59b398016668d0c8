"""One session with a server: opened, asked for its tools, called. Imports the SDK, which takes a second: load it late."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol, cast

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, Implementation
from pydantic import JsonValue, ValidationError

from adapters.mcp.access import Access, OriginHeaders
from adapters.mcp.results import COMPLAINT_CHARS_MAX, listed_of, result_of
from adapters.mcp.streams import stdio_streams
from domain.errors import StandfastError, ToolAnswerInvalid, ToolFailed, ToolTimedOut, ToolUnavailable
from domain.mcp import TOOLS_MAX, Listed
from domain.sandbox_sessions import SandboxProcess
from domain.visible_text import visible_lines

OURSELVES = Implementation(name="standfast", version="1")
CONNECT_S = 5.0
MARGIN_S = 5.0
"""How much longer a connection waits than the session, which says what a missing answer means."""
EVENT_BYTES_MAX = 8 * 1024 * 1024
"""Largest event of a stream; results are bounded again, by what the server's registration allows."""


class OnProgress(Protocol):
    """Told how far a call is."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Take it in; `message` is text of the server's choice."""
        ...


class McpSession:
    """An open session; `risky` says that a call that changes the world was begun."""

    def __init__(self, name: str, client: Client, why: Callable[[], str], *, timeout_s: float) -> None:
        self._name = name
        self._client = client
        self._why = why
        self._timeout_s = timeout_s
        self.risky = False

    async def listing(self) -> list[Listed]:
        """Return every tool the server lists now.

        Raises:
            ToolFailed: it lists something that is no tool, or without an end.
            ToolUnavailable: it does not answer.
        """
        found: list[Listed] = []
        cursor: str | None = None
        while True:
            try:
                page = await self._client.list_tools(cursor=cursor, cache_mode="bypass")
            except ValidationError as error:
                raise ToolFailed(f"the MCP server {self._name} answers something that is no list of tools") from error
            except MCPError as error:
                raise self._unavailable(error) from error
            found += [listed_of(tool) for tool in page.tools]
            cursor = page.next_cursor
            if len(found) > TOOLS_MAX:
                raise ToolFailed(f"the MCP server {self._name} lists more than {TOOLS_MAX} tools")
            if cursor is None:
                return found

    async def call(
        self, tool: str, arguments: dict[str, JsonValue], *, changes_world: bool, bytes_max: int, on_progress: OnProgress
    ) -> JsonValue:
        """Call a tool once; cancelling tells the server so.

        Raises:
            ToolFailed: the server says no.
            ToolUnavailable: the connection broke, and the call changes nothing.
            ToolTimedOut: no answer, or the connection broke in a call that changes the world.
            ToolAnswerInvalid: its answer is none, or too large.
        """
        self.risky = changes_world
        try:
            answer = await self._client.call_tool(tool, arguments, self._timeout_s, on_progress)
        except ValidationError as error:
            raise ToolAnswerInvalid(f"the MCP server {self._name} answered something that is no result") from error
        except MCPError as error:
            if error.code == REQUEST_TIMEOUT:
                raise ToolTimedOut(f"the MCP server {self._name} did not answer in time") from error
            if error.code == CONNECTION_CLOSED or self._why():
                broken = f"the connection to the MCP server {self._name} broke in the middle of a call{self._because()}"
                raise (ToolTimedOut if changes_world else ToolUnavailable)(broken) from error
            raise ToolFailed(f"the MCP server {self._name} refused the call: {_told(error.message)}") from error
        except RuntimeError as error:
            # The SDK checks structured content against the listed schema, and refuses questions back to us.
            raise ToolAnswerInvalid(f"the answer of {tool} cannot be used: {_told(str(error))}") from error
        return result_of(tool, answer, bytes_max=bytes_max)

    def _unavailable(self, error: MCPError) -> StandfastError:
        if error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT) or self._why():
            return ToolUnavailable(f"the MCP server {self._name} does not answer{self._because()}")
        return ToolFailed(f"the MCP server {self._name} does not list its tools: {_told(error.message)}")

    def _because(self) -> str:
        why = self._why()
        return f": {_told(why)}" if why else ""


@asynccontextmanager
async def open_session(access: Access, *, timeout_s: float) -> AsyncGenerator[McpSession]:
    """Connect to a server and greet it.

    Raises:
        StandfastError: what the block raises; ToolUnavailable, the server does not answer, or this worker lacks the sandbox;
            ToolFailed, it wants another authorization, or does not speak MCP.
    """
    headers = OriginHeaders(access.server.url or "", access.headers)
    session: McpSession | StandfastError | None = None
    failed: StandfastError | None = None
    # What fails inside is raised outside: a task group of the SDK would wrap it into a group of exceptions, or raise one of its own.
    try:
        async with AsyncExitStack() as stack:
            session = await _opened(stack, access, headers, timeout_s)
            if isinstance(session, StandfastError):
                failed = session
            else:
                try:
                    yield session
                except StandfastError as error:
                    failed = error if headers.refused is None else _unauthorized(access.server.name)
    except BaseExceptionGroup as group:
        failed = failed or _broken(access.server.name, group, session)
    if failed is not None:
        raise failed


def _broken(name: str, group: BaseException, session: McpSession | StandfastError | None) -> StandfastError:
    """Return what a connection that broke by itself means: unknown, if a call that changes the world was under way."""
    first = next((each for each in _leaves(group) if not isinstance(each, BaseExceptionGroup)), group)
    told = f"the connection to the MCP server {name} broke: {_told(str(first)) or type(first).__name__}"
    return ToolTimedOut(told) if isinstance(session, McpSession) and session.risky else ToolUnavailable(told)


async def _opened(stack: AsyncExitStack, access: Access, headers: OriginHeaders, timeout_s: float) -> McpSession | StandfastError:
    """Return the session, or why there is none."""
    name = access.server.name
    try:
        transport, why = await _transport(stack, access, headers, timeout_s)
        client = Client(transport, read_timeout_seconds=timeout_s, client_info=OURSELVES, cache=None, mode="auto")
        return McpSession(name, await stack.enter_async_context(client), why, timeout_s=timeout_s)
    except (MCPError, httpx2.HTTPError, OSError, ValidationError, RuntimeError, BaseExceptionGroup, StandfastError) as error:
        return _refused(name, error, headers.refused)


async def _transport(stack: AsyncExitStack, access: Access, headers: OriginHeaders, timeout_s: float):  # noqa: ANN202 - (transport, why), of the SDK's types
    server = access.server
    if server.transport == "stdio":
        if access.profile is None:
            raise ToolUnavailable(f"the sandbox profile {server.sandbox} of the MCP server {server.name} is not configured here")
        files = {name: text.encode() for name, text in server.files.items()}
        started = access.sessions.started(access.profile, list(server.command), files=files, environment=access.environment)
        process: SandboxProcess = await stack.enter_async_context(started)
        return stdio_streams(process), process.complaint
    http = httpx2.AsyncClient(
        transport=access.transport,
        auth=headers,
        timeout=httpx2.Timeout(timeout_s + MARGIN_S, connect=min(CONNECT_S, timeout_s)),
        follow_redirects=False,
        trust_env=False,
    )
    await stack.enter_async_context(http)
    return streamable_http_client(server.url or "", http_client=http, max_sse_event_size=EVENT_BYTES_MAX), lambda: ""


def _refused(name: str, error: BaseException, refused: int | None) -> StandfastError:
    """Return why no session came about."""
    if refused is not None:
        return _unauthorized(name)
    for each in _leaves(error):
        if isinstance(each, StandfastError):
            return each
    first = _leaves(error)[0]
    return ToolUnavailable(f"the MCP server {name} cannot be reached: {_told(str(first)) or type(first).__name__}")


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for each in group.exceptions for leaf in _leaves(each)]
    cause = error.__cause__
    return [error, *(_leaves(cause) if cause is not None else [])]


def _unauthorized(name: str) -> ToolFailed:
    return ToolFailed(f"the MCP server {name} does not take our authorization: `standfast mcp authorize {name}`, or mend its secret")


def _told(text: str) -> str:
    return visible_lines(text.strip())[:COMPLAINT_CHARS_MAX]
