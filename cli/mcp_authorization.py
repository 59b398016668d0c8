"""An authorization by OAuth, from the person's side: the page, and the answer that comes back to this machine (RFC 8252 §7.3)."""

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from cli.screen import clean, note, say
from standfast_client import McpServer, Standfast

PAGE = b"<!doctype html><title>Standfast</title><p>You can close this page and go back to the terminal.</p>"


class _Listener(HTTPServer):
    """Listens on loopback for one answer."""

    answer: dict[str, str] | None = None


class _Handler(BaseHTTPRequestHandler):
    """Takes the answer of the path /callback and of no other."""

    server: _Listener  # pyright: ignore[reportIncompatibleVariableOverride] - narrower than the library's

    def do_GET(self) -> None:
        """Take the answer."""
        parts = urlsplit(self.path)
        told = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != "/callback" or not ({"code", "state"} <= told.keys() or "error" in told):
            self.send_error(404)
            return
        self.server.answer = told
        self.send_response(200)
        for name, value in (("content-type", "text/html"), ("content-length", str(len(PAGE))), ("connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's parameter name
        """Write nothing: the path holds the code."""


def authorize(client: Standfast, server: str, *, port: int, timeout_s: float) -> McpServer | None:
    """Show the page, wait for the answer, and bring it to the gateway; None when nobody answered in time, or the person said no."""
    with _Listener(("127.0.0.1", port), _Handler) as listener:
        begun = client.mcp_servers.begin_authorization(server, f"http://127.0.0.1:{listener.server_port}/callback")
        note("open this page in a browser on this machine:")
        say(begun.url)
        ends_at = time.monotonic() + timeout_s
        while listener.answer is None and time.monotonic() < ends_at:
            listener.timeout = max(0.1, ends_at - time.monotonic())
            listener.handle_request()
        told = listener.answer
    if told is None or "code" not in told:
        note(f"{server} was not authorized: {clean((told or {}).get('error', 'nobody answered in time'))}")
        return None
    return client.mcp_servers.answer_authorization(server, code=told["code"], state=told["state"], iss=told.get("iss"))
