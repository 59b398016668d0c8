"""The whole platform in one process, put together as production does it, on the scenario's clock: Temporal and PostgreSQL are real.

What differs from a deployment: the gateway's `now` is the scenario's clock, and its Temporal client starts runs on that clock.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
import uvicorn
from temporalio.client import Client

from adapters.postgres.migrate import migrate
from api.app import create_app
from api.deps import GatewayDeps
from api.main import gateway_deps
from api.sweeper import Sweeper
from api.temporal import TemporalRuns
from tests.end_to_end.three_days.clock import TimeMachine, WorldClock
from tests.end_to_end.three_days.database_clock import follow_the_scenario, set_ahead
from tests.end_to_end.three_days.people import People, staff
from tests.end_to_end.three_days.sinks import Receiver, web_server
from tests.examples.running_service import ServiceProcess
from tests.servers.postgres import embedded_postgres
from tests.servers.smtp_server import SmtpSink, smtp_server
from tests.servers.temporal import temporal_dev_server
from wiring.embedded.ports import free_ports
from wiring.gateway import GatewayParts, gateway_parts
from wiring.settings import WorkerSettings
from wiring.worker import run_worker

STARTS_WITHIN_S = 60


@dataclass(frozen=True, kw_only=True)
class House:
    """What runs. `time` moves it, `bank` is a process of its own that shares no code with the platform."""

    parts: GatewayParts
    deps: GatewayDeps
    client: Client
    url: str
    time: TimeMachine
    people: People
    bank: ServiceProcess
    mails: SmtpSink
    web: Receiver
    owner_url: str

    @property
    def tenant(self) -> str:
        """The tenant of the scenario."""
        return self.parts.platform.tenant

    async def go_to(self, instant: datetime) -> None:
        """Let time pass: for gateway, database and runs."""
        set_ahead(self.owner_url, self.time.clock.ahead_at(instant))
        await self.time.go_to(instant, self.client)


class _Server(uvicorn.Server):
    """Leaves signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def open_house(folder: Path, *, begins: datetime) -> AsyncGenerator[House]:
    """Start everything at a time of the scenario, and stop it at the end."""
    async with AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(temporal_dev_server(folder))
        postgres = stack.enter_context(embedded_postgres())
        app_url = migrate(postgres.owner_url, app_password="app-password").app_url
        assert app_url is not None
        clock = WorldClock(begins)
        follow_the_scenario(postgres.owner_url, clock.ahead)
        bank, mails, web = _world(stack, folder)
        (port,) = free_ports(1)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        given = {
            "STANDFAST_ENVIRONMENT": "test",
            "STANDFAST_STATE_DIR": str(folder / "state"),
            "STANDFAST_READY_FILE": str(folder / "state" / "worker.ready"),
            "DATABASE_URL": app_url,
            "TEMPORAL_ADDRESS": temporal.address,
            "STANDFAST_GATEWAY_PORT": str(port),
            "STANDFAST_SMTP_HOST": "127.0.0.1",
            "STANDFAST_SMTP_PORT": str(mails.port),
            "STANDFAST_SMTP_SECURITY": "none",
            "STANDFAST_MAIL_FROM": "standfast@claims.example",
            "STANDFAST_WEBHOOK_PRIVATE": "true",
            "STANDFAST_RELAY_SECONDS": "0.1",
            "STANDFAST_SEAL_SECONDS": "0.5",
        }
        for name, value in given.items():
            patch.setenv(name, value)
        await stack.enter_async_context(_working())
        parts = await stack.enter_async_context(gateway_parts())
        machine = TimeMachine(clock)
        deps, client = _on_the_clock(parts, machine)
        url = await stack.enter_async_context(_serving(deps, port))
        people = People(url, staff(), await stack.enter_async_context(AsyncExitStack()))
        await people.enrol(parts.storage.keys, parts.platform.tenant, parts.keys.pepper)
        yield House(
            parts=parts,
            deps=deps,
            client=client,
            url=url,
            time=machine,
            people=people,
            bank=bank,
            mails=mails,
            web=web,
            owner_url=postgres.owner_url,
        )


def _world(stack: AsyncExitStack, folder: Path) -> tuple[ServiceProcess, SmtpSink, Receiver]:
    """Open what is outside: a bank in a process of its own, a mail server, a web server."""
    bank = ServiceProcess("bank", folder / "bank.sqlite")
    stack.callback(bank.stop)
    return bank, stack.enter_context(smtp_server(SmtpSink())), stack.enter_context(web_server())


def _on_the_clock(parts: GatewayParts, machine: TimeMachine) -> tuple[GatewayDeps, Client]:
    """Return the gateway's ports on the scenario's clock, and the client that starts runs on it."""
    plain = parts.link.client
    client = Client(plain.service_client, namespace=plain.namespace, data_converter=plain.data_converter, interceptors=[machine])
    return replace(gateway_deps(parts), now=machine.clock.now, temporal=TemporalRuns(client, parts.link.tenants.bind)), client


@asynccontextmanager
async def _working() -> AsyncGenerator[None]:
    """Run a worker of this process until the block ends."""
    stop, ready = asyncio.Event(), WorkerSettings().ready_file
    assert ready is not None
    worker = asyncio.create_task(run_worker(stop))
    async with asyncio.timeout(STARTS_WITHIN_S):
        while not ready.exists():
            assert not worker.done(), worker.result()
            await asyncio.sleep(0.02)  # the pause between two looks; the file decides
    try:
        yield
    finally:
        stop.set()
        await worker


@asynccontextmanager
async def _serving(deps: GatewayDeps, port: int) -> AsyncGenerator[str]:
    """Serve the gateway on a loopback port, with its sweeper, and return its address."""
    listening = socket.create_server(("127.0.0.1", port))
    server = _Server(uvicorn.Config(create_app(deps), log_config=None, access_log=False, timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    sweeping = asyncio.create_task(Sweeper(deps, pause_s=0.5).run())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        sweeping.cancel()
        server.should_exit = True
        await asyncio.gather(sweeping, serving, return_exceptions=True)
