"""A real HTTP server that speaks six wire protocols: Anthropic's, OpenAI's two, Azure's, Bedrock's (AWS event streams) and Gemini's.

It checks what the vendors check (key, tool names, results that follow their calls), so a request they would refuse fails here too.

    with ModelServer() as server:
        server.plan(Answer(calls=(PlannedCall("flights.lookup", {"flight": 4250}),)), Answer(text="done"))
        ...  # anthropic, azure, bedrock, gemini: server.url; openai and compatible: server.openai_url; key: server.api_key
"""

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self, cast

from tests.servers.model_answers import Answer, PlannedCall, SeenRequest
from tests.servers.model_doors import Call, Door, door_of
from tests.servers.model_wires import Body

__all__ = ["Answer", "ModelServer", "PlannedCall", "SeenRequest"]

HANG_S_MAX = 30.0
"""A hanging answer gives up by itself after this long, so that no thread outlives its test."""


class ModelServer:
    """The server, on a free loopback port, in a thread. Answers come from the plan, oldest first, then from `otherwise`."""

    def __init__(self, *, api_key: str = "test-only-0123456789", otherwise: Callable[[SeenRequest], Answer] | None = None) -> None:
        self.api_key = api_key
        self.requests: list[SeenRequest] = []
        self.arrived = threading.Semaphore(0)
        self._otherwise = otherwise
        self._plan: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """The base URL for the SDKs of Anthropic, Google and AWS, and the endpoint of Azure."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's SDK and for compatible servers."""
        return f"{self.url}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def plan(self, *answers: Answer) -> None:
        """Add answers to the end of the plan."""
        with self._lock:
            self._plan.extend(answers)

    def release(self) -> None:
        """Let every hanging answer go on."""
        self._released.set()

    def wait_released(self) -> None:
        """Block until `release`."""
        self._released.wait(HANG_S_MAX)

    def next_answer(self, seen: SeenRequest) -> Answer:
        """Record a request and return its answer; an empty plan without `otherwise` is a 500 that says so."""
        with self._lock:
            self.requests.append(seen)
            planned = self._plan.popleft() if self._plan else None
        self.arrived.release()
        if planned is not None:
            return planned
        return self._otherwise(seen) if self._otherwise else Answer(status=500, message="the test planned no answer")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: ModelServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the standard library's
        """Keep test output quiet."""

    def do_POST(self) -> None:  # the name is the standard library's
        """Answer one call."""
        with contextlib.suppress(ConnectionError):
            self._answer()

    def _answer(self) -> None:
        owner = cast("_Http", self.server).owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.rfile.read(int(headers.get("content-length", "0")))
        door = door_of(self.path)
        if door is None:
            self._send(404, b'{"error": {"message": "no such path", "type": "not_found_error"}}', {})
            return
        body = door.read(self.path, cast("Body", json.loads(raw)))
        objection = door.wire.objection(body)
        if not door.admits(Call(self.path, headers, raw), owner.api_key):
            given = {headers[name] for name in ("x-api-key", "authorization", "api-key", "x-goog-api-key") if name in headers}
            self._send_json(401, door.wire.error_body(401, f"invalid key {given}"), {})
        elif objection:
            self._send_json(400, door.wire.error_body(400, objection), {})
        else:
            self._play(owner.next_answer(SeenRequest(self.path, headers, body)), door, body)

    def _play(self, answer: Answer, door: Door, body: Body) -> None:
        if answer.hang:
            cast("_Http", self.server).owner.wait_released()
        if answer.after is not None:
            answer.after.wait(HANG_S_MAX)
        if answer.body is not None:
            self._send(answer.status, answer.body, answer.headers)
        elif answer.status >= 400:
            self._send_json(answer.status, door.wire.error_body(answer.status, answer.message), answer.headers)
        elif body.get("stream"):
            self._stream(answer, door, body)
        else:
            self._send_json(200, door.wire.whole(answer, body), answer.headers)

    def _stream(self, answer: Answer, door: Door, body: Body) -> None:
        events = door.wire.events(answer, body)
        ends = [limit for limit in (answer.cut_after, answer.end_after, answer.error_after) if limit is not None]
        if ends:
            events = events[: ends[0]]
        if answer.error_after is not None:
            events = [*events, door.wire.error_event(answer)]
        self.send_response(200)
        self.send_header("content-type", door.content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            time.sleep(answer.pause_s)
            self._chunk(door.frame(event))
        if answer.cut_after is None:
            self._chunk(b"")
        else:
            self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send_json(self, status: int, body: Body, headers: dict[str, str]) -> None:
        self._send(status, json.dumps(body).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
