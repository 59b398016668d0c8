"""A web server as Slack's, and as anybody's who takes webhooks: it says yes to every POST and keeps it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.bodies import whole_body


@dataclass(frozen=True)
class Posted:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A web server that says 200 to every POST and keeps it."""

    url: str = ""
    posts: list[Posted] = field(default_factory=list[Posted])

    def at(self, path: str) -> list[Posted]:
        """Return what came to a path."""
        return [post for post in list(self.posts) if post.path == path]


@contextmanager
def web_server() -> Generator[Receiver]:
    """Receive posts on a loopback port until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = whole_body(self)
            if body is None:
                return
            receiver.posts.append(Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's own name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
