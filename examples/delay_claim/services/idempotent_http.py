"""An HTTP service whose every mutation is idempotent by key, on the standard library alone; bank and mail are made of it.

Every POST that changes something carries `Idempotency-Key` (1 to 255 printable characters):

    no key, or a malformed one                       400 key-missing
    a new key                                        applied once; the 2xx answer is stored in the same transaction
    the key again with the same path and body        the stored answer, with `Idempotent-Replayed: true`
    the key again with another path or body          422 key-reused
    a refused call (any 4xx or 5xx)                  nothing is applied or stored; the key may be tried again

Every service also has:

    GET    /healthz          {"service": "bank", "status": "ok"}
    GET    /summary          the service's own figures, and calls, keys, effects_per_key_max, faults_fired
    GET    /log[?key=K]      {"calls": [{id, at, path, key, body, fault, outcome, status}], "effects": [{id, at, key, kind,
                             subject_id, claim_id, amount_micros, debit, credit}]}
    GET    /keys/{key}       {"key", "applied", "answer": {"status", "body"} | null, "effects": […], "calls": n}; 404 if never seen
    GET    /faults           {"faults": [{id, route, mode, count, match, remaining, fired, holding: [{path, key, claim_id}]}]}
    POST   /faults           {"route", "mode", "count"?, "match"?} → 201 and the rule (modes: see `faults`)
    POST   /faults/release   {"released": n}: calls kept by `hold` go on
    DELETE /faults           {"removed": n}: also releases

Errors are `application/problem+json`: `{"type", "title", "status", "code", "detail"}`. Only 127.0.0.1 is listened on.
"""

import json
import re
import select
import socket
import sqlite3
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from examples.delay_claim.services.call_store import CallStore, read_key, read_log
from examples.delay_claim.services.calls import Answer, Call, JsonObject, RefusedError, parse_object
from examples.delay_claim.services.faults import FaultRule, FaultRules

HOST = "127.0.0.1"
DISCARDED_BYTES_MAX = 1024 * 1024
"""Most of a refused body that is still read, so that its caller sees the refusal."""

BODY_BYTES_MAX = 64 * 1024
IDLE_SECONDS_MAX = 60
"""How long a connection may stay without sending anything."""


@dataclass(frozen=True)
class Mutation:
    """A POST that changes something; `route` is its name in fault rules, `{name}` parts of `path` become `call.ids`."""

    route: str
    path: str
    apply: Callable[[sqlite3.Connection, Call], Answer]


@dataclass(frozen=True)
class Reading:
    """A GET; `read` receives the path's `{name}` parts and the query in one mapping."""

    path: str
    read: Callable[[sqlite3.Connection, Mapping[str, str]], JsonObject]


@dataclass(frozen=True)
class Service:
    """What one service is: its name, its own tables and its own routes; the routes of every service are added to them."""

    name: str
    schema: str
    mutations: tuple[Mutation, ...]
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Request:
    """One HTTP request, parsed as far as every route needs; `caller_gone` tells whether the other end has hung up."""

    method: str
    path: str
    query: Mapping[str, str]
    key: str | None
    raw: bytes
    caller_gone: Callable[[], bool]


class Desk:
    """Answers the requests of one service from its store; knows nothing of sockets."""

    def __init__(self, service: Service, store: CallStore) -> None:
        self._service = service
        self._store = store
        self._faults = FaultRules([mutation.route for mutation in service.mutations])
        self._readings = (
            Reading("/healthz", lambda _connection, _parts: {"service": service.name, "status": "ok"}),
            Reading("/log", lambda connection, parts: read_log(connection, parts.get("key"))),
            Reading("/keys/{key}", lambda connection, parts: read_key(connection, parts["key"])),
            *service.readings,
        )

    def answer(self, request: Request) -> Answer | None:
        """Return the answer, or None when the caller is to get none.

        Raises:
            RefusedError: the request is malformed, refused, or meets a fault rule.
        """
        if request.path in ("/faults", "/faults/release"):
            return self._control(request)
        if request.method == "GET":
            return self._read(request)
        if request.method == "POST":
            return self._mutate(request)
        unknown = _no_route(request)
        raise unknown

    def _control(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/faults":
                return Answer(200, {"faults": self._faults.describe()})
            case "POST", "/faults":
                return Answer(201, self._faults.arm(parse_object(request.raw)))
            case "DELETE", "/faults":
                return Answer(200, {"removed": self._faults.disarm()})
            case "POST", "/faults/release":
                return Answer(200, {"released": self._faults.release()})
            case _:
                unknown = _no_route(request)
                raise unknown

    def _read(self, request: Request) -> Answer:
        for reading in self._readings:
            if (parts := _match(reading.path, request.path)) is not None:
                with self._store.transaction() as connection:
                    return Answer(200, reading.read(connection, {**request.query, **parts}))
        unknown = _no_route(request)
        raise unknown

    def _mutate(self, request: Request) -> Answer | None:
        for mutation in self._service.mutations:
            if (ids := _match(mutation.path, request.path)) is not None:
                call = Call(mutation.route, request.path, ids, _key(request), parse_object(request.raw))
                return self._meet(mutation, call, request.caller_gone)
        unknown = _no_route(request)
        raise unknown

    def _meet(self, mutation: Mutation, call: Call, caller_gone: Callable[[], bool]) -> Answer | None:
        rule = self._faults.take(call)
        call_id = self._store.log_call(call, rule.mode if rule else None)
        if rule is None:
            return self._store.settle(call_id, call, mutation.apply)
        if rule.mode in ("http_500", "http_429"):
            refusal = _broken(rule)
            self._store.refuse(call_id, refusal)
            raise refusal
        if rule.mode == "hold":
            self._faults.keep(rule, call)
        answer = self._store.settle(call_id, call, _refuse if rule.mode == "refuse" else mutation.apply)
        if rule.mode == "timeout_after_apply":
            self._faults.keep(rule, call, until=caller_gone)
            return None
        return answer


class Server(ThreadingHTTPServer):
    """Serves a desk on the loopback address, one thread per connection; port 0 takes a free one.

    Raises:
        OSError: the port is in use.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, desk: Desk, port: int) -> None:
        self.desk = desk
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The address to call, without a trailing slash."""
        return f"http://{HOST}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS_MAX
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body leave in one packet

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer a DELETE."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Print nothing: the call log is in the store."""

    def _serve(self) -> None:
        try:
            answer = self._desk().answer(self._request())
        except RefusedError as refusal:
            extra = {} if refusal.retry_after_seconds is None else {"Retry-After": str(refusal.retry_after_seconds)}
            self._send(refusal.status, refusal.body, "application/problem+json", extra)
        except ConnectionError:
            self.close_connection = True
        except Exception:  # noqa: BLE001 - one broken call must not take the connection thread down without an answer
            traceback.print_exc(file=sys.stderr)
            broken = RefusedError(500, "internal", "the service failed; its own output says why")
            self._send(500, broken.body, "application/problem+json", {})
        else:
            if answer is None:
                self.close_connection = True
                return
            extra = {"Idempotent-Replayed": "true"} if answer.replayed else {}
            self._send(answer.status, answer.body, "application/json", extra)

    def _desk(self) -> Desk:
        assert isinstance(self.server, Server), "only Server makes handlers"  # noqa: S101 - narrows http.server's type
        return self.server.desk

    def _request(self) -> Request:
        target = urlsplit(self.path)
        return Request(
            method=self.command,
            path=target.path,
            query=dict(parse_qsl(target.query)),
            key=self.headers.get("Idempotency-Key"),
            raw=self._read_body(),
            caller_gone=self._caller_gone,
        )

    def _read_body(self) -> bytes:
        declared = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not declared.isdecimal():
            self.close_connection = True
            raise RefusedError(411, "length-required", "send the body with a Content-Length")
        if int(declared) > BODY_BYTES_MAX:
            self.close_connection = True
            self.rfile.read(min(int(declared), DISCARDED_BYTES_MAX))  # closing over unread bytes could reset the answer away
            raise RefusedError(413, "body-too-large", f"a body has at most {BODY_BYTES_MAX} bytes")
        return self.rfile.read(int(declared))

    def _caller_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _send(self, status: int, body: JsonObject, media_type: str, extra: Mapping[str, str]) -> None:
        content = json.dumps(body).encode()
        headers = {"Content-Type": media_type, "Content-Length": str(len(content)), **extra}
        if self.close_connection:  # a caller that is not told would send its next call into the closed connection
            headers["Connection"] = "close"
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:  # the caller has gone; what was applied stays applied
            self.close_connection = True


def _match(template: str, path: str) -> Mapping[str, str] | None:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
    found = re.fullmatch(pattern, path)
    return None if found is None else {name: unquote(part) for name, part in found.groupdict().items()}


def _key(request: Request) -> str:
    if request.key and re.fullmatch(r"[\x21-\x7e]{1,255}", request.key):
        return request.key
    raise RefusedError(400, "key-missing", "send an Idempotency-Key header of 1 to 255 printable characters; repeat it with the call")


def _no_route(request: Request) -> RefusedError:
    return RefusedError(404, "no-route", f"there is no {request.method} {request.path}")


def _broken(rule: FaultRule) -> RefusedError:
    if rule.mode == "http_429":
        return RefusedError(429, "too-many-calls", "fault rule: call again later", retry_after_seconds=1)
    return RefusedError(500, "broken", "fault rule: the service failed before doing anything")


def _refuse(_connection: sqlite3.Connection, call: Call) -> Answer:
    raise RefusedError(403, "refused", f"fault rule: {call.route} is refused")
