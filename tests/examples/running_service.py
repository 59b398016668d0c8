"""Starts the bank and mail services for tests: on a thread of this process, or as the process a user would start."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from examples.delay_claim.services.call_store import CallStore
from examples.delay_claim.services.idempotent_http import Desk, Server, Service

ROOT = Path(__file__).parents[2]
WAIT_SECONDS_MAX = 120
"""Only what hangs meets it: a machine that runs other tests beside may take a while for anything."""

JsonBody = dict[str, Any]  # Any: tests index into answers whose shape they are there to check


class Caller:
    """Speaks to one service over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.Client(base_url=url, timeout=WAIT_SECONDS_MAX)

    def post(self, path: str, body: JsonBody, *, key: str | None, timeout_seconds: float = WAIT_SECONDS_MAX) -> httpx2.Response:
        """POST a JSON body, with an Idempotency-Key unless `key` is None."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._client.post(path, json=body, headers=headers, timeout=timeout_seconds)

    def post_raw(self, path: str, content: bytes) -> httpx2.Response:
        """POST bytes under a key of their own."""
        return self._client.post(path, content=content, headers={"Idempotency-Key": "raw"})

    def get(self, path: str) -> JsonBody:
        """GET a path that must answer 200 and return its body."""
        answer = self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status_of(self, path: str) -> int:
        """GET a path and return the status alone."""
        return self._client.get(path).status_code

    def arm(self, **rule: object) -> httpx2.Response:
        """Arm a fault rule."""
        return self._client.post("/faults", json=rule)

    def release(self) -> int:
        """Release held calls and return how many there were."""
        return self._client.post("/faults/release").json()["released"]

    def disarm(self) -> int:
        """Remove every fault rule and return how many there were."""
        return self._client.delete("/faults").json()["removed"]

    def holding(self) -> list[JsonBody]:
        """Return the calls that fault rules keep waiting now."""
        return [call for rule in self.get("/faults")["faults"] for call in rule["holding"]]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@contextmanager
def serving(service: Service, store: Path) -> Generator[Caller]:
    """Serve on a free port from a thread until the block ends."""
    books = CallStore(store, service.name, service.schema)
    server = Server(Desk(service, books), 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    caller = Caller(server.url)
    try:
        yield caller
    finally:
        caller.disarm()
        caller.close()
        server.shutdown()
        thread.join()
        server.server_close()
        books.close()


class ServiceProcess:
    """One service as its own process; `caller` speaks to it."""

    def __init__(self, name: str, store: Path) -> None:
        self.port_file = store.with_suffix(".port")
        self.port_file.unlink(missing_ok=True)
        words = ["--port", "0", "--store", str(store), "--port-file", str(self.port_file)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"examples.delay_claim.services.{name}", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.ready_line = self.process.stdout.readline().strip()
        assert " ready at " in self.ready_line, self.process.communicate()[1]
        self.caller = Caller(self.ready_line.rsplit(" ", 1)[1])

    def kill(self) -> None:
        """Send SIGKILL, as a crash would, and reap the process."""
        self.caller.close()
        self.process.kill()
        self.process.communicate(timeout=WAIT_SECONDS_MAX)

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.caller.close()
        self.process.terminate()
        self.process.communicate(timeout=WAIT_SECONDS_MAX)
        return self.process.returncode


StartService = Callable[[str, Path], ServiceProcess]
"""Starts the service of a name on a store; the fixture behind it ends whatever a test leaves running."""


def wait_until(condition: Callable[[], bool], *, seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it did not hold within `seconds_max`.
    """
    deadline = time.monotonic() + seconds_max
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not come true")
        pause.wait(0.01)
