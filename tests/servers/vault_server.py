"""A Vault of ours: KV version 2 as its HTTP API answers it (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2), token by token."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class VaultServer:
    """Secrets by mount and path, each a list of versions, the newest last; None is a deleted one. `sealed` answers 503."""

    url: str = ""
    tokens: set[str] = field(default_factory=lambda: {"root-token-of-the-test"})
    secrets: dict[str, list[dict[str, str] | None]] = field(default_factory=dict[str, list[dict[str, str] | None]])
    forbidden: set[str] = field(default_factory=set[str])
    sealed: bool = False
    reads: int = 0

    def answered(self, path: str, token: str | None) -> tuple[int, object]:
        """Return status and body of a read."""
        self.reads += 1
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        place = path.removeprefix("/v1/").replace("/data/", "/", 1)
        if token not in self.tokens or place in self.forbidden:
            return 403, {"errors": ["permission denied"]}
        versions = self.secrets.get(place)
        if not versions:
            return 404, {"errors": []}
        metadata = {"version": len(versions), "created_time": "2026-01-01T00:00:00Z", "destroyed": False, "custom_metadata": None}
        if versions[-1] is None:
            return 404, {"data": {"data": None, "metadata": {**metadata, "deletion_time": "2026-01-02T00:00:00Z"}}}
        return 200, {"request_id": "r", "lease_id": "", "data": {"data": versions[-1], "metadata": {**metadata, "deletion_time": ""}}}


@contextmanager
def serving_vault() -> Generator[VaultServer]:
    """Serve on a loopback port, in a thread: hvac blocks."""
    vault = VaultServer()

    class Handler(BaseHTTPRequestHandler):
        """Answers reads."""

        def do_GET(self) -> None:
            """Answer."""
            status, body = vault.answered(urlsplit(self.path).path, self.headers.get("X-Vault-Token"))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's parameter name
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    vault.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vault
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
