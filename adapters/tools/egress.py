"""Where a declared call may go: its host's addresses, resolved once, checked, and handed on so that the call uses exactly these."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from domain.errors import ToolFailed, ToolUnavailable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of (host, port), best first; raises OSError when there are none."""

TRANSLATED = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
"""IPv6 prefixes that stand for an IPv4 address (RFC 6052, 8215, 3056, 4380, 4291): a private one could hide in them."""
SHARED = ip_network("100.64.0.0/10")
"""RFC 6598: carrier-grade NAT and cloud-internal services."""


async def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system's resolver, off the event loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def allowed_addresses(host: str, port: int, *, resolve: Resolve, allow_private: bool) -> list[str]:
    """Return the addresses a call to `host` may connect to.

    Raises:
        ToolFailed: any of them is one this tool may not speak to.
        ToolUnavailable: the name does not resolve now.
    """
    try:
        addresses = await resolve(host, port)
    except OSError as error:
        raise ToolUnavailable(f"the host {host} has no address now: {error.strerror or error}") from error
    if not addresses:
        raise ToolUnavailable(f"the host {host} has no address now")
    for text in addresses:
        reason = refusal(text, allow_private=allow_private)
        if reason is not None:
            raise ToolFailed(f"the host {host} resolves to {text}, {reason}")
    return addresses


def refusal(text: str, *, allow_private: bool) -> str | None:
    """Return why an address may not be spoken to, or None.

    Link-local addresses, where cloud metadata services live, are refused always; loopback and private networks unless
    `allow_private`, which the development profile sets.
    """
    address = ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified or _is_translated(address):
        return "a link-local, multicast or translated address, which no tool may call"
    if allow_private and (address.is_loopback or address.is_private):
        return None
    if not address.is_global or address in SHARED:
        return "a private address; tools call public hosts only, unless private networks are allowed (development profile)"
    return None


def _is_translated(address: IPv4Address | IPv6Address) -> bool:
    """Whether an IPv4 address hides in this IPv6 address; ::1 lies in one of the prefixes and is plain loopback."""
    return address.version == 6 and not address.is_loopback and any(address in network for network in TRANSLATED)
