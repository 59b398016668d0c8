"""MCP's stdio transport over a program in a sandbox: one JSON-RPC message a line, both ways. Imports the SDK; load it late."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from domain.errors import ToolFailed
from domain.sandbox_sessions import SandboxProcess

LINE_BYTES_MAX = 8 * 1024 * 1024
"""Longest message of a server: a line without an end must not fill the worker's memory."""


@asynccontextmanager
async def stdio_streams(process: SandboxProcess) -> AsyncGenerator[TransportStreams]:
    """Yield the two streams that a client is made of; they end with the program."""
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with to_client:
                async for line in _lines(process):
                    await to_client.send(_message(line))

    async def write() -> None:
        async with from_client:
            async for message in from_client:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.write(text.encode() + b"\n")

    async with AsyncExitStack() as stack:
        for stream in (to_client, from_server, to_server, from_client):
            stack.push_async_callback(stream.aclose)
        tasks = [asyncio.create_task(read()), asyncio.create_task(write())]
        try:
            yield from_server, to_server
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _lines(process: SandboxProcess) -> AsyncGenerator[bytes]:
    """Yield whole lines.

    Raises:
        ToolFailed: one is longer than LINE_BYTES_MAX.
    """
    buffer = bytearray()
    while chunk := await process.read():
        buffer += chunk
        while (end := buffer.find(b"\n")) >= 0:
            yield bytes(buffer[:end])
            del buffer[: end + 1]
        if len(buffer) > LINE_BYTES_MAX:
            raise ToolFailed(f"the MCP server wrote a message of more than {LINE_BYTES_MAX} bytes")


def _message(line: bytes) -> SessionMessage | Exception:
    """Return a message, or what is wrong with it, which the session reports."""
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error
