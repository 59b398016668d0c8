"""Runs the command line: in this process, or as a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app
from tests.clients.live_gateway import LiveGateway

ROOT = Path(__file__).parents[2]
PLACES = ("STANDFAST_URL", "STANDFAST_API_KEY", "STANDFAST_ROLE", "STANDFAST_STATE_DIR")
NOWHERE = ("DATABASE_URL", "STANDFAST_DATABASE_OWNER_URL", "TEMPORAL_ADDRESS", *PLACES)


@dataclass(frozen=True)
class CommandLine:
    """`standfast` beside a stack whose `dev.json` lies in `state_dir`."""

    live: LiveGateway
    state_dir: Path

    def __call__(self, *arguments: str, given: str | None = None) -> Result:
        """Run a command in this process."""
        environment: dict[str, str | None] = dict.fromkeys(PLACES)
        return CliRunner().invoke(app, ["--state-dir", str(self.state_dir), *arguments], input=given, env=environment)


def in_process(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process in a folder, without any setting but those given."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOWHERE}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "clients" / "python" / "src")))
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": paths, "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        stdin=subprocess.DEVNULL,
    )
