"""The demo as a person starts it: a process with a state folder of its own, on a terminal or without one."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.examples.running_service import ROOT

DEMO_SECONDS_MAX = 150
"""Far above the 60 s of the goal: tests share the machine."""
_LEFT_OUT = frozenset(
    {"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "STANDFAST_COMPATIBLE_BASE_URL", "STANDFAST_DEMO_MODEL", "DATABASE_URL", "TEMPORAL_ADDRESS"}
)
"""Settings under which the demo would do something else."""

_INTERRUPTIBLE = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""A shell without job control starts what it puts into the background with SIGINT ignored, which children inherit."""


class DemoPlace:
    """A state folder, and the commands of this repository in it."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        settings = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        self._environment = {**settings, "STANDFAST_STATE_DIR": str(state_dir), "COLUMNS": "200"}

    def demo(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the demo without a terminal."""
        return self._run([sys.executable, "-m", "examples.delay_claim.demo", *words])

    def command(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a command line from the screen, in the environment these tests run in."""
        program, *words = line.split()
        assert program == ".venv/bin/standfast", line
        return self._run([str(Path(sys.executable).with_name("standfast")), *words])

    def begin(self) -> "subprocess.Popen[str]":
        """Start the demo without a terminal and return at once; it can be interrupted, however these tests were started."""
        argv = [sys.executable, "-c", _INTERRUPTIBLE, sys.executable, "-m", "examples.delay_claim.demo"]
        return subprocess.Popen(
            argv, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def demo_on_terminal(self, answers: list[str], *words: str) -> tuple[int, str]:
        """Run the demo on a terminal, typing one answer per question; return its exit code and the screen."""
        master, slave = pty.openpty()
        argv = [sys.executable, "-m", "examples.delay_claim.demo", *words]
        process = subprocess.Popen(argv, cwd=ROOT, env=self._environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        try:
            screen = _type_answers(master, list(answers))
            return process.wait(DEMO_SECONDS_MAX), screen
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def _run(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEMO_SECONDS_MAX,
            check=False,
        )


def _type_answers(master: int, answers: list[str]) -> str:
    """Read the terminal until it is closed, answering each `[y/n]` once."""
    screen, answered = b"", 0
    deadline = time.monotonic() + DEMO_SECONDS_MAX
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 1.0)[0]:
            continue
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux: the last process on the terminal has ended
            break
        if not part:
            break
        screen += part
        if screen.count(b"[y/n] ") > answered:
            os.write(master, f"{answers[answered]}\n".encode())
            answered += 1
    return screen.decode(errors="replace").replace("\r\n", "\n")
