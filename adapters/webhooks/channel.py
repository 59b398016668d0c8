"""The channel `webhook`: one POST per attempt, to exactly the addresses that were checked. No redirects, no proxy, no cookies."""

import asyncio
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpx2

from adapters.webhooks.signing import signed_headers
from domain.deliveries import WEBHOOK, AttemptResult, Outgoing
from domain.egress import EgressRules, OutboundClients
from domain.errors import EgressRefused, InvalidInput
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


class Targets(Protocol):
    """Knows where a subscription's deliveries go, and what signs them."""

    async def target(self, tenant: str, subscription: str) -> Target | None:
        """Return it, None when the subscription is gone."""
        ...


class WebhookChannel:
    """Implements `Channel`.

    Args:
        targets: The subscriptions.
        outbound: The way to their hosts.
        allow_private: Also send to loopback and private networks, and over http (STANDFAST_WEBHOOK_PRIVATE).
        timeout_s: How long an attempt may take.
    """

    def __init__(
        self,
        targets: Targets,
        *,
        outbound: OutboundClients[httpx2.AsyncBaseTransport],
        allow_private: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._targets = targets
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._transport = outbound.transport(EgressRules(private=allow_private))

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
        try:
            return await self._post(_request(url, target, delivery, self._timeout_s))
        except EgressRefused as error:
            return AttemptResult(outcome="failed", detail=error.detail)
        except SURELY_NOT_SENT as error:
            return AttemptResult(outcome="failed", detail=f"no connection: {str(error) or type(error).__name__}")
        except httpx2.TimeoutException:
            return AttemptResult(outcome="failed", detail="no answer in time")
        except httpx2.TransportError as error:
            return AttemptResult(outcome="failed", detail=f"the connection broke ({type(error).__name__})")

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


def _request(url: httpx2.URL, target: Target, delivery: Outgoing, timeout_s: float) -> httpx2.Request:
    body = delivery.event.body()
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "standfast",
        **signed_headers(target.secrets, message=delivery.event.id, at=datetime.now(UTC), body=body),
    }
    correlation = delivery.event.data.get("correlation_id")
    if isinstance(correlation, str) and correlation.isascii() and correlation.isprintable():
        headers["x-correlation-id"] = correlation
    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    return httpx2.Request("POST", url, headers=headers, content=body, extensions={"timeout": timeout.as_dict()})
