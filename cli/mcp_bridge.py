"""`mcp serve`: an MCP server on standard input and output whose calls go through the Python client. Imports the SDK; load it late."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import cast

from mcp.server.stdio import stdio_server
from pydantic import BaseModel, JsonValue

from api.mcp.speaking import build_server
from standfast_client import AsyncStandfast, StandfastError, WaitTimedOutError
from standfast_client.settings import Connection

Arguments = dict[str, JsonValue]


def serve(connection: Connection) -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve(connection))


async def _serve(connection: Connection) -> None:
    async with AsyncStandfast(connection.url, connection.key) as client:

        async def do(tool: str, arguments: Arguments) -> tuple[bool, str, Arguments]:
            return await answered(client, tool, arguments)

        server = build_server(do)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


async def answered(client: AsyncStandfast, tool: str, arguments: Arguments) -> tuple[bool, str, Arguments]:
    """Do a checked call; return whether it went well, and what came of it as text and value."""
    try:
        told = await CALLS[tool](client, arguments)
    except StandfastError as error:
        problem: Arguments = {"error": str(error)}
        return False, json.dumps(problem), problem
    return True, json.dumps(told, ensure_ascii=False), told


async def _start(client: AsyncStandfast, arguments: Arguments) -> Arguments:
    handle = await client.runs.start(
        str(arguments["definition"]),
        arguments.get("input", {}),
        config=cast("Arguments | None", arguments.get("config")),
        idempotency_key=str(arguments["idempotency_key"]),
    )
    return {"run": handle.id}


async def _status(client: AsyncStandfast, arguments: Arguments) -> Arguments:
    return _plain(await client.runs.get(str(arguments["run"])))


async def _result(client: AsyncStandfast, arguments: Arguments) -> Arguments:
    run = str(arguments["run"])
    try:
        result = await client.runs.handle(run).result(cast("float", arguments.get("wait_s", 0)))
    except WaitTimedOutError:
        return {"run": run, "status": (await client.runs.get(run)).status}
    return {"run": run, "status": "succeeded", "result": result}


async def _approvals(client: AsyncStandfast, arguments: Arguments) -> Arguments:
    found = await client.approvals.list(
        state="open", run=cast("str | None", arguments.get("run")), limit=cast("int", arguments.get("limit", 50))
    )
    return {"items": [_plain(each) for each in found]}


def _plain(value: BaseModel) -> Arguments:
    return value.model_dump(mode="json")


CALLS: dict[str, Callable[[AsyncStandfast, Arguments], Awaitable[Arguments]]] = {
    "start_run": _start,
    "run_status": _status,
    "run_result": _result,
    "list_approvals": _approvals,
}
"""What each of `domain.mcp_served.SERVED` is to the client."""
