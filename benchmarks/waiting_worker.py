"""A worker in a process of its own, for measurements of its memory: `python -m benchmarks.waiting_worker FOLDER DATABASE TEMPORAL CACHED`.

It writes the file `ready` into the folder once it polls, and ends with SIGTERM.
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from adapters.codec.cipher import TenantCipher
from adapters.outbound.clients import GuardedClients
from adapters.postgres.pool import Database
from adapters.sandboxes.select import SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.registry import ToolRegistry
from benchmarks.asking import TimedTool
from benchmarks.platform import no_secret
from wiring.keys import InstallationKeys
from wiring.models import build_models
from wiring.prices import build_prices
from wiring.processes import leave
from wiring.settings import ModelSettings
from wiring.storage import build_storage
from wiring.temporal import connect
from wiring.tools import Toolbox
from wiring.worker import WorkerParts, build_worker


async def run(folder: Path, database_url: str, temporal: str, cached: int) -> None:
    """Poll until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    keys, models = InstallationKeys(folder / "master.key"), ModelSettings()
    cipher = TenantCipher(keys.master)
    declared = DeclaredHttpTools(resolve_secret=no_secret, outbound=GuardedClients())
    async with Database(database_url) as database:
        link = await connect(temporal, namespace="default", cipher=cipher)
        parts = WorkerParts(
            client=link.client,
            storage=build_storage(database, cipher),
            keys=keys,
            toolbox=Toolbox(ToolRegistry([TimedTool()]), declared, SandboxRouter.with_all_backends()),
            provider=build_models(models, GuardedClients()),
            prices=build_prices(models),
            cached_runs_max=cached,
        )
        async with build_worker(parts):
            (folder / "ready").touch()
            await stop.wait()


def main() -> None:
    """Run until SIGTERM, and end the process."""
    folder, database_url, temporal, cached = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(Path(folder), database_url, temporal, int(cached)))
    leave(0)


if __name__ == "__main__":
    main()
