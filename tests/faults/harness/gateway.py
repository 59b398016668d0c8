"""The gateway with a planted bug: what derives run ids from Idempotency-Keys is made anew at each start of the process.

python -m tests.faults.harness.gateway gateway
"""

import asyncio
import dataclasses
import os
import signal

import uvicorn

from api.app import create_app
from api.main import gateway_deps, listening_socket
from wiring.gateway import gateway_parts
from wiring.logs import set_up_logs
from wiring.processes import leave, run_loop


async def _serve() -> None:
    async with gateway_parts() as parts:
        deps = dataclasses.replace(gateway_deps(parts), run_id_key=os.urandom(32))
        config = uvicorn.Config(create_app(deps), log_config=None, access_log=False, timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening_socket(parts.gateway.host, parts.gateway.port)]))
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        server.should_exit = True
        await serving


if __name__ == "__main__":
    set_up_logs(style="json", level="INFO")
    run_loop(_serve)
    leave(0)
