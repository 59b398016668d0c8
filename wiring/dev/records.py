"""The files of a running stack: `dev.json` for whoever uses it, `processes.json` for cleaning up, `supervisor.lock`."""

import fcntl
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from wiring.embedded.processes import process_identity

STATE_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class DevState(BaseModel):
    """The content of `dev.json`, written when everything is ready and again after each restart of a part.

    Attributes:
        gateway_url: Base URL of the REST API.
        temporal_address: `host:port` of the Temporal frontend.
        temporal_ui_url: Base URL of Temporal's Web UI; None when an outside server has not named one.
        database_url: URL of the application role.
        database_owner_url: URL of the role that migrates.
        api_keys: Secret API keys by name.
        supervisor_pid: The process that watches the others.
        children: Process ids by the name of the part.
    """

    model_config = ConfigDict(frozen=True)

    gateway_url: str
    temporal_address: str
    temporal_ui_url: str | None
    database_url: str
    database_owner_url: str
    api_keys: dict[str, str]
    supervisor_pid: int
    children: dict[str, int]


class RecordedProcess(BaseModel):
    """One process in `processes.json`; `identity` (its start time) tells it from a later process with the same id."""

    model_config = ConfigDict(frozen=True)

    pid: int
    identity: str


class ProcessRecords(BaseModel):
    """The content of `processes.json`, written before a part is ready, so that nothing started is ever forgotten."""

    model_config = ConfigDict(frozen=True)

    children: dict[str, RecordedProcess] = {}


class AlreadyRunningError(Exception):
    """Another supervisor holds the state folder."""


def dev_file(state_dir: Path) -> Path:
    """Return the path of `dev.json`."""
    return state_dir / "dev.json"


def _lock_file(state_dir: Path) -> Path:
    return state_dir / "supervisor.lock"


def _processes_file(state_dir: Path) -> Path:
    return state_dir / "processes.json"


def read_dev_state(state_dir: Path) -> DevState | None:
    """Return the content of `dev.json`, or None when there is none; it says nothing about whether the stack still runs."""
    try:
        return DevState.model_validate_json(dev_file(state_dir).read_bytes())
    except (OSError, ValidationError):
        return None


def read_processes(state_dir: Path) -> ProcessRecords | None:
    """Return the recorded processes, or None when nothing is recorded."""
    try:
        return ProcessRecords.model_validate_json(_processes_file(state_dir).read_bytes())
    except (OSError, ValidationError):
        return None


def write_dev_state(state_dir: Path, state: DevState) -> None:
    """Write `dev.json` with mode 0600, whole or not at all."""
    _write_private(dev_file(state_dir), state.model_dump())


def write_processes(state_dir: Path, records: ProcessRecords) -> None:
    """Write `processes.json` with mode 0600, whole or not at all."""
    _write_private(_processes_file(state_dir), records.model_dump())


def forget(state_dir: Path) -> None:
    """Remove both files."""
    for path in (dev_file(state_dir), _processes_file(state_dir)):
        path.unlink(missing_ok=True)


def _write_private(path: Path, content: Mapping[str, object]) -> None:
    draft = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    draft.replace(path)


@contextmanager
def supervisor_lock(state_dir: Path) -> Generator[None]:
    """Hold the state folder; the kernel lets go when the process dies, however it dies.

    Raises:
        AlreadyRunningError: When another supervisor holds it.
    """
    with _lock_file(state_dir).open("a", encoding="utf-8") as handle:
        if not _lock(handle.fileno()):
            holder = lock_holder(state_dir)
            pid = f" (pid {holder.pid})" if holder else ""
            raise AlreadyRunningError(
                f"a stack already runs on {state_dir}{pid}; stop it with `standfast dev --stop`, or choose another --state-dir"
            )
        handle.truncate(0)
        own = os.getpid()
        handle.write(RecordedProcess(pid=own, identity=process_identity(own) or "").model_dump_json())
        handle.flush()
        yield


def lock_holder(state_dir: Path) -> RecordedProcess | None:
    """Return the process that took the lock last; None when nobody did or it has not written itself down yet."""
    try:
        return RecordedProcess.model_validate_json(_lock_file(state_dir).read_bytes())
    except (OSError, ValidationError):
        return None


def is_running(state_dir: Path) -> bool:
    """Tell whether a supervisor holds the state folder now."""
    try:
        with _lock_file(state_dir).open("r", encoding="utf-8") as handle:
            return not _lock(handle.fileno())
    except OSError:
        return False


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
