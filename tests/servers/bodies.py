"""Bodies of requests, as the tests' servers take them from senders that may be killed meanwhile."""

from http.server import BaseHTTPRequestHandler


def whole_body(handler: BaseHTTPRequestHandler) -> bytes | None:
    """Read a request's body; None where the sender was killed while it told: nothing came, and the connection ends."""
    size = int(handler.headers.get("content-length", "0"))
    body = handler.rfile.read(size)
    if len(body) < size:
        handler.close_connection = True
        return None
    return body
