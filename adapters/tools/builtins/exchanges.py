"""Requests to places that a model names: by the guard, bounded, with redirects that are judged one by one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from domain.egress import EgressRules, OutboundClients
from domain.errors import ToolFailed, ToolTimedOut, ToolUnavailable

REDIRECTS_MAX = 5
URL_CHARS_MAX = 2000
CONNECT_S = 5.0
CARRIED = frozenset({"accept", "accept-language", "user-agent", "accept-encoding"})
"""Headers that go along to another origin; what a model wrote for one place is for that place alone."""

Outbound = OutboundClients[httpx2.AsyncBaseTransport]


@dataclass(frozen=True)
class Exchanged:
    """An answer, whose body may be cut at the bound; `url` is where it came from in the end."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool


class Exchanges:
    """One tool's requests under its rules; the connections are kept until it is closed."""

    def __init__(self, outbound: Outbound, rules: EgressRules, *, bytes_max: int) -> None:
        self._outbound = outbound
        self._rules = rules
        self._bytes_max = bytes_max
        self._transport: httpx2.AsyncBaseTransport | None = None

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, deadline_s: float) -> Exchanged:
        """Send one request and read its answer up to the bound; no redirect is followed.

        Raises:
            EgressRefused: the URL leads where nothing may go.
            ToolFailed: it is no URL, or the answer is compressed although that was not asked for.
            ToolUnavailable: no connection.
            ToolTimedOut: no answer in time, or a broken one.
        """
        target = parsed(url)
        timeout = httpx2.Timeout(deadline_s, connect=min(CONNECT_S, deadline_s))
        request = httpx2.Request(method, target, headers=dict(headers), content=body, extensions={"timeout": timeout.as_dict()})
        try:
            async with asyncio.timeout(deadline_s):
                return await self._exchanged(request)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout) as error:
            raise ToolTimedOut(f"{target.host} did not answer within {deadline_s:g} s") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise ToolUnavailable(f"no connection to {target.host} ({str(error) or type(error).__name__})") from error
        except httpx2.TransportError as error:
            raise ToolTimedOut(f"the connection to {target.host} broke ({type(error).__name__})") from error

    async def _exchanged(self, request: httpx2.Request) -> Exchanged:
        if self._transport is None:
            self._transport = self._outbound.transport(self._rules)
        response = await self._transport.handle_async_request(request)
        try:
            if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
                raise ToolFailed(f"{request.url.host} sent a compressed answer although none was asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._bytes_max:
                    break
        finally:
            await response.aclose()
        cut = len(body) > self._bytes_max
        return Exchanged(str(request.url), response.status_code, dict(response.headers), bytes(body[: self._bytes_max]), cut)

    async def aclose(self) -> None:
        """Close the connections kept alive."""
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None


def parsed(url: str) -> httpx2.URL:
    """Return a URL that a model named.

    Raises:
        ToolFailed: it is none, carries a user or password, or holds what parsers read differently.
    """
    if len(url) > URL_CHARS_MAX or any(char.isspace() or char == "\\" or not char.isprintable() for char in url):
        raise ToolFailed(f"a URL has at most {URL_CHARS_MAX} characters, and no spaces, backslashes or control characters", where="/url")
    try:
        target = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ToolFailed(f"that is no URL: {error}", where="/url") from error
    if target.scheme not in ("http", "https") or not target.host:
        raise ToolFailed("the URL must begin with https:// (or http://) and name a host", where="/url")
    if target.userinfo:
        raise ToolFailed("the URL may carry no user or password", where="/url")
    return target


def next_hop(answer: Exchanged) -> httpx2.URL | None:
    """Return where a redirect leads, None when it is none.

    Raises:
        ToolFailed: its target cannot be a place to go.
    """
    location = answer.headers.get("location")
    if answer.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        joined = httpx2.URL(answer.url).join(location)
    except httpx2.InvalidURL as error:
        raise ToolFailed(f"{answer.url} redirects to something that is no URL") from error
    return parsed(str(joined.copy_with(fragment=None)))


def carried(headers: Mapping[str, str], before: str, after: httpx2.URL) -> dict[str, str]:
    """Return the headers that may go along to the next place."""
    old = httpx2.URL(before)
    same = (old.scheme, old.host, old.port) == (after.scheme, after.host, after.port)
    return dict(headers) if same else {name: value for name, value in headers.items() if name.lower() in CARRIED}
