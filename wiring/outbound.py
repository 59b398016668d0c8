"""The one guard of everything that connects to hosts, from settings; proxies of the environment serve addresses of the operator only."""

from urllib.request import getproxies, proxy_bypass

from adapters.outbound.clients import GuardedClients
from adapters.sandboxes.egress_proxy import Addresses
from domain.egress import EgressRules
from wiring.settings import Environment, OutboundSettings


def build_outbound(environment: Environment, settings: OutboundSettings | None = None) -> GuardedClients:
    """Return the factory of guarded transports; private networks are open outside production, and where declared."""
    networks = (settings or OutboundSettings()).networks
    return GuardedClients(allow_private=environment != "production", networks=networks, proxy_for=environment_proxy)


def sandbox_addresses(outbound: GuardedClients) -> Addresses:
    """Return what resolves and judges the hosts that sandboxes are let through to, whatever their port."""

    async def addresses(host: str, port: int) -> list[str]:
        return await outbound.addresses(host, port, EgressRules(ports=(port,)))

    return addresses


def environment_proxy(scheme: str, host: str) -> str | None:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, unless NO_PROXY has the host; loopback needs none."""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all")
