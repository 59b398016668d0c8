"""The four parts of the stack as specs, and how each one shows that it is ready."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2

from wiring.dev.child import Child, ChildSpec
from wiring.dev.config import DevConfig
from wiring.embedded.port_claims import PortClaims
from wiring.embedded.ports import LOOPBACK
from wiring.embedded.postgres import STOP_SIGNAL, PostgresServer
from wiring.embedded.temporal_arguments import TemporalPorts, temporal_database_file, temporal_server_arguments

_POLL_SECONDS = 0.03
_PROBE_SECONDS_MAX = 5.0
_OK = 200


@dataclass(frozen=True)
class StackPorts:
    """The ports this start of the stack uses."""

    gateway: int
    temporal: TemporalPorts

    @property
    def gateway_url(self) -> str:
        """Base URL of the REST API."""
        return f"http://{LOOPBACK}:{self.gateway}"


def choose_ports(config: DevConfig, claims: PortClaims) -> StackPorts:
    """Take the wanted ports where they are free and others where they are not; `claims` keeps other stacks from them."""
    gateway = claims.choose(config.gateway_port)
    wanted = config.temporal_ports
    temporal = TemporalPorts(*(claims.choose(port) for port in (wanted.frontend, wanted.ui, wanted.metrics)))
    return StackPorts(gateway, temporal)


def log_file(config: DevConfig, name: str) -> Path:
    """Return the log of a part."""
    return config.state_dir / "logs" / f"{name}.log"


def temporal_spec(config: DevConfig, program: Path, ports: StackPorts) -> ChildSpec:
    """Describe the Temporal server; its Web UI decodes payloads through the gateway."""
    arguments = temporal_server_arguments(
        ports=ports.temporal,
        database=temporal_database_file(config.state_dir.resolve()),
        codec_endpoint=f"http://localhost:{ports.gateway}/codec",
    )
    return ChildSpec(name="temporal", argv=(str(program), *arguments), log=log_file(config, "temporal"))


def postgres_spec(config: DevConfig, server: PostgresServer) -> ChildSpec:
    """Describe PostgreSQL; before each start, leftovers of a killed server are cleared."""
    return ChildSpec(
        name="postgres",
        argv=tuple(server.argv),
        log=log_file(config, "postgres"),
        stop_signal=STOP_SIGNAL,
        before_start=lambda: server.stop_leftover(config.progress),
    )


def ready_file(config: DevConfig, name: str) -> Path:
    """Return the file a part makes when it is ready."""
    return config.state_dir.resolve() / "ready" / name


def start_file(config: DevConfig) -> Path:
    """Return the file that lets worker and gateway use the servers."""
    return ready_file(config, "servers")


def worker_spec(config: DevConfig, environment: dict[str, str]) -> ChildSpec:
    """Describe the worker."""
    ready = ready_file(config, "worker")
    return ChildSpec(
        name="worker",
        argv=config.worker_argv,
        log=log_file(config, "worker"),
        environment={**environment, "STANDFAST_READY_FILE": str(ready)},
        before_start=lambda: _clear(ready),
    )


def gateway_spec(config: DevConfig, environment: dict[str, str]) -> ChildSpec:
    """Describe the gateway."""
    return ChildSpec(name="gateway", argv=config.gateway_argv, log=log_file(config, "gateway"), environment=environment)


def make_file(path: Path) -> None:
    """Make an empty file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def remove_traces(config: DevConfig) -> None:
    """Remove the files that only mean something while the stack runs."""
    shutil.rmtree(config.state_dir / "ready", ignore_errors=True)


async def wait_for_file(child: Child, path: Path, limit_seconds: float) -> None:
    """Wait until the part has made its ready file.

    Raises:
        ChildFailedError: When the part ended or the time is up.
    """
    await _wait(child, lambda: asyncio.to_thread(path.exists), limit_seconds)


async def wait_for_http(child: Child, url: str, limit_seconds: float) -> None:
    """Wait until `GET url` answers 200.

    Raises:
        ChildFailedError: When the part ended or the time is up.
    """
    async with httpx2.AsyncClient(timeout=_PROBE_SECONDS_MAX, trust_env=False) as client:

        async def answers() -> bool:
            try:
                return (await client.get(url)).status_code == _OK
            except httpx2.HTTPError:
                return False

        await _wait(child, answers, limit_seconds)


async def _wait(child: Child, condition: Callable[[], Awaitable[bool]], limit_seconds: float) -> None:
    start = time.monotonic()
    while not await condition():
        if not child.alive:
            raise child.failure(f"ended with {await child.ended()} before it was ready")
        if time.monotonic() - start >= limit_seconds:
            raise child.failure(f"was not ready within {limit_seconds:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)


def _clear(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
