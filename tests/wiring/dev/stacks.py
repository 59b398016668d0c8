"""Stacks of stand-in parts: a gateway and a worker that only show they run, and no servers unless a test asks for them."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.servers.programs import GATEWAY, WORKER, python_argv
from wiring.dev.config import DevConfig
from wiring.dev.records import DevState, ProcessRecords, read_dev_state, read_processes
from wiring.dev.supervisor import run_until
from wiring.embedded.ports import free_ports
from wiring.embedded.temporal_arguments import TemporalPorts

API_KEYS = {"admin": "key-admin", "approver_2": "key-approver-2"}
LIMIT_SECONDS = 120.0
"""Only a part that hangs meets it: a machine that runs other tests beside may take a while for anything."""
_POLL_SECONDS = 0.01


def application_url(owner_url: str) -> str:
    """Return the owner's URL with another role, which nobody makes."""
    return owner_url.replace("//postgres@", "//app@")


async def prepare(owner_url: str) -> Mapping[str, str]:
    """Prepare nothing."""
    del owner_url
    return API_KEYS


def dev_config(state_dir: Path) -> DevConfig:
    """Return a config with stand-in parts on free ports and a real Temporal server and PostgreSQL."""
    frontend, ui, metrics, gateway = free_ports(4)
    return DevConfig(
        state_dir=state_dir,
        application_url=application_url,
        prepare=prepare,
        worker_argv=python_argv(WORKER),
        gateway_argv=python_argv(GATEWAY),
        gateway_port=gateway,
        temporal_ports=TemporalPorts(frontend, ui, metrics),
        ready_seconds_max=LIMIT_SECONDS,
    )


@dataclass
class RunningStack:
    """A stack that runs in the test's own event loop."""

    config: DevConfig
    state: DevState
    stop: asyncio.Event
    lines: list[str] = field(default_factory=list[str])

    def on_disk(self) -> DevState:
        """Read `dev.json`."""
        state = read_dev_state(self.config.state_dir)
        assert state is not None, "dev.json is written once everything is ready"
        return state

    def seen_by_worker(self) -> dict[str, str | None]:
        """Return the settings the worker wrote down."""
        return json.loads((self.config.state_dir / "seen.json").read_text(encoding="utf-8"))


@asynccontextmanager
async def running_stack(config: DevConfig) -> AsyncGenerator[RunningStack]:
    """Run a stack until the block ends."""
    lines: list[str] = []
    ready: asyncio.Future[DevState] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(run_until(replace(config, progress=lines.append), stop, on_ready=ready.set_result))
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield RunningStack(config, ready.result(), stop, lines)
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: Naming `what` when it does not come true.
    """
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not condition():
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"waited {LIMIT_SECONDS:.0f} s in vain for: {what}") from None


def recorded(state_dir: Path) -> ProcessRecords:
    """Return the recorded processes, which must exist."""
    records = read_processes(state_dir)
    assert records is not None, "processes are recorded as soon as they run"
    return records


def supervisor_argv(state_dir: Path) -> list[str]:
    """Return the command line of a supervisor process for a stack with stand-in parts."""
    return [sys.executable, "-m", "tests.wiring.dev.supervise", str(state_dir)]
