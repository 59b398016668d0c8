"""Weighing and killing a tree of processes through /proc; Linux only."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

STOP_S = 0.2
"""How long a process may take to stand still; it is a matter of microseconds, unless the machine is very busy."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
"""proc(5): utime, stime, cutime and cstime count in these."""


class TreeUsage(NamedTuple):
    """What a process and all below it use now: memory of their own in bytes, cpu in seconds, and how many they are."""

    memory_bytes: int
    cpu_s: float
    processes: int


def kill_group(group: int) -> None:
    """Kill a process group that this process started, and all below its leader; one that is gone already is fine.

    bwrap's first process inside asks to die with its parent, and leads a session of its own. Killed before it has asked, the parent
    would leave it behind, unwatched: so the leader is stopped first, and whatever it has started by then dies with it.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.kill(group, signal.SIGSTOP)
        ends_s = time.monotonic() + STOP_S
        while not _stopped(group) and time.monotonic() < ends_s:
            time.sleep(0.0005)
    for pid in _below(group):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _stopped(pid: int) -> bool:
    """Whether a process stands still, or is no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state in "TtZX"


def _below(root: int) -> list[int]:
    """Return every process below `root`."""
    found, waiting = list[int](), _children(root)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += _children(pid)
    return found


def tree_usage(root: int) -> TreeUsage:
    """Weigh the tree below `root`, itself included; a process that ends meanwhile weighs nothing.

    Memory is resident less file-backed pages, so that programs and libraries that many processes share are not counted.
    """
    memory_bytes, ticks, seen = 0, 0, 0
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            resident, shared = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1:3]
            waiting += _children(pid)
        except (OSError, IndexError):
            continue
        seen += 1
        ticks += sum(int(field) for field in fields[11:15])
        memory_bytes += (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")
    return TreeUsage(memory_bytes, ticks / TICKS_PER_S, seen)


class InnerFiles:
    """Judges how many files a sandbox made in its memory file systems, which have no limit of their own on that.

    It looks through the eyes of the sandbox's first process; where this user may not, the sandbox's time is the only limit.
    """

    def __init__(self, pid: int, places: tuple[str, ...], most: int) -> None:
        self._pid = pid
        self._places = places
        self._most = most

    def broken(self) -> Literal["output"] | None:
        """Return "output" once there are too many."""
        for child in _children(self._pid):
            for place in self._places:
                with suppress(OSError):
                    # Until the sandbox is made, its first process still sees the host.
                    if os.path.samestat(os.stat(f"/proc/{child}/root"), os.stat("/")):  # noqa: PTH116 - `Path.stat` would resolve it
                        continue
                    seen = os.statvfs(f"/proc/{child}/root{place}")
                    if seen.f_files - seen.f_ffree > self._most:
                        return "output"
        return None


def _children(pid: int) -> list[int]:
    """Return the children of all threads of `pid`."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in listing.read_text(encoding="ascii").split()]
    return found
