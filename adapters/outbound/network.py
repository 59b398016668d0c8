"""Connections that are checked: a name is resolved once, each address is judged, and the connection goes to what was judged."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

import httpcore2

from domain.egress import EgressRules, destination_refusal, refusal
from domain.errors import EgressRefused

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of (host, port), best first; raises OSError when there are none."""


async def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system's resolver, off the event loop.

    Raises:
        OSError: the host has no address.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Judges destinations. `allow_private` is the profile's answer where rules leave it open; `networks` (CIDR) are always allowed."""

    def __init__(self, *, allow_private: bool, networks: Iterable[str] = (), resolve: Resolve = resolve_host) -> None:
        self._allow_private = allow_private
        self._networks = tuple(networks)
        self._resolve = resolve

    def check(self, scheme: str, host: str, port: int | None, rules: EgressRules) -> None:
        """Judge what a URL says.

        Raises:
            EgressRefused: the rules forbid it.
        """
        reason = destination_refusal(scheme, host, port, rules)
        if reason is not None:
            raise EgressRefused(f"this call may not be made: {reason}")

    async def addresses(self, host: str, port: int, rules: EgressRules) -> list[str]:
        """Resolve a host once and judge all it gives; one bad address spoils them all.

        Raises:
            EgressRefused: an address is not allowed.
            OSError: there is none now.
        """
        found = await self._resolve(host, port)
        if not found:
            raise OSError("none was found")
        private = self._allow_private if rules.private is None else rules.private
        for text in found:
            reason = refusal(text, allow_private=private, networks=self._networks)
            if reason is not None:
                raise EgressRefused(f"the host {host} resolves to {text}, {reason}")
        return found


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """httpcore2's way to sockets, with the guard before each connection; TLS then asks for the name, not for the address."""

    def __init__(self, guard: Guard, rules: EgressRules) -> None:
        self._guard = guard
        self._rules = rules
        self._sockets = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())  # declared twice in the library

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first checked address that takes it.

        Raises:
            EgressRefused: an address is not allowed; nothing was connected.
            httpcore2.ConnectError: the host has no address, or none of them takes the connection.
            httpcore2.ConnectTimeout: not in time.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._guard.addresses(host, port, self._rules)
                return await self._first(addresses, port, timeout, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host}:{port} in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"the host {host} has no address now: {error.strerror or error}") from error

    async def _first(
        self,
        addresses: list[str],
        port: int,
        timeout: float | None,  # noqa: ASYNC109 - the library's interface
        local_address: str | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._sockets.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._sockets.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's interface
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002 - the library's interface
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: sockets of this machine are no outside.

        Raises:
            EgressRefused: always.
        """
        raise EgressRefused(f"the socket {path} of this machine may not be called")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
