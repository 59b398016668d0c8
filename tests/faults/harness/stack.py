"""The stack under test: PostgreSQL, Temporal with a durable store, gateway and workers as processes of ours, and bank and mail beside it.

Nothing restarts by itself: what a scenario kills, it starts again. Bank and mail are never killed (PROOF H1).
"""

import asyncio
import random
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.examples.running_service import ServiceProcess
from tests.faults.harness.client import Client
from tests.faults.harness.processes import Part
from tests.faults.planted.registry import environment_of, module_of, plant_sql
from tests.servers.temporal import dev_server_existing_path
from wiring.dev_stack import PreparedDatabase, prepare_database
from wiring.embedded.port_claims import claimed_ports
from wiring.embedded.postgres import STOP_SIGNAL, PostgresServer
from wiring.embedded.postgres_programs import PostgresUnavailableError
from wiring.embedded.temporal_arguments import TemporalPorts, temporal_server_arguments
from wiring.embedded.temporal_ready import wait_for_temporal

TENANT = "default"
POSTGRES_TRIES = 50


@dataclass
class FaultStack:
    """The running parts. `addresses` has `gateway`, `temporal` and `database` (the superuser's URL)."""

    folder: Path
    postgres: Part
    temporal: Part
    gateway: Part
    workers: list[Part]
    bank: ServiceProcess
    mail: ServiceProcess
    addresses: Mapping[str, str]
    prepared: PreparedDatabase
    postgres_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def client(self, role: str = "operator", *, url: str | None = None) -> Client:
        """Return a client with a role's key; `url` is another way to the gateway."""
        return Client(url or self.addresses["gateway"], self.prepared.api_keys[role], self.folder / "requests.jsonl")

    async def kill_a_worker(self, chance: random.Random) -> bool:
        """Kill one of the workers; its successor starts while the others go on. False when one of them did not poll.

        Where a start takes longer than the pause between kills, killing the last one that polls would leave no worker most of the time:
        a server that has lost nine tasks of a run in a row gives the tenth minutes, and nothing is then in time.
        """
        return all(worker.ready for worker in self.workers) and await chance.choice(self.workers).kill()

    async def start_postgres(self) -> None:
        """Start PostgreSQL unless it runs, again while children of a killed one still hold its memory.

        Raises:
            RuntimeError: it does not get ready.
        """
        async with self.postgres_lock:
            for _ in range(POSTGRES_TRIES):
                if self.postgres.ready:
                    return
                try:
                    await self.postgres.start()
                except PostgresUnavailableError:
                    await asyncio.sleep(0.2)
            if not self.postgres.ready:
                raise RuntimeError(f"PostgreSQL does not get ready: {self.postgres.last_words()}")

    @asynccontextmanager
    async def kept(self, *parts: Part) -> AsyncGenerator[None]:
        """Start each part again as soon as it is gone, whoever ended it, as long as the block lasts."""

        async def again(part: Part) -> None:
            while True:
                if part.process is not None:
                    await part.process.wait()
                    part.ready = False
                with suppress(RuntimeError):  # it was killed while it started, or what it needs is down: again
                    await part.start()

        keeping = [asyncio.create_task(again(part)) for part in parts]
        try:
            yield
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)

    def arm(self, service: ServiceProcess, *, route: str, mode: str, claim: str, count: int) -> None:
        """Make a service fail for one claim; blocks for a moment."""
        service.caller.arm(route=route, mode=mode, count=count, match={"claim_id": claim})


@asynccontextmanager
async def fault_stack(
    folder: Path, *, plant: str | None = None, workers: int = 2, environment: Mapping[str, str] | None = None, points: bool = False
) -> AsyncGenerator[FaultStack]:
    """Start everything in an empty folder; stop it at the end.

    Args:
        folder: For state, logs and evidence.
        plant: A bug to plant (`planted/registry.py`).
        workers: How many worker processes.
        environment: Variables for workers and gateway.
        points: Run workers with the fault points of the harness around the writes of facts too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        bank, mail = [await asyncio.to_thread(ServiceProcess, name, folder / f"{name}.sqlite") for name in ("bank", "mail")]
        for service in (bank, mail):
            stack.callback(service.stop)
        gateway_port, frontend, ui, metrics = stack.enter_context(claimed_ports(4))
        temporal = await _temporal(folder, TemporalPorts(frontend, ui, metrics), stack)
        postgres, server = await _postgres(folder, stack)
        prepared = await prepare_database(server.owner_url, state=folder, tenant=TENANT)
        await asyncio.to_thread(plant_sql, plant, server.owner_url)
        shared = {
            "TEMPORAL_ADDRESS": f"127.0.0.1:{frontend}",
            "DATABASE_URL": prepared.database_url,
            "STANDFAST_STATE_DIR": str(folder.resolve()),
            "STANDFAST_GATEWAY_PORT": str(gateway_port),
            "STANDFAST_ENVIRONMENT": "test",
            "STANDFAST_LOG_FORMAT": "json",
            "STANDFAST_SWEEP_SECONDS": "0.5",
            **environment_of(plant),
            **(environment or {}),
        }
        addresses = {"gateway": f"http://127.0.0.1:{gateway_port}", "temporal": shared["TEMPORAL_ADDRESS"], "database": server.owner_url}
        gateway = Part(
            "gateway", (sys.executable, "-m", module_of("gateway", plant), "gateway"), folder, _answers(addresses["gateway"]), shared
        )
        module = "tests.faults.harness.worker" if points else module_of("worker", plant)
        parts = [_worker(folder, number, module, shared) for number in range(workers)]
        for part in (*parts, gateway):
            stack.push_async_callback(part.stop)
        await asyncio.gather(gateway.start(), *(worker.start() for worker in parts))
        yield FaultStack(folder, postgres, temporal, gateway, parts, bank, mail, addresses, prepared)


def _worker(folder: Path, number: int, module: str, shared: Mapping[str, str]) -> Part:
    ready = folder / f"worker-{number}.ready"

    async def polls(_: Part) -> bool:
        return ready.exists()

    def forget() -> None:
        ready.unlink(missing_ok=True)

    environment = {**shared, "STANDFAST_READY_FILE": str(ready)}
    return Part(f"worker-{number}", (sys.executable, "-m", module, "worker"), folder, polls, environment, forget)


async def _temporal(folder: Path, ports: TemporalPorts, stack: AsyncExitStack) -> Part:
    (folder / "temporal").mkdir(exist_ok=True)
    arguments = temporal_server_arguments(ports=ports, database=folder / "temporal" / "temporal.db")

    async def answers(part: Part) -> bool:
        await wait_for_temporal(f"127.0.0.1:{ports.frontend}", limit_seconds=60, alive=lambda: part.pid != 0, log=part.log)
        return True

    part = Part("temporal", (dev_server_existing_path(), *arguments), folder, answers)
    stack.push_async_callback(part.stop)
    await part.start()
    return part


async def _postgres(folder: Path, stack: AsyncExitStack) -> tuple[Part, PostgresServer]:
    """Commits reach the disk, as in production."""
    server = await asyncio.to_thread(PostgresServer.prepare, folder, _quiet)

    async def accepts(part: Part) -> bool:
        await server.wait_ready(part.pid, limit_seconds=60, alive=lambda: part.pid != 0, log=part.log)
        return True

    part = Part("postgres", tuple(server.argv), folder, accepts, before_start=lambda: server.stop_leftover(_quiet), stop_signal=STOP_SIGNAL)
    stack.callback(server.clean_up)
    stack.push_async_callback(part.stop)
    await part.start()
    return part, server


def _quiet(line: str) -> None:
    """The scenario's own report says enough."""
    del line


def _answers(url: str) -> Callable[[Part], Awaitable[bool]]:
    port = int(url.rpartition(":")[2])

    async def answers(_: Part) -> bool:
        """Ask by hand: making an HTTP client costs more than the question, and it is asked fifty times a second."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
            line = await reader.readline()
            writer.close()
        except OSError:
            return False
        return b" 200 " in line

    return answers
