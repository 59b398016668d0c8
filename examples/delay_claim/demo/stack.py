"""The development stack under the demo: used when it runs already, started when not, and its worker killed on purpose."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from examples.delay_claim.demo.model import DemoModel
from wiring.dev.background import detach_dev, dev_status, stop_dev
from wiring.dev.records import DevState, read_dev_state

Progress = Callable[[str], None]
_RESTART_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.05


class StackFailedError(Exception):
    """The stack is not what the demo needs; the text says what to do."""


@dataclass(frozen=True)
class DemoStack:
    """A running stack; `own` says that this demo started it."""

    state_dir: Path
    state: DevState
    own: bool

    def run_url(self, run: str) -> str:
        """Return the page of a run in Temporal's Web UI."""
        return f"{self.state.temporal_ui_url or 'http://localhost:8233'}/namespaces/default/workflows/{run}"

    def kill_worker(self) -> int:
        """Kill the worker as a crash would (SIGKILL) and return its process id."""
        pid = self._worker()
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_new_worker(self, dead: int) -> int:
        """Wait until the supervisor has started another worker and return its process id.

        Raises:
            StackFailedError: there was none in time.
        """
        deadline = time.monotonic() + _RESTART_SECONDS_MAX
        while time.monotonic() < deadline:
            pid = self._worker()
            if pid != dead:
                return pid
            time.sleep(_POLL_SECONDS)
        raise StackFailedError(f"no worker runs {_RESTART_SECONDS_MAX:.0f} s after the kill; see {self.state_dir / 'logs'}")

    def _worker(self) -> int:
        state = read_dev_state(self.state_dir)
        if state is None:
            raise StackFailedError(f"the stack of {self.state_dir} has stopped; see {self.state_dir / 'logs' / 'supervisor.log'}")
        return state.children["worker"]


def open_stack(state_dir: Path, model: DemoModel, progress: Progress) -> DemoStack:
    """Return the stack of a state folder, started in the background when none runs.

    Raises:
        StackFailedError: a stack is being started there by someone else.
        ChildFailedError: it does not start.
    """
    found = dev_status(state_dir)
    if found.running and found.state is not None:
        progress(f"uses the stack that already runs on {state_dir}")
        return DemoStack(state_dir, found.state, own=False)
    if found.running:
        raise StackFailedError(f"a stack is just being started on {state_dir}; try again when it is ready")
    settings = [f"{name}={value}" for name, value in model.environment.items()]
    argv = ("env", *settings, sys.executable, "-m", "cli.main", "dev", "--background", "--state-dir", str(state_dir))
    return DemoStack(state_dir, detach_dev(state_dir, argv, progress), own=True)


def close_stack(state_dir: Path, progress: Progress) -> None:
    """Stop the stack of a state folder."""
    stop_dev(state_dir, progress)
