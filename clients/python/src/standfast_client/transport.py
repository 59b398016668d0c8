"""How a request becomes httpx2's and its answer ours: what the blocking and the asynchronous driver share."""

import ssl
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address

import httpx2

from standfast_client.exchange import Answer, Lost, Request
from standfast_client.settings import Connection

TIMEOUT_S = 30.0
"""How long connecting and each part of an answer may take, unless a request says otherwise."""


def _installed_version() -> str:
    """Return this distribution's version; 0 when it runs from its source folder."""
    try:
        return version("standfast-client")
    except PackageNotFoundError:
        return "0"


_USER_AGENT = f"standfast-client/{_installed_version()}"


def outgoing(request: Request, connection: Connection) -> httpx2.Request:
    """Return the request in httpx2's form."""
    timeout = httpx2.Timeout(TIMEOUT_S, read=request.read_timeout_s or TIMEOUT_S)
    return httpx2.Request(
        request.method,
        f"{connection.url}/v1{request.path}",
        params={name: value if isinstance(value, str) else list(value) for name, value in request.query.items()} or None,
        json=None if request.method == "GET" else request.body,
        headers={
            "Authorization": f"Bearer {connection.key}",
            "Accept": "application/json",
            "User-Agent": _USER_AGENT,
            **request.headers,
        },
        extensions={"timeout": timeout.as_dict()},
    )


def answered(response: httpx2.Response) -> Answer:
    """Return a response whose body was read."""
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content)


def lost(error: httpx2.TransportError) -> Lost:
    """Return why no answer came."""
    return Lost(f"{type(error).__name__} {error}".strip(), refused=isinstance(error, httpx2.ConnectError))


def tls_for(url: str) -> ssl.SSLContext | bool:
    """Return how to check certificates: as usual, or, where the URL has no TLS, with no certificates loaded (it takes 0.1 s)."""
    return True if url.startswith("https://") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def trusts_proxies(url: str) -> bool:
    """Whether proxies named in the environment may be used: never for this machine's own addresses."""
    host = httpx2.URL(url).host
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
