"""What the supervisor is told: folders, ports, outside servers, the two command lines, and how to prepare the database."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wiring.embedded.cache import Progress
from wiring.embedded.temporal_arguments import TemporalPorts

DEFAULT_GATEWAY_PORT = 8080


PrepareDatabase = Callable[[str], Awaitable[Mapping[str, str]]]
"""Migrates and seeds the database at the owner's URL, each time the stack starts, so it must be repeatable.

Returns the secret API keys by the name of their principal, such as `admin` or `approver_2`.
"""


def part_argv(part: str) -> tuple[str, ...]:
    """Return the command line of a part (`worker` or `gateway`) of the installed application."""
    return (sys.executable, "-m", "cli.main", part)


def print_line(line: str) -> None:
    """Write one line to the screen at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class DevConfig:
    """Settings of one development stack.

    Attributes:
        state_dir: Where data, logs and `dev.json` go; made with mode 0700.
        application_url: Makes the URL of the application role, which owns nothing, from the owner's; no server runs yet.
        prepare: Prepares the database before worker and gateway may use it.
        worker_argv: Command line of the worker. It is started beside the servers and uses none before the file named by
            `STANDFAST_START_FILE` is there; it makes the file named by `STANDFAST_READY_FILE` once it polls.
        gateway_argv: Command line of the gateway. It waits like the worker, listens on `STANDFAST_GATEWAY_PORT`, and answers
            `GET /readyz` with 200.
        temporal_address: A Temporal server that already runs; none is started then.
        temporal_ui_url: The Web UI of that server.
        database_url: The application role's URL at a PostgreSQL that already runs; none is started then.
        database_owner_url: The owner's URL there; `database_url` when None.
        gateway_port: Port the gateway should have; another free one is taken when it is in use.
        temporal_ports: The same for Temporal, its Web UI and its metrics.
        environment: Variables for worker and gateway on top of this process's own and the supervisor's.
        offline: Download nothing (`STANDFAST_OFFLINE`).
        progress: Receives lines for the screen.
        ready_seconds_max: How long each server may take from its start until it answers, and worker and gateway from then on.
    """

    state_dir: Path
    application_url: Callable[[str], str]
    prepare: PrepareDatabase
    worker_argv: tuple[str, ...] = part_argv("worker")
    gateway_argv: tuple[str, ...] = part_argv("gateway")
    temporal_address: str | None = None
    temporal_ui_url: str | None = None
    database_url: str | None = None
    database_owner_url: str | None = None
    gateway_port: int = DEFAULT_GATEWAY_PORT
    temporal_ports: TemporalPorts = field(default_factory=TemporalPorts)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    offline: bool = False
    progress: Progress = print_line
    ready_seconds_max: float = 60.0
