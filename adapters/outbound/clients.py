"""The factory of guarded transports: one per process, which wiring hands to every adapter that speaks to hosts."""

import ssl
from collections.abc import Iterable

import httpx2

from adapters.outbound.network import Guard, Resolve, resolve_host
from adapters.outbound.transport import GuardedTransport, ProxyFor
from domain.egress import EgressRules


def no_proxy(_scheme: str, _host: str) -> str | None:
    """Return no proxy."""
    return None


class GuardedClients:
    """Implements `domain.egress.OutboundClients`.

    Args:
        allow_private: Whether loopback and private networks may be called where rules leave it open (never in production).
        networks: Private networks (CIDR) that the operator declared callable.
        resolve: The resolver.
        proxy_for: The environment's proxies, for rules that allow one.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        networks: Iterable[str] = (),
        resolve: Resolve = resolve_host,
        proxy_for: ProxyFor = no_proxy,
    ) -> None:
        self._guard = Guard(allow_private=allow_private, networks=networks, resolve=resolve)
        self._proxy_for = proxy_for
        self._tls_context: ssl.SSLContext | None = None

    def transport(self, rules: EgressRules) -> httpx2.AsyncBaseTransport:
        """Return a transport under these rules; who asks closes it."""
        return GuardedTransport(self._guard, rules, tls=self._tls, proxy_for=self._proxy_for)

    async def addresses(self, host: str, port: int, rules: EgressRules) -> list[str]:
        """Return the addresses that a client with connections of its own may connect to.

        Raises:
            EgressRefused: the rules, or any of the host's addresses, forbid it.
            OSError: the host has no address now.
        """
        self._guard.check(rules.schemes[0], host, port, rules)
        return await self._guard.addresses(host, port, rules)

    def _tls(self) -> ssl.SSLContext:
        """Return the context that all share: reading the certificates takes tens of milliseconds."""
        if self._tls_context is None:
            self._tls_context = httpx2.create_ssl_context()
        return self._tls_context
