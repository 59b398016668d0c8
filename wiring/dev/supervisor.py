"""Starts the whole stack, says when it is ready, keeps it running until it is told to stop, and leaves nothing behind."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from wiring.dev.config import DevConfig, PreparedDatabase
from wiring.dev.leftovers import clean_leftovers
from wiring.dev.parts import (
    StackPorts,
    choose_ports,
    gateway_spec,
    postgres_spec,
    ready_file,
    remove_traces,
    temporal_spec,
    wait_for_file,
    wait_for_http,
    worker_spec,
)
from wiring.dev.records import STATE_FOLDER_MODE, DevState, forget, supervisor_lock, write_dev_state
from wiring.dev.watch import Watch
from wiring.embedded.postgres import PostgresServer
from wiring.embedded.temporal_ready import wait_for_temporal
from wiring.embedded.temporal_server import ensure_temporal_server


@dataclass(frozen=True)
class _Database:
    owner_url: str
    prepared: PreparedDatabase


async def run_dev(config: DevConfig, *, on_ready: Callable[[DevState], None] | None = None) -> None:
    """Run the stack until SIGINT or SIGTERM, then stop it within 10 seconds.

    Args:
        config: What to run.
        on_ready: Called once with the content of `dev.json` when everything is ready.

    Raises:
        AlreadyRunningError: When another stack uses the state folder.
        ChildFailedError: When a part ends or stays silent while the stack starts.
        TemporalServerUnavailableError: When there is no Temporal server and none can be had.
        TemporalNotReadyError: When Temporal does not answer.
        TemporalTooOldError: When the server at `temporal_address` is too old.
        PostgresUnavailableError: When the embedded PostgreSQL cannot run.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await run_until(config, stop, on_ready=on_ready)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def run_until(config: DevConfig, stop: asyncio.Event, *, on_ready: Callable[[DevState], None] | None = None) -> None:
    """Run the stack until the event is set; see `run_dev` for the errors."""
    async with _stack(config) as stack:
        starting = asyncio.create_task(stack.start())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            state = await starting
            if on_ready is not None:
                on_ready(state)
            await stopping
            config.progress("stopping")
        finally:
            starting.cancel()
            stopping.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)


@asynccontextmanager
async def _stack(config: DevConfig) -> AsyncGenerator["Stack"]:
    """Hold the state folder and whatever is started in it."""
    config.state_dir.mkdir(parents=True, exist_ok=True)
    config.state_dir.chmod(STATE_FOLDER_MODE)
    (config.state_dir / "logs").mkdir(exist_ok=True)
    with supervisor_lock(config.state_dir):
        await asyncio.to_thread(clean_leftovers, config.state_dir, config.progress)
        stack = Stack(config)
        try:
            yield stack
        finally:
            await asyncio.shield(stack.stop())


class Stack:
    """The parts of one stack, from their start to their stop."""

    def __init__(self, config: DevConfig) -> None:
        """Start nothing yet."""
        self._config = config
        self._watch = Watch(config.state_dir, config.progress, on_change=self._write_state)
        self._postgres: PostgresServer | None = None
        self._state: DevState | None = None

    async def start(self) -> DevState:
        """Start all parts, the servers side by side, and write `dev.json` when all are ready; see `run_dev` for the errors."""
        ports = choose_ports(self._config)
        async with _first_error() as group:
            temporal = group.create_task(self._start_temporal(ports))
            database = group.create_task(self._start_database())
        address, ui_url = temporal.result()
        environment = self._environment(ports, temporal.result(), database.result())
        async with _first_error() as group:
            group.create_task(self._start_worker(environment))
            group.create_task(self._start_gateway(environment, ports))
        self._state = DevState(
            gateway_url=ports.gateway_url,
            temporal_address=address,
            temporal_ui_url=ui_url,
            database_url=database.result().prepared.database_url,
            database_owner_url=database.result().owner_url,
            api_keys=dict(database.result().prepared.api_keys),
            supervisor_pid=os.getpid(),
            children=self._watch.pids,
        )
        self._write_state()
        return self._state

    async def stop(self) -> None:
        """Stop all parts and remove what only means something while they run."""
        await self._watch.stop()
        if self._postgres is not None:
            self._postgres.clean_up()
        remove_traces(self._config)
        forget(self._config.state_dir)

    def _write_state(self) -> None:
        """Write `dev.json` with the process ids of now; before everything is ready there is none."""
        if self._state is not None:
            self._state = self._state.model_copy(update={"children": self._watch.pids})
            write_dev_state(self._config.state_dir, self._state)

    async def _start_temporal(self, ports: StackPorts) -> tuple[str, str | None]:
        """Return the address and the URL of the Web UI."""
        config = self._config
        if config.temporal_address is not None:
            await wait_for_temporal(config.temporal_address, limit_seconds=10.0)
            return config.temporal_address, config.temporal_ui_url
        program = await ensure_temporal_server(progress=config.progress, offline=config.offline)
        child = await self._watch.start(temporal_spec(config, program, ports))
        address = f"127.0.0.1:{ports.temporal.frontend}"
        await wait_for_temporal(address, limit_seconds=config.ready_seconds_max, alive=lambda: child.alive)
        self._watch.keep(child)
        return address, f"http://127.0.0.1:{ports.temporal.ui}"

    async def _start_database(self) -> _Database:
        config = self._config
        if config.database_url is not None:
            owner_url = config.database_owner_url or config.database_url
            prepared = await config.prepare(owner_url)
            return _Database(owner_url, PreparedDatabase(config.database_url, prepared.api_keys))
        server = await asyncio.to_thread(PostgresServer.prepare, config.state_dir, config.progress)
        self._postgres = server
        child = await self._watch.start(postgres_spec(config, server))
        await server.wait_ready(child.pid, limit_seconds=config.ready_seconds_max, alive=lambda: child.alive)
        self._watch.keep(child)
        return _Database(server.owner_url, await config.prepare(server.owner_url))

    async def _start_worker(self, environment: dict[str, str]) -> None:
        child = await self._watch.start(worker_spec(self._config, environment))
        await wait_for_file(child, ready_file(self._config, "worker"), self._config.ready_seconds_max)
        self._watch.keep(child)

    async def _start_gateway(self, environment: dict[str, str], ports: StackPorts) -> None:
        child = await self._watch.start(gateway_spec(self._config, environment))
        await wait_for_http(child, f"{ports.gateway_url}/readyz", self._config.ready_seconds_max)
        self._watch.keep(child)

    def _environment(self, ports: StackPorts, temporal: tuple[str, str | None], database: _Database) -> dict[str, str]:
        """Return the settings of worker and gateway; the caller's own variables win."""
        address, ui_url = temporal
        return {
            "PYTHONUNBUFFERED": "1",
            "TEMPORAL_ADDRESS": address,
            "DATABASE_URL": database.prepared.database_url,
            "STANDFAST_DATABASE_OWNER_URL": database.owner_url,
            "STANDFAST_STATE_DIR": str(self._config.state_dir.resolve()),
            "STANDFAST_GATEWAY_PORT": str(ports.gateway),
            "STANDFAST_TEMPORAL_UI_URL": ui_url or "",
            **self._config.environment,
        }


@asynccontextmanager
async def _first_error() -> AsyncGenerator[asyncio.TaskGroup]:
    """Run tasks side by side; when one fails the others are cancelled and its own error is raised, not a group of errors."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
