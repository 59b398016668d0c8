"""The guarded transport of httpx2: every request that passes, a redirect's too, is judged, and its answer is bounded in size and time."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import httpcore2
import httpx2

from adapters.outbound.network import Guard, GuardedNetwork
from domain.egress import EgressRules

DEFAULT_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
"""For requests that bring none."""
CONNECTIONS_MAX = 1000
KEEPALIVE_MAX = 20
KEEPALIVE_S = 5.0
"""httpx2's own, and room for as many calls as a worker makes at once."""

ProxyFor = Callable[[str, str], str | None]
"""Return the URL of the proxy for (scheme, host), None for none."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """One client's way out; it keeps no cookies, follows no redirects and retries nothing. The pool is made with the first request."""

    def __init__(self, guard: Guard, rules: EgressRules, *, tls: Callable[[], ssl.SSLContext], proxy_for: ProxyFor) -> None:
        self._guard = guard
        self._rules = rules
        self._tls = tls
        self._proxy_for = proxy_for
        self._direct: httpx2.AsyncHTTPTransport | None = None
        self._proxied: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request to an address that was checked.

        Raises:
            EgressRefused: it may not go there; nothing was connected.
            httpx2.ReadTimeout: the rules' time is over.
            httpx2.TransportError: no connection, or no answer.
        """
        url = request.url
        self._guard.check(url.scheme, url.host, url.port, self._rules)
        extensions = {"timeout": DEFAULT_TIMEOUT.as_dict(), **request.extensions}
        extensions.pop("sni_hostname", None)  # TLS asks for the name that was checked
        request.extensions = extensions
        ends_at = None if self._rules.seconds_max is None else asyncio.get_running_loop().time() + self._rules.seconds_max
        try:
            async with asyncio.timeout_at(ends_at):
                response = await self._way(url).handle_async_request(request)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"no answer within {self._rules.seconds_max:g} s", request=request) from error
        stream = _Bounded(response, self._rules.answer_bytes_max, ends_at)
        return httpx2.Response(response.status_code, headers=response.headers, stream=stream, extensions=response.extensions)

    async def aclose(self) -> None:
        """Close the connections kept alive."""
        for transport in (self._direct, *self._proxied.values()):
            if transport is not None:
                await transport.aclose()
        self._direct = None
        self._proxied = {}

    def _way(self, url: httpx2.URL) -> httpx2.AsyncHTTPTransport:
        proxy = self._proxy_for(url.scheme, url.host) if self._rules.proxied else None
        if proxy is not None:
            if proxy not in self._proxied:
                self._proxied[proxy] = httpx2.AsyncHTTPTransport(verify=self._tls(), proxy=proxy, retries=0)
            return self._proxied[proxy]
        if self._direct is None:
            self._direct = _Pool(GuardedNetwork(self._guard, self._rules), self._tls())
        return self._direct


class _Pool(httpx2.AsyncHTTPTransport):
    """httpx2's transport on our network: its constructor offers no such choice, so the pool it would make is made here."""

    def __init__(self, network: httpcore2.AsyncNetworkBackend, tls: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=KEEPALIVE_MAX,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=network,
        )


class _Bounded(httpx2.AsyncByteStream):
    """An answer's bytes, of which no more come than allowed, and none after the time."""

    def __init__(self, response: httpx2.Response, bytes_max: int, ends_at: float | None) -> None:
        self._response = response
        self._bytes_max = bytes_max
        self._ends_at = ends_at

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        chunks = self._response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout_at(self._ends_at):
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                raise httpx2.ReadTimeout("the answer did not end in time") from error
            if chunk is None:
                return
            read += len(chunk)
            if read > self._bytes_max:
                raise httpx2.ReadError(f"the answer is larger than {self._bytes_max} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()
