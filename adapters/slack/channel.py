"""The channel `slack`, and the factory that its entry point names. One POST per attempt, to exactly the addresses that were checked."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable

import httpx2

from adapters.slack.blocks import payload
from domain.channels import ChannelContext, MessageSource
from domain.deliveries import AttemptResult, Channel, Outgoing
from domain.egress import refusal

KIND = "slack"
TIMEOUT_S = 15.0
ANSWER_BYTES_MAX = 4096
REFUSED = frozenset({400, 403, 404, 410})
"""Slack's answers to messages and webhooks that will never do: invalid_payload, action_prohibited, no_service, channel_is_archived."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of (host, port), best first; raises OSError when there are none."""


async def resolved(host: str, port: int) -> list[str]:
    """Ask the system's resolver.

    Raises:
        OSError: the host has no address.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class SlackChannel:
    """Implements `Channel`.

    Args:
        messages: What to say.
        allow_private: Also speak to loopback and private networks, and over http.
        resolve: The resolver.
        transport: Instead of the network.
    """

    def __init__(
        self,
        messages: MessageSource,
        *,
        allow_private: bool = False,
        resolve: Resolve = resolved,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._messages = messages
        self._allow_private = allow_private
        self._resolve = resolve
        self._transport = transport or httpx2.AsyncHTTPTransport(trust_env=False, retries=0)

    @property
    def kind(self) -> str:
        """The channel of incoming webhooks."""
        return KIND

    async def send(self, endpoint: str, delivery: Outgoing) -> AttemptResult:
        """Make one attempt."""
        message = await self._messages.message(endpoint, delivery)
        if isinstance(message, AttemptResult):
            return message
        body = json.dumps(payload(message)).encode()
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                result = await self._posted(message.address, body)
        except TimeoutError:
            result = AttemptResult(outcome="failed", detail=f"no answer within {TIMEOUT_S:g} s")
        except httpx2.TransportError as error:
            result = AttemptResult(outcome="failed", detail=f"no connection ({type(error).__name__})")
        return result.model_copy(update={"duration_ms": int((time.monotonic() - began) * 1000)})

    async def aclose(self) -> None:
        """Close the connections kept alive."""
        await self._transport.aclose()

    async def _posted(self, address: str, body: bytes) -> AttemptResult:
        """Check the address and post to it; the URL is a secret, so no result names it.

        Raises:
            httpx2.TransportError: no answer came.
        """
        try:
            url = httpx2.URL(address)
        except httpx2.InvalidURL:
            return AttemptResult(outcome="refused", detail="the channel's address is no URL")
        if url.scheme != "https" and not (self._allow_private and url.scheme == "http"):
            return AttemptResult(outcome="refused", detail="the channel's address must begin with https://")
        try:
            found = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except OSError as error:
            return AttemptResult(outcome="failed", detail=f"the host has no address now: {error.strerror or error}")
        why = next((why for one in found if (why := refusal(one, allow_private=self._allow_private))), None)
        if why is not None or not found:
            return AttemptResult(outcome="refused", detail=f"the host resolves to {why}" if why else "the host has no address")
        return await self._exchange(_request(url, found[0], body))

    async def _exchange(self, request: httpx2.Request) -> AttemptResult:
        response = await self._transport.handle_async_request(request)
        said = b""
        try:
            async for chunk in response.aiter_raw():
                said += chunk
                if len(said) >= ANSWER_BYTES_MAX:
                    break
        finally:
            await response.aclose()
        return answered(response.status_code, response.headers.get("retry-after"), said)


def answered(status: int, retry_after: str | None, said: bytes) -> AttemptResult:
    """Return what an answer means; Slack says in a word of plain text what is wrong."""
    word = "".join(c for c in said[:100].decode("ascii", "replace") if c.isalnum() or c in "_ ")
    detail = f"HTTP {status} {word}".strip()
    pause = float(retry_after[:6]) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
    if 200 <= status < 300:
        return AttemptResult(outcome="sent", status=status, detail=detail)
    if status == 429:
        return AttemptResult(outcome="throttled", status=status, detail=detail, retry_after_s=pause)
    if status in REFUSED or 300 <= status < 400:
        return AttemptResult(outcome="refused", status=status, detail=detail)
    return AttemptResult(outcome="failed", status=status, detail=detail, retry_after_s=pause)


def _request(url: httpx2.URL, address: str, body: bytes) -> httpx2.Request:
    """Return the request aimed at `address`; name and certificate stay those of the URL's host."""
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "standfast",
    }
    timeout = httpx2.Timeout(TIMEOUT_S, connect=5.0)
    extensions = {"timeout": timeout.as_dict(), "sni_hostname": url.host}
    return httpx2.Request("POST", url.copy_with(host=address), headers=headers, content=body, extensions=extensions)


def build(context: ChannelContext) -> list[Channel]:
    """Return the channel."""
    return [SlackChannel(context.messages, allow_private=context.allow_private)]
