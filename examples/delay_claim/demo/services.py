"""Bank and mail service for the demo: each its own process with a fresh store, and the counts they keep themselves."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import httpx2

from examples.delay_claim.demo.bundle import BANK_URL, MAIL_URL
from wiring.embedded.ports import port_or_free
from wiring.embedded.processes import process_identity, stop_process

ROOT = Path(__file__).parents[3]
_START_SECONDS_MAX = 20.0
_CALL_SECONDS_MAX = 10.0
_STOP_SECONDS_MAX = 3.0
_POLL_SECONDS = 0.05

Counts = dict[str, Any]  # Any: the services' answers, described in services/README.md; each use names the figure it reads


class ServiceFailedError(Exception):
    """A service did not start or refused what the demo asked; the text says which and why."""


@dataclass(frozen=True)
class RunningService:
    """A service process; `identity` tells it from a later process with the same id."""

    name: str
    url: str
    pid: int
    identity: str

    def get(self, path: str) -> Counts:
        """Read a path of the service."""
        return cast("Counts", self._asked("GET", path).json())

    def arm(self, rule: Mapping[str, object]) -> None:
        """Arm a fault rule."""
        self._asked("POST", "/faults", dict(rule))

    def holds(self, claim_id: str) -> bool:
        """Tell whether a call about this claim is being held now."""
        return any(call["claim_id"] == claim_id for rule in self.get("/faults")["faults"] for call in rule["holding"])

    def disarm(self) -> None:
        """Remove all fault rules; calls that are held go on."""
        self._asked("DELETE", "/faults")

    def _asked(self, method: str, path: str, body: object = None) -> httpx2.Response:
        with httpx2.Client(base_url=self.url, timeout=_CALL_SECONDS_MAX, trust_env=False) as client:
            answer = client.request(method, path, json=body)
        if answer.is_error:
            raise ServiceFailedError(f"the {self.name} service answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return answer


@dataclass(frozen=True)
class Services:
    """The two services."""

    bank: RunningService
    mail: RunningService

    def stop(self) -> None:
        """Stop both."""
        for service in (self.bank, self.mail):
            stop_process(service.pid, service.identity, signal.SIGTERM, patience_seconds=_STOP_SECONDS_MAX)


def start_services(folder: Path) -> Services:
    """Start both services with empty stores in `folder`; those an earlier demo left running are stopped first.

    Raises:
        ServiceFailedError: one of them did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stop_recorded(folder)
    taken: set[int] = set()
    started = [_start(name, int(url.rsplit(":", 1)[1]), folder, taken) for name, url in (("bank", BANK_URL), ("mail", MAIL_URL))]
    _record(folder).write_text(json.dumps([asdict(service) for service in started]), encoding="utf-8")
    return Services(*started)


def stop_recorded(folder: Path) -> None:
    """Stop what an earlier demo recorded in `folder` and left running."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        for found in cast("list[dict[str, Any]]", json.loads(_record(folder).read_text(encoding="utf-8"))):  # Any: fields of RunningService
            service = RunningService(**found)
            stop_process(service.pid, service.identity, signal.SIGTERM, patience_seconds=_STOP_SECONDS_MAX)
    _record(folder).unlink(missing_ok=True)


def _record(folder: Path) -> Path:
    return folder / "services.json"


def _start(name: str, wanted_port: int, folder: Path, taken: set[int]) -> RunningService:
    port = port_or_free(wanted_port, taken)
    store, log, port_file = (folder / f"{name}.{ending}" for ending in ("sqlite", "log", "port"))
    for stale in (store, Path(f"{store}-wal"), Path(f"{store}-shm"), port_file):
        stale.unlink(missing_ok=True)
    argv = [sys.executable, "-m", f"examples.delay_claim.services.{name}", "--port", str(port)]
    argv += ["--store", str(store), "--port-file", str(port_file)]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C in the terminal is for the demo, which stops the services itself.
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + _START_SECONDS_MAX
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise ServiceFailedError(f"the {name} service did not start; the end of {log}:\n{log.read_text(errors='replace')[-1000:]}")
        time.sleep(_POLL_SECONDS)
    return RunningService(name, f"http://127.0.0.1:{port}", process.pid, process_identity(process.pid) or "")
