"""A real HTTP server that takes webhooks: it answers as the test scripts it and remembers what came, byte for byte.

with WebhookSink() as sink:
    sink.answers.extend([Said(500), Said(429, {"retry-after": "3"})])  # then 204 for everything
    ...  # register sink.url
"""

import base64
import hashlib
import hmac
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.servers.bodies import whole_body


@dataclass(frozen=True)
class Said:
    """An answer; `hold_s` is how long the server thinks about it, until the sink is closed at most."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    hold_s: float = 0.0


@dataclass(frozen=True)
class Came:
    """A request: its headers in lower case, its body, and when it came by the monotonic clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    def signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is this secret's, as the specification's text says, and as the public library says.

        Raises:
            AssertionError: the two do not agree.
        """
        key = base64.b64decode(secret.split("_", 1)[1])
        signed = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        found = wanted in self.headers["webhook-signature"].split(" ")
        assert self._verifies(secret) == found, "the library verifies what the specification does not, or the other way round"
        return found

    def _verifies(self, secret: str) -> bool:
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


class WebhookSink:
    """The server, on a free loopback port, in threads. `answers` are used up in their order; `by_path` decides before them."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Came] = []
        self.answers: deque[Said] = deque()
        self.by_path: dict[str, Callable[[Came], Said]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """The address to register."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/hook"

    def of(self, path: str) -> list[Came]:
        """Return what came to a path."""
        with self._lock:
            return [one for one in self.requests if one.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def release(self) -> None:
        """Let every held answer go, now and from now on."""
        self._closing.set()

    def answer(self, came: Came) -> Said:
        """Remember a request and return its answer, after it was thought about."""
        with self._lock:
            self.requests.append(came)
            decides = self.by_path.get(came.path)
            said = decides(came) if decides else self.answers.popleft() if self.answers else Said()
        self._closing.wait(said.hold_s)
        return said


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: WebhookSink


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http  # pyright: ignore[reportIncompatibleVariableOverride]  # it is made with this class alone

    def do_POST(self) -> None:
        """Take one webhook."""
        body = whole_body(self)
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = self.server.owner.answer(Came(self.path, headers, body, time.monotonic()))
        try:
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if said.status != 204:
                self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)
        except OSError:
            self.close_connection = True  # the sender had no patience

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's own name
        """Say nothing."""
