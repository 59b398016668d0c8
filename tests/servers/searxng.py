"""A search server that speaks SearXNG's JSON: `GET /search?q=…&format=json`. Its results are given beforehand."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self
from urllib.parse import parse_qs, urlsplit


class SearxngServer:
    """Use as a context manager; `asked` are the queries that came."""

    def __init__(self, results: list[dict[str, object]], *, status: int = 200, formats: tuple[str, ...] = ("html", "json")) -> None:
        self.asked: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                server.asked.append(asked)
                if parts.path != "/search":
                    self._say(404, b"{}")
                elif asked.get("format") not in formats:
                    self._say(403, b"<html>forbidden</html>")  # as SearXNG does for a format that its settings leave out
                else:
                    found = {"query": asked.get("q"), "number_of_results": len(results), "results": results, "unresponsive_engines": []}
                    self._say(status, json.dumps(found).encode())

            def _say(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                del format, args

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
