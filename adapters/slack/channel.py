"""The channel `slack`, and the factory that its entry point names. One POST per attempt, to exactly the addresses that were checked."""

import asyncio
import json
import time

import httpx2

from adapters.slack.blocks import payload
from domain.channels import ChannelContext, MessageSource
from domain.deliveries import AttemptResult, Channel, Outgoing
from domain.egress import EgressRules, OutboundClients
from domain.errors import EgressRefused

KIND = "slack"
TIMEOUT_S = 15.0
ANSWER_BYTES_MAX = 4096
REFUSED = frozenset({400, 403, 404, 410})
"""Slack's answers to messages and webhooks that will never do: invalid_payload, action_prohibited, no_service, channel_is_archived."""


class SlackChannel:
    """Implements `Channel`.

    Args:
        messages: What to say.
        outbound: The way to hosts.
        allow_private: Also speak to loopback and private networks, and over http.
    """

    def __init__(
        self,
        messages: MessageSource,
        *,
        outbound: OutboundClients[httpx2.AsyncBaseTransport],
        allow_private: bool = False,
    ) -> None:
        self._messages = messages
        self._allow_private = allow_private
        self._transport = outbound.transport(EgressRules(private=allow_private))

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
        return result.model_copy(update={"duration_ms": int((time.monotonic() - began) * 1000)})

    async def aclose(self) -> None:
        """Close the connections kept alive."""
        await self._transport.aclose()

    async def _posted(self, address: str, body: bytes) -> AttemptResult:
        """Check the address and post to it; the URL is a secret, so no result names it or its host."""
        try:
            url = httpx2.URL(address)
        except httpx2.InvalidURL:
            return AttemptResult(outcome="refused", detail="the channel's address is no URL")
        if url.scheme != "https" and not (self._allow_private and url.scheme == "http"):
            return AttemptResult(outcome="refused", detail="the channel's address must begin with https://")
        try:
            return await self._exchange(_request(url, body))
        except EgressRefused as error:
            return AttemptResult(outcome="refused", detail=_unnamed(error.detail, url))
        except httpx2.TransportError as error:
            return AttemptResult(outcome="failed", detail=_unnamed(f"no connection: {str(error) or type(error).__name__}", url))

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


def _unnamed(detail: str, url: httpx2.URL) -> str:
    return detail.replace(url.host, "…") if url.host else detail


def _request(url: httpx2.URL, body: bytes) -> httpx2.Request:
    headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "standfast"}
    timeout = httpx2.Timeout(TIMEOUT_S, connect=5.0)
    return httpx2.Request("POST", url, headers=headers, content=body, extensions={"timeout": timeout.as_dict()})


def build(context: ChannelContext) -> list[Channel]:
    """Return the channel."""
    return [SlackChannel(context.messages, outbound=context.outbound, allow_private=context.allow_private)]
