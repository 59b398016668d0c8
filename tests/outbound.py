"""Guarded ways out for tests: a resolver that always finds what the test says, and one to this machine."""

from collections.abc import Awaitable, Callable
from functools import cache

import httpx2

from adapters.outbound.clients import GuardedClients
from domain.egress import EgressRules, destination_refusal
from domain.errors import EgressRefused


def finding(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """Return a resolver that always finds these."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


async def numeric(host: str, _port: int) -> list[str]:
    """Resolve nothing: hosts are addresses here."""
    return ["127.0.0.1" if host == "localhost" else host]


def outbound(*addresses: str, allow_private: bool = True) -> GuardedClients:
    """Return a way out on which every name has these addresses; without any, hosts are addresses."""
    return GuardedClients(allow_private=allow_private, resolve=finding(*addresses) if addresses else numeric)


@cache
def guarded() -> GuardedClients:
    """Return the way out that a worker has; one for all, since its certificates take tens of milliseconds to read."""
    return GuardedClients()


class FakeOutbound:
    """Implements `domain.egress.OutboundClients` without a network: `answer` gets the requests that the rules let through."""

    def __init__(self, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
        self._answer = answer

    def transport(self, rules: EgressRules) -> httpx2.AsyncBaseTransport:
        """Return a transport that asks `answer`."""

        def handle(request: httpx2.Request) -> httpx2.Response:
            _judge(request.url.scheme, request.url.host, request.url.port, rules)
            answer = self._answer(request)
            return httpx2.Response(answer.status_code, headers=answer.headers, stream=httpx2.ByteStream(answer.content))

        return httpx2.MockTransport(handle)

    async def addresses(self, host: str, port: int, rules: EgressRules) -> list[str]:
        """Return a public address. Raises: EgressRefused."""
        _judge(rules.schemes[0], host, port, rules)
        return ["93.184.215.14"]


def _judge(scheme: str, host: str, port: int | None, rules: EgressRules) -> None:
    reason = destination_refusal(scheme, host, port, rules)
    if reason is not None:
        raise EgressRefused(reason)
