"""Restate's run of three reads: a service's handler with three `ctx.run`, called over HTTP and waited for.

Arguments: the handler's port, and the URL of the server's ingress. The server is a process of its own that calls this one and writes each
step's result to its log, synced, before the handler goes on.
"""

# pyright: basic, reportMissingImports=false
# The package is not installed beside ours, so its types are not known.

import asyncio
import sys

import restate
import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config

from benchmarks.contenders.turns import take_turns

reads = restate.Service("Reads")


@reads.handler()
async def three_reads(context: restate.Context, number: int) -> int:
    """Read three times."""
    for step in range(3):
        number = await context.run_typed(f"read {step}", read, number=number)
    return number


async def read(number: int) -> int:
    """Return what is there at once."""
    return number


async def main(port: str, ingress: str) -> None:
    """Serve the handler, and turns."""
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "ERROR"
    stop = asyncio.Event()
    server = asyncio.create_task(serve(restate.app([reads]), config, shutdown_trigger=stop.wait))
    async with restate.create_client(ingress) as client:
        await take_turns(lambda: client.service_call(three_reads, arg=1))
    stop.set()
    await server


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
