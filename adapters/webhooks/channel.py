"""The channel `webhook`: one POST per attempt, to exactly the addresses that were checked. No redirects, no proxy, no cookies."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpx2

from adapters.webhooks.signing import signed_headers
from domain.deliveries import WEBHOOK, AttemptResult, Outgoing
from domain.egress import refusal
from domain.errors import InvalidInput
from domain.subscriptions import Target, checked_url

TIMEOUT_S = 20.0
"""Standard Webhooks 1.0, "Request timeouts": 15 to 30 seconds."""
CONNECT_S = 5.0
ANSWER_BYTES_MAX = 64 * 1024
"""How much of an answer is read, so that the connection can be used again; nothing of it is kept."""

THROTTLED = frozenset({429, 502, 504})
"""Standard Webhooks 1.0, "Deliverability": the endpoint has too much to do, so send less."""
GONE = 410
SURELY_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of (host, port), best first; raises OSError when there are none."""


class Targets(Protocol):
    """Knows where a subscription's deliveries go, and what signs them."""

    async def target(self, tenant: str, subscription: str) -> Target | None:
        """Return it, None when the subscription is gone."""
        ...


class WebhookChannel:
    """Implements `Channel`.

    Args:
        targets: The subscriptions.
        resolve: The resolver.
        allow_private: Also send to loopback and private networks, and over http (STANDFAST_WEBHOOK_PRIVATE).
        timeout_s: How long an attempt may take.
        transport: Instead of the network.
    """

    def __init__(
        self,
        targets: Targets,
        *,
        resolve: Resolve,
        allow_private: bool = False,
        timeout_s: float = TIMEOUT_S,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._targets = targets
        self._resolve = resolve
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._transport = transport or httpx2.AsyncHTTPTransport(trust_env=False, retries=0)

    @property
    def kind(self) -> str:
        """The channel of subscriptions."""
        return WEBHOOK

    async def send(self, endpoint: str, delivery: Outgoing) -> AttemptResult:
        """Make one attempt."""
        target = await self._targets.target(delivery.tenant, endpoint)
        if target is None:
            return AttemptResult(outcome="refused", detail="the webhook was deleted")
        try:
            url = httpx2.URL(checked_url(target.url, allow_private=self._allow_private))
        except (InvalidInput, httpx2.InvalidURL) as error:
            return AttemptResult(outcome="refused", detail=f"the URL cannot be used: {error}")
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await self._exchange(url, target, delivery)
        except TimeoutError:
            result = AttemptResult(outcome="failed", detail=f"no answer within {self._timeout_s:g} s")
        return result.model_copy(update={"duration_ms": int((time.monotonic() - began) * 1000)})

    async def _exchange(self, url: httpx2.URL, target: Target, delivery: Outgoing) -> AttemptResult:
        addresses = await self._addresses(url)
        if isinstance(addresses, AttemptResult):
            return addresses
        reason = ""
        for address in addresses:
            try:
                return await self._post(_request(url, address, target, delivery, self._timeout_s))
            except SURELY_NOT_SENT as error:
                reason = f"no connection ({type(error).__name__})"
            except httpx2.TimeoutException:
                return AttemptResult(outcome="failed", detail="no answer in time")
            except httpx2.TransportError as error:
                return AttemptResult(outcome="failed", detail=f"the connection broke ({type(error).__name__})")
        return AttemptResult(outcome="failed", detail=reason)

    async def _addresses(self, url: httpx2.URL) -> list[str] | AttemptResult:
        """Return the host's addresses, or why there is none to connect to; one that is not allowed spoils them all."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await self._resolve(url.host, port)
        except OSError as error:
            return AttemptResult(outcome="failed", detail=f"the host has no address now: {error.strerror or error}")
        for address in found:
            reason = refusal(address, allow_private=self._allow_private)
            if reason is not None:
                return AttemptResult(outcome="failed", detail=f"the host resolves to {address}, {reason}")
        return found or AttemptResult(outcome="failed", detail="the host has no address now")

    async def _post(self, request: httpx2.Request) -> AttemptResult:
        response = await self._transport.handle_async_request(request)
        try:
            read = 0
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read > ANSWER_BYTES_MAX:
                    break
        finally:
            await response.aclose()
        return result_of(response.status_code, response.headers.get("retry-after"), now=datetime.now(UTC))

    async def aclose(self) -> None:
        """Close the connections kept alive."""
        await self._transport.aclose()


def result_of(status: int, retry_after: str | None, *, now: datetime) -> AttemptResult:
    """Return what an HTTP answer means."""
    pause = retry_after_s(retry_after, now)
    told = f"HTTP {status}"
    if 200 <= status < 300:
        return AttemptResult(outcome="sent", status=status, detail=told)
    if status == GONE:
        return AttemptResult(outcome="gone", status=status, detail=f"{told}: the endpoint wants no more deliveries")
    if status in THROTTLED or pause is not None:
        return AttemptResult(outcome="throttled", status=status, detail=told, retry_after_s=pause)
    if 300 <= status < 400:
        told = f"{told}: redirects are not followed; register the final URL"
    return AttemptResult(outcome="failed", status=status, detail=told)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, written as seconds or as an HTTP date (RFC 9110 §10.2.3); None if unusable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def _request(url: httpx2.URL, address: str, target: Target, delivery: Outgoing, timeout_s: float) -> httpx2.Request:
    """Return the request aimed at `address`; name and certificate stay those of the URL's host."""
    body = delivery.event.body()
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "standfast",
        **signed_headers(target.secrets, message=delivery.event.id, at=datetime.now(UTC), body=body),
    }
    correlation = delivery.event.data.get("correlation_id")
    if isinstance(correlation, str) and correlation.isascii() and correlation.isprintable():
        headers["x-correlation-id"] = correlation
    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    extensions = {"timeout": timeout.as_dict(), "sni_hostname": url.host}
    return httpx2.Request("POST", url.copy_with(host=address), headers=headers, content=body, extensions=extensions)
