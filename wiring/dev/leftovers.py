"""Ends processes of an earlier stack whose supervisor was killed, and only those: a recorded start time must still fit."""

import signal
from pathlib import Path

from wiring.dev.records import forget, read_processes
from wiring.embedded.cache import Progress
from wiring.embedded.postgres import STOP_SIGNAL as POSTGRES_STOP_SIGNAL
from wiring.embedded.postgres_folders import SOCKET_NAME, folders_of
from wiring.embedded.processes import process_identity, stop_process

_PATIENCE_SECONDS = 2.0
_ORDER = {"gateway": 0, "worker": 1, "temporal": 2, "postgres": 3}


def clean_leftovers(state_dir: Path, progress: Progress) -> list[str]:
    """Stop what is left of an earlier stack and remove its files; call it only while holding the supervisor's lock.

    Args:
        state_dir: The state folder.
        progress: Told each process that is stopped.

    Returns:
        The names of the parts that were still running.
    """
    records = read_processes(state_dir)
    recorded = records.children if records else {}
    found: list[str] = []
    for name in sorted(recorded, key=lambda part: _ORDER.get(part, 0)):
        process = recorded[name]
        if process_identity(process.pid) != process.identity:
            continue
        progress(f"stopping {name} left over from an earlier start (pid {process.pid})")
        number = POSTGRES_STOP_SIGNAL if name == "postgres" else signal.SIGTERM
        stop_process(process.pid, process.identity, number, patience_seconds=_PATIENCE_SECONDS)
        found.append(name)
    _remove_socket(state_dir)
    forget(state_dir)
    return found


def _remove_socket(state_dir: Path) -> None:
    """Remove the socket of a PostgreSQL that was killed before it could."""
    folders = folders_of(state_dir)
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (folders.run / name).unlink(missing_ok=True)
    if folders.run_is_temporary and folders.run.is_dir() and not any(folders.run.iterdir()):
        folders.run.rmdir()
