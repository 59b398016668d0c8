"""A tool that is one declared REST call. It keeps no cookies, follows no redirects, uses no proxy, and reads no environment."""

import asyncio
import json

import httpx2
from pydantic import JsonValue

from adapters.tools.http_answers import failure, result
from domain.egress import EgressRules, OutboundClients
from domain.errors import StandfastError, ToolFailed, ToolTimedOut, ToolUnavailable
from domain.http_tool import SECRET, HttpToolDeclaration, RenderedRequest, render
from domain.secrets import ResolveSecret, only_declared
from domain.tools import ToolCall, ToolSpec

CONNECT_S = 5.0
"""A host that does not take a connection in this time is not available; nothing was sent yet."""
SURELY_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class HttpTool:
    """One declaration, callable; it reaches the declared host and port, by a transport of `outbound`."""

    def __init__(
        self,
        declaration: HttpToolDeclaration,
        *,
        resolve_secret: ResolveSecret,
        outbound: OutboundClients[httpx2.AsyncBaseTransport],
    ) -> None:
        self._declaration = declaration
        self._spec = declaration.spec()
        self._resolve_secret = resolve_secret
        self._outbound = outbound
        self._transport: httpx2.AsyncBaseTransport | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return self._spec

    async def call(self, call: ToolCall) -> JsonValue:
        """Send the request once, with the outside key in its header; cancelling closes the connection.

        Raises:
            ToolFailed: 4xx, a redirect, an answer that is too large or breaks its schema, an address that is not allowed.
            ToolUnavailable: 429, 503, no connection; for calls that change nothing, any server error.
            ToolTimedOut: no answer in time, or a broken one to a call that changes the world.
        """
        deadline_s = min(call.deadline_s, self._declaration.timeout_s)
        rendered = render(self._declaration, call.arguments)
        headers, secrets = await self._headers(call)
        headers |= {name.lower(): value for name, value in rendered.headers.items() if name.lower() not in headers}
        try:
            async with asyncio.timeout(deadline_s):
                status, retry_after, body = await self._exchange(rendered, headers, deadline_s)
        except TimeoutError as error:
            raise ToolTimedOut(f"{self._spec.name}: {self._declaration.host} did not answer within {deadline_s:g} s") from error
        if status in self._declaration.ok_statuses:
            return result(self._declaration, status, body)
        error = _without(failure(self._declaration, status, body, retry_after), secrets)
        raise error

    async def _headers(self, call: ToolCall) -> tuple[dict[str, str], list[str]]:
        """Return the headers with their secrets put in, and those secrets; each is read now, for this call alone.

        Raises:
            ToolFailed: a secret is not set, or cannot stand in a header.
        """
        reveal = only_declared(self._spec.name, self._spec.secrets, self._resolve_secret)
        secrets = {name: await reveal(call.tenant, name) for name in self._spec.secrets}
        for name, secret in secrets.items():
            if not secret.isascii() or not secret.isprintable():
                raise ToolFailed(f"the secret {name} holds characters that no header can carry; look for a line break at its end")
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "standfast"}
        headers["x-correlation-id"] = call.correlation_id
        for name, value in self._declaration.headers.items():
            headers[name.lower()] = SECRET.sub(lambda match: secrets[match.group(1)], value)
        if self._declaration.key_header is not None:
            headers[self._declaration.key_header.lower()] = call.idempotency_key
        return headers, list(secrets.values())

    async def _exchange(self, rendered: RenderedRequest, headers: dict[str, str], deadline_s: float) -> tuple[int, str | None, bytes]:
        """Return status, Retry-After and body.

        Raises:
            EgressRefused: the host is another than declared, or has an address that is not allowed.
            ToolUnavailable: it takes no connection.
            ToolTimedOut: no answer in time.
        """
        url = httpx2.URL(rendered.url)
        try:
            return await self._send(_request(rendered, url, headers, deadline_s))
        except SURELY_NOT_SENT as error:
            raise ToolUnavailable(f"{self._spec.name}: no connection to {url.host}:{_port(url)} ({error})") from error
        except httpx2.TimeoutException as error:
            raise ToolTimedOut(f"{self._spec.name}: {url.host} did not answer in time") from error
        except httpx2.TransportError as error:
            raise self._broken(error) from error

    def _broken(self, error: httpx2.TransportError) -> StandfastError:
        """Return what a connection lost in mid-call means."""
        told = f"{self._spec.name}: the connection to {self._declaration.host} broke ({type(error).__name__})"
        if self._declaration.effect_class.changes_world:
            return ToolTimedOut(f"{told}; whether it took effect is unknown")
        return ToolUnavailable(told)

    async def _send(self, request: httpx2.Request) -> tuple[int, str | None, bytes]:
        """Exchange one request, reading no more than the declared bound.

        Raises:
            ToolFailed: the answer is larger, or compressed although the request asked for none.
        """
        if self._transport is None:
            url = httpx2.URL(self._declaration.url)
            self._transport = self._outbound.transport(
                EgressRules(hosts=(self._declaration.host,), ports=(_port(url),), schemes=(url.scheme,))
            )
        response = await self._transport.handle_async_request(request)
        try:
            if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
                raise ToolFailed(f"{self._spec.name}: the answer is compressed although the request allows no compression")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._declaration.response_bytes_max:
                    raise ToolFailed(f"the answer of {self._spec.name} is larger than {self._declaration.response_bytes_max} bytes")
            return response.status_code, response.headers.get("retry-after"), bytes(body)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the connections kept alive."""
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _request(rendered: RenderedRequest, url: httpx2.URL, headers: dict[str, str], deadline_s: float) -> httpx2.Request:
    timeout = httpx2.Timeout(deadline_s, connect=min(CONNECT_S, deadline_s))
    content = None
    if rendered.body is not None:
        content = json.dumps(rendered.body, allow_nan=False, separators=(",", ":")).encode()
        headers = {**headers, "content-type": "application/json"}
    return httpx2.Request(rendered.method, url, headers=headers, content=content, extensions={"timeout": timeout.as_dict()})


def _without(error: StandfastError, secrets: list[str]) -> StandfastError:
    """Return the error with any secret that the server repeated struck out."""
    detail = error.detail
    for secret in secrets:
        detail = detail.replace(secret, "[secret]") if secret else detail
    return type(error)(detail, where=error.where, retry_after_s=error.retry_after_s)
