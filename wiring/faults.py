"""Fault points: in the environment `test` a worker ends itself, as `kill -9` would, at the points a file names; else inert."""

import os
import signal
from pathlib import Path

from activities.journal_calls import FaultPoint, no_fault
from wiring.settings import FaultSettings, PlatformSettings


def fault_point(platform: PlatformSettings, settings: FaultSettings) -> FaultPoint:
    """Return the worker's fault point."""
    if platform.environment != "test" or settings.file is None:
        return no_fault
    return FaultFile(settings.file)


class FaultFile:
    """A file of lines `point step call`; each fires once: the line is taken out, and moved to `<file>.fired`, before the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, point: str, step: str, call: str) -> None:
        """End the process if the file names this place."""
        if not self._path.exists():
            return
        wanted = f"{point} {step} {call}"
        lines = self._path.read_text(encoding="utf-8").splitlines()
        if wanted not in lines:
            return
        lines.remove(wanted)
        self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        with Path(f"{self._path}.fired").open("a", encoding="utf-8") as fired:
            fired.write(f"{wanted}\n")
            fired.flush()
            os.fsync(fired.fileno())
        os.kill(os.getpid(), signal.SIGKILL)
