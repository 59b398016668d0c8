"""Tells whether a recorded process id still means the same process, so that no stranger is ever killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_POLL_SECONDS = 0.02
_PS = "/bin/ps"


def process_identity(pid: int) -> str | None:
    """Return a text that no later process with this id can have (its start time), or None when no such process runs.

    A process that has ended and only waits to be collected counts as not running.
    """
    return _identity_from_proc(pid) if sys.platform == "linux" else _identity_from_ps(pid)


def _identity_from_proc(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The name in brackets may hold anything, so fields are counted from its end: state is the 3rd, start time the 22nd.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def _identity_from_ps(pid: int) -> str | None:
    done = subprocess.run([_PS, "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return None if done.returncode != 0 or state.startswith("Z") else started.strip()


def command_line(pid: int) -> str:
    """Return the arguments of a running process joined by spaces, or an empty text when they cannot be read."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run([_PS, "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def stop_process(pid: int, identity: str, first: signal.Signals, *, patience_seconds: float) -> None:
    """Stop a process that is not our child, with all of its group when it leads one; kill what does not listen.

    Args:
        pid: The process.
        identity: What `process_identity` said of it earlier; another answer now means it is already gone.
        first: The signal that asks it to stop.
        patience_seconds: How long it may take before SIGKILL.
    """
    if process_identity(pid) != identity:
        return
    leads = _leads_group(pid)
    _send(pid, first, group=False)
    deadline = time.monotonic() + patience_seconds
    while process_identity(pid) == identity and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if leads or process_identity(pid) == identity:
        _send(pid, signal.SIGKILL, group=leads)
    while process_identity(pid) == identity:
        time.sleep(_POLL_SECONDS)


def _leads_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _send(pid: int, number: signal.Signals, *, group: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
