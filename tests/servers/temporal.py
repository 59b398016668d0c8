"""A real Temporal development server for tests, from the same program and arguments as `standfast dev`."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wiring.embedded.port_claims import claimed_ports
from wiring.embedded.temporal_arguments import TemporalPorts, common_server_arguments, temporal_server_arguments
from wiring.embedded.temporal_ready import wait_for_temporal
from wiring.embedded.temporal_server import ensure_temporal_server

READY_SECONDS_MAX = 120
"""A machine that runs other tests beside may take a while; a server that ends is noticed at once."""

DEV_SERVER_EXTRA_ARGS = common_server_arguments()
"""For `WorkflowEnvironment.start_local` and `start_time_skipping_v2`: search attributes and server settings."""


@cache
def dev_server_existing_path() -> str:
    """Return the server program for `dev_server_existing_path`; the first call ever on a machine may build it.

    Works inside a running event loop too, since it waits in a thread of its own.
    """
    with ThreadPoolExecutor(1) as pool:
        return str(pool.submit(lambda: asyncio.run(ensure_temporal_server(progress=print))).result())


@dataclass(frozen=True)
class TemporalDevServer:
    """A running server: where it answers, where its Web UI is, and its process."""

    address: str
    ui_url: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def temporal_dev_server(
    folder: Path, *, database: Path | None = None, codec_endpoint: str | None = None
) -> AsyncGenerator[TemporalDevServer]:
    """Run a server on free ports and stop it at the end.

    Args:
        folder: Where its log goes (`temporal.log`).
        database: The SQLite file; in memory when None.
        codec_endpoint: What the Web UI decodes payloads with.
    """
    log_file = folder / "temporal.log"
    with claimed_ports(3) as (frontend, ui, metrics):
        ports = TemporalPorts(frontend, ui, metrics)
        arguments = temporal_server_arguments(ports=ports, database=database, codec_endpoint=codec_endpoint)
        with log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(dev_server_existing_path(), *arguments, stdout=log, stderr=log)
        try:
            address = f"127.0.0.1:{frontend}"
            await wait_for_temporal(address, limit_seconds=READY_SECONDS_MAX, alive=lambda: process.returncode is None, log=log_file)
            yield TemporalDevServer(address, f"http://127.0.0.1:{ui}", process)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()
