"""The whole development stack as a child process: real Temporal, PostgreSQL, worker and gateway, for end-to-end and fault tests.

`python -m tests.servers.stack FOLDER [WORKER]` runs it in the foreground, with another worker's module if one is named; `live_stack` starts
and stops that.
"""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from wiring.dev.background import stop_dev
from wiring.dev.supervisor import run_dev
from wiring.dev_stack import dev_config
from wiring.embedded.ports import free_ports

ROOT = Path(__file__).parents[2]
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60

Json = dict[str, Any]  # Any: tests index into answers whose shape they are there to check


@dataclass
class LiveStack:
    """A running stack; `dev` is its dev.json as it was when it got ready."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    dev: Json

    @property
    def pids(self) -> dict[str, int]:
        """The parts' process ids as they are now."""
        return json.loads((self.folder / "dev.json").read_text(encoding="utf-8"))["children"]

    def kill(self, part: str) -> int:
        """Kill a part with SIGKILL and return the pid it had; the supervisor starts it again."""
        pid = self.pids[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    def api(self, role: str) -> httpx2.Client:
        """Return an HTTP client with a role's key."""
        return httpx2.Client(
            base_url=self.dev["gateway_url"], headers={"Authorization": f"Bearer {self.dev['api_keys'][role]}"}, timeout=90, trust_env=False
        )

    def log(self, part: str) -> str:
        """Return a part's log."""
        return (self.folder / "logs" / f"{part}.log").read_text(encoding="utf-8")


@contextmanager
def live_stack(folder: Path, *, environment: Mapping[str, str] | None = None, worker: str | None = None) -> Generator[LiveStack]:
    """Start a stack in `folder`, with another `worker` if one's module is named, wait until it is ready, and stop it at the end.

    Raises:
        AssertionError: it did not get ready; the message has its last words.
    """
    (port,) = free_ports(1)
    given = {"STANDFAST_GATEWAY_PORT": str(port), "STANDFAST_ENVIRONMENT": "test", "STANDFAST_SWEEP_SECONDS": "0.5", **(environment or {})}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.stack", str(folder), *([worker] if worker else [])],
            cwd=ROOT,
            env={**os.environ, **given},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield LiveStack(folder, process, _ready(folder, process))
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            stop_dev(folder, print)


def _ready(folder: Path, process: "subprocess.Popen[bytes]") -> Json:
    end = time.monotonic() + READY_SECONDS_MAX
    place = folder / "dev.json"
    while time.monotonic() < end:
        if place.exists():
            return json.loads(place.read_text(encoding="utf-8"))
        if process.poll() is not None:
            break
        time.sleep(0.05)
    said = (folder.parent / f"{folder.name}.log").read_text(encoding="utf-8")
    raise AssertionError(f"the stack did not get ready: {said[-3000:]}")


def main() -> None:
    """Run the stack in the folder of the first argument until a signal comes."""
    config = dev_config(Path(sys.argv[1]), environment={"STANDFAST_LOG_FORMAT": "json"})
    if len(sys.argv) > 2:
        config = dataclasses.replace(config, worker_argv=(sys.executable, "-m", sys.argv[2]))
    asyncio.run(run_dev(config))


if __name__ == "__main__":
    main()
