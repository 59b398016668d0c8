"""A stack that runs behind the terminal: start it, stop it, ask about it, wipe it."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wiring.dev.child import ChildFailedError, describe_exit
from wiring.dev.leftovers import clean_leftovers
from wiring.dev.records import (
    STATE_FOLDER_MODE,
    AlreadyRunningError,
    DevState,
    is_running,
    lock_holder,
    read_dev_state,
    read_processes,
    supervisor_lock,
)
from wiring.embedded.cache import Progress
from wiring.embedded.log_tail import end_of_log
from wiring.embedded.processes import process_identity, stop_process

_POLL_SECONDS = 0.05
STOP_SECONDS_MAX = 12.0
"""What a supervisor that is told to stop may take: its own 10 s and a little."""

_WIPED_FOLDERS = ("temporal", "postgres", "objects", "logs", "ready")


@dataclass(frozen=True)
class DevStatus:
    """What is known of the stack of a state folder.

    Attributes:
        running: Whether its supervisor runs.
        state: The content of `dev.json`; None until everything is ready.
        parts: Whether each recorded part runs, by name.
    """

    running: bool
    state: DevState | None
    parts: dict[str, bool]


def dev_status(state_dir: Path) -> DevStatus:
    """Look at the stack of a state folder without touching it."""
    records = read_processes(state_dir)
    recorded = records.children if records else {}
    parts = {name: process_identity(found.pid) == found.identity for name, found in recorded.items()}
    running = is_running(state_dir)
    return DevStatus(running, read_dev_state(state_dir) if running else None, parts)


def detach_dev(state_dir: Path, argv: Sequence[str], progress: Progress, *, ready_seconds_max: float = 900.0) -> DevState:
    """Start a supervisor in a session of its own and wait until its stack is ready.

    Args:
        state_dir: The state folder `argv` names too.
        argv: The command that runs the supervisor in the foreground, such as `standfast dev --state-dir …`.
        progress: Receives what that supervisor says while it starts.
        ready_seconds_max: How long to wait; the first start ever may have to build the Temporal server.

    Raises:
        AlreadyRunningError: When a stack already runs there.
        ChildFailedError: When the supervisor ends or is not ready in time; it is stopped then.
    """
    if is_running(state_dir):
        raise AlreadyRunningError(f"a stack already runs on {state_dir}; stop it with `standfast dev --stop`")
    log = state_dir / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    state_dir.chmod(STATE_FOLDER_MODE)
    log.write_bytes(b"")
    pid = _spawn(argv, log)
    deadline = time.monotonic() + ready_seconds_max
    with log.open(encoding="utf-8", errors="replace") as said:
        while time.monotonic() < deadline:
            for line in said:
                progress(line.rstrip("\n"))
            state = read_dev_state(state_dir)
            if state is not None and state.supervisor_pid == pid and is_running(state_dir):
                return state
            ended, code = os.waitpid(pid, os.WNOHANG)
            if ended:
                how = describe_exit(os.waitstatus_to_exitcode(code))
                raise ChildFailedError(f"the supervisor ended with {how}; {end_of_log(log)}")
            time.sleep(_POLL_SECONDS)
    stop_dev(state_dir, progress)
    raise ChildFailedError(f"the stack was not ready within {ready_seconds_max:.0f} s; {end_of_log(log)}")


def stop_dev(state_dir: Path, progress: Progress, *, patience_seconds: float = STOP_SECONDS_MAX) -> bool:
    """Stop the stack of a state folder, and whatever a killed supervisor left running.

    Args:
        state_dir: The state folder.
        progress: Told what is stopped by force.
        patience_seconds: How long the supervisor may take before it is killed.

    Returns:
        Whether anything was running.

    Raises:
        AlreadyRunningError: When another stack was started meanwhile.
    """
    if not state_dir.is_dir():
        return False
    was_running = is_running(state_dir)
    if was_running:
        _end_supervisor(state_dir, progress, patience_seconds)
    with supervisor_lock(state_dir):
        return bool(clean_leftovers(state_dir, progress)) or was_running


def reset_dev(state_dir: Path, *, also: Sequence[str] = ()) -> list[str]:
    """Delete the data of a stopped stack: Temporal's and PostgreSQL's files, large payloads and the logs. There is no way back.

    Only names known to be ours are deleted, so that a state folder named by mistake loses nothing else.

    Args:
        state_dir: The state folder.
        also: More names in it to delete, such as keys that mean nothing without the data.

    Returns:
        The names that were deleted.

    Raises:
        AlreadyRunningError: When the stack still runs.
    """
    if not state_dir.is_dir():
        return []
    deleted: list[str] = []
    with supervisor_lock(state_dir):
        for name in (*_WIPED_FOLDERS, *also):
            path = state_dir / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.exists() or path.is_symlink():
                path.unlink()
            else:
                continue
            deleted.append(name)
    return deleted


def _spawn(argv: Sequence[str], log: Path) -> int:
    """Start a process that outlives us, without a terminal, and return its id."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ]
        program = argv[0] if "/" in argv[0] else (shutil.which(argv[0]) or sys.executable)
        return os.posix_spawn(program, list(argv), os.environ, file_actions=actions, setsid=True)
    finally:
        os.close(output)


def _end_supervisor(state_dir: Path, progress: Progress, patience_seconds: float) -> None:
    """Ask the supervisor to stop its stack and wait until its process has ended; kill it when it does not.

    It lets the state folder go a moment before it ends, on a busy machine a long one.
    """
    asked: dict[int, str] = {}
    deadline = time.monotonic() + patience_seconds
    while (is_running(state_dir) or _still_run(asked)) and time.monotonic() < deadline:
        holder = lock_holder(state_dir)
        if holder is not None and holder.pid not in asked and process_identity(holder.pid) == holder.identity:
            os.kill(holder.pid, signal.SIGTERM)
            asked[holder.pid] = holder.identity
        time.sleep(_POLL_SECONDS)
    for pid, identity in _still_run(asked).items():
        progress(f"the supervisor (pid {pid}) does not stop; killing it")
        stop_process(pid, identity, signal.SIGKILL, patience_seconds=1.0)


def _still_run(processes: Mapping[int, str]) -> dict[int, str]:
    """Return those of the processes, identities by id, that have not ended."""
    return {pid: identity for pid, identity in processes.items() if process_identity(pid) == identity}
