"""Limits by cgroup v2, where the machine gives the worker a group it may divide: exact memory, processes and cpu for a whole tree.

Without one, bubblewrap's limits are rlimits and a watch; `standfast doctor` says which of the two holds.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from adapters.sandboxes.watched import Ended
from domain.sandbox import SandboxProfile

NEEDED = frozenset({"memory", "pids"})
"""Controllers that the group must hand on to its children; `cpu` is used too where it is there."""
PERIOD_US = 100_000
"""cgroup v2, cpu.max: the kernel's default period."""
PREFIX = "standfast-sandbox-"


def own_group(proc: Path = Path("/proc/self")) -> Path | None:
    """Return the folder of this process's cgroup v2, or None."""
    try:
        path = next(line[3:] for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines() if line.startswith("0::"))
        mounts = (proc / "mountinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, StopIteration):
        return None
    mounted = next((line.split()[4] for line in mounts if " - cgroup2 " in line), None)
    return None if mounted is None else Path(mounted) / path.lstrip("/")


def refusal(group: Path) -> str | None:
    """Return why no sandboxes can be limited under this group, or None."""
    try:
        handed_on = set((group / "cgroup.subtree_control").read_text(encoding="ascii").split())
    except OSError as error:
        return f"{group} is no cgroup v2 folder ({error.strerror})"
    if not handed_on >= NEEDED:
        lacking = " ".join(f"+{name}" for name in sorted(NEEDED - handed_on))
        return f"{group} hands no {', '.join(sorted(NEEDED - handed_on))} on: write `{lacking}` to its cgroup.subtree_control"
    if not os.access(group, os.W_OK | os.X_OK):
        return f"{group} is not writable for this user"
    return None


class SandboxGroup:
    """One sandbox's own group below `parent`; remove it when the sandbox is gone."""

    def __init__(self, parent: Path, profile: SandboxProfile) -> None:
        self._folder = parent / f"{PREFIX}{secrets.token_hex(8)}"
        self._folder.mkdir()
        try:
            self._write("memory.max", str(profile.memory_bytes))
            self._write("pids.max", str(profile.pids))
            with suppress(OSError):  # kernels without swap accounting, and groups without the cpu controller
                self._write("memory.swap.max", "0")
            with suppress(OSError):
                self._write("cpu.max", f"{round(profile.cpus * PERIOD_US)} {PERIOD_US}")
        except OSError:
            self.remove()
            raise

    def add(self, pid: int) -> None:
        """Move a process in; what it starts later is in as well."""
        self._write("cgroup.procs", str(pid))

    def broken(self) -> Ended | None:
        """Return "memory" once the kernel killed for it, else None."""
        with suppress(OSError):
            for line in (self._folder / "memory.events").read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill" and count.strip() != "0":
                    return "memory"
        return None

    def kill(self) -> None:
        """Kill all in it at once (Linux 5.14 and later; before, the process group's kill does it)."""
        with suppress(OSError):
            self._write("cgroup.kill", "1")

    def remove(self) -> None:
        """Remove the group; the kernel lets it go once it is empty."""
        with suppress(OSError):
            self._folder.rmdir()

    def _write(self, name: str, value: str) -> None:
        """Write one of the kernel's files."""
        with (self._folder / name).open("w", encoding="ascii") as file:
            file.write(value)
