"""Starts the whole stack, says when it is ready, keeps it running until it is told to stop, and leaves nothing behind."""

import asyncio
import math
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from wiring.dev.child import Child, ChildSpec, PortTakenError
from wiring.dev.config import DevConfig
from wiring.dev.leftovers import clean_leftovers
from wiring.dev.parts import (
    StackPorts,
    choose_ports,
    gateway_spec,
    log_file,
    make_file,
    postgres_spec,
    ready_file,
    remove_traces,
    start_file,
    temporal_spec,
    wait_for_file,
    wait_for_http,
    worker_spec,
)
from wiring.dev.records import STATE_FOLDER_MODE, DevState, forget, supervisor_lock, write_dev_state
from wiring.dev.watch import Watch
from wiring.embedded.port_claims import PortClaims, claims_folder
from wiring.embedded.ports import LOOPBACK
from wiring.embedded.postgres import PostgresServer
from wiring.embedded.temporal_ready import TemporalNotReadyError, wait_for_temporal
from wiring.embedded.temporal_server import ensure_temporal_server

_STARTS_MAX = 3
"""How often Temporal, worker and gateway are started when somebody else takes one of their ports first."""

_LISTENERS = ("temporal", "worker", "gateway")
"""The parts that start again together, see `Stack._start_listeners`."""


@dataclass(frozen=True)
class _Addresses:
    """Where everything of one try is, known before anything of it runs."""

    ports: StackPorts
    temporal: str
    temporal_ui: str | None
    owner_url: str
    application_url: str


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
        self._claims = PortClaims(claims_folder())
        self._server_found = asyncio.Event()
        self._state: DevState | None = None

    async def start(self) -> DevState:
        """Start all parts side by side and write `dev.json` when all are ready; see `run_dev` for the errors."""
        remove_traces(self._config)
        owner_url = self._owner_url()
        async with _first_error() as group:
            database = group.create_task(self._start_database(owner_url))
            listening = group.create_task(self._start_listeners(owner_url, database))
        where = listening.result()
        self._state = DevState(
            gateway_url=where.ports.gateway_url,
            temporal_address=where.temporal,
            temporal_ui_url=where.temporal_ui,
            database_url=where.application_url,
            database_owner_url=where.owner_url,
            api_keys=dict(database.result()),
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
        self._claims.release()
        remove_traces(self._config)
        forget(self._config.state_dir)

    def _write_state(self) -> None:
        """Write `dev.json` with the process ids of now; before everything is ready there is none."""
        if self._state is not None:
            self._state = self._state.model_copy(update={"children": self._watch.pids})
            write_dev_state(self._config.state_dir, self._state)

    def _owner_url(self) -> str:
        config = self._config
        outside = config.database_url and (config.database_owner_url or config.database_url)
        return outside or PostgresServer.at(config.state_dir).owner_url

    def _addresses(self, owner_url: str) -> _Addresses:
        config = self._config
        ports = choose_ports(config, self._claims)
        return _Addresses(
            ports=ports,
            temporal=config.temporal_address or f"{LOOPBACK}:{ports.temporal.frontend}",
            temporal_ui=config.temporal_ui_url if config.temporal_address else f"http://{LOOPBACK}:{ports.temporal.ui}",
            owner_url=owner_url,
            application_url=config.database_url or config.application_url(owner_url),
        )

    async def _start_listeners(self, owner_url: str, database: asyncio.Task[Mapping[str, str]]) -> _Addresses:
        """Start whatever listens on a port, and worker; again on other ports, all of them, when a port is taken before its server has it.

        A port is chosen before its server listens, and the servers choose ports of their own, so somebody else can be faster. Worker and
        gateway know the addresses from their start and hence start again too; the database, on its socket, does not.
        """
        for _ in range(_STARTS_MAX - 1):
            try:
                return await self._try_listeners(owner_url, database)
            except PortTakenError as taken:
                self._config.progress(f"{taken.part} met a port in use ({taken.log} has it); starting again on ports that are free now")
                await self._withdraw_listeners()
        return await self._try_listeners(owner_url, database)

    async def _try_listeners(self, owner_url: str, database: asyncio.Task[Mapping[str, str]]) -> _Addresses:
        where = self._addresses(owner_url)
        environment = self._environment(where)
        async with _first_error() as group:
            group.create_task(self._start_servers(where, database))
            group.create_task(self._start_worker(environment))
            group.create_task(self._start_gateway(environment, where.ports))
        return where

    async def _withdraw_listeners(self) -> None:
        await self._watch.stop(_LISTENERS)
        self._claims.release()
        self._server_found.clear()
        await asyncio.to_thread(remove_traces, self._config)

    async def _start_servers(self, where: _Addresses, database: asyncio.Task[Mapping[str, str]]) -> None:
        """Let worker and gateway use the servers once both answer; the database's start goes on when this try is given up."""
        await self._start_temporal(where)
        await asyncio.shield(database)
        make_file(start_file(self._config))

    async def _start_temporal(self, where: _Addresses) -> None:
        config = self._config
        if config.temporal_address is not None:
            self._server_found.set()
            await wait_for_temporal(where.temporal, limit_seconds=10.0)
            return
        program = await ensure_temporal_server(progress=config.progress, offline=config.offline)
        self._server_found.set()
        child = await self._watch.start(temporal_spec(config, program, where.ports))
        try:
            await wait_for_temporal(
                where.temporal, limit_seconds=config.ready_seconds_max, alive=lambda: child.alive, log=log_file(config, "temporal")
            )
        except TemporalNotReadyError:
            if child.alive:
                raise
            raise child.failure(f"ended with {await child.ended()} before it was ready") from None
        self._watch.keep(child)

    async def _start_database(self, owner_url: str) -> Mapping[str, str]:
        config = self._config
        if config.database_url is None:
            server = await asyncio.to_thread(PostgresServer.prepare, config.state_dir, config.progress)
            self._postgres = server
            child = await self._watch.start(postgres_spec(config, server))
            await server.wait_ready(
                child.pid, limit_seconds=config.ready_seconds_max, alive=lambda: child.alive, log=log_file(config, "postgres")
            )
            self._watch.keep(child)
        return await config.prepare(owner_url)

    async def _start_worker(self, environment: dict[str, str]) -> None:
        child = await self._start_part(worker_spec(self._config, environment))
        await wait_for_file(child, ready_file(self._config, "worker"), self._config.ready_seconds_max)
        self._watch.keep(child)

    async def _start_gateway(self, environment: dict[str, str], ports: StackPorts) -> None:
        child = await self._start_part(gateway_spec(self._config, environment))
        await wait_for_http(child, f"{ports.gateway_url}/readyz", self._config.ready_seconds_max)
        self._watch.keep(child)

    async def _start_part(self, spec: ChildSpec) -> Child:
        """Start worker or gateway, which take seconds to load, and wait until the servers are there for it.

        Not while the Temporal server is still being built, which takes minutes and all of a machine.
        """
        await self._server_found.wait()
        child = await self._watch.start(spec)
        await wait_for_file(child, start_file(self._config), math.inf)
        return child

    def _environment(self, where: _Addresses) -> dict[str, str]:
        """Return the settings of worker and gateway; the caller's own variables win."""
        return {
            "PYTHONUNBUFFERED": "1",
            "TEMPORAL_ADDRESS": where.temporal,
            "DATABASE_URL": where.application_url,
            "STANDFAST_DATABASE_OWNER_URL": where.owner_url,
            "STANDFAST_STATE_DIR": str(self._config.state_dir.resolve()),
            "STANDFAST_GATEWAY_PORT": str(where.ports.gateway),
            "STANDFAST_TEMPORAL_UI_URL": where.temporal_ui or "",
            "STANDFAST_START_FILE": str(start_file(self._config)),
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
