"""Which addresses a call to the outside may connect to. Pure: the one guard of tools, webhooks and all that speaks to named hosts.

Who calls resolves the host itself, checks every address here, and connects to exactly what it checked.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

TRANSLATED = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
"""IPv6 prefixes that stand for an IPv4 address (RFC 6052, 8215, 3056, 4380, 4291): a private one could hide in them."""
SHARED = ip_network("100.64.0.0/10")
"""RFC 6598: carrier-grade NAT and cloud-internal services."""


def refusal(text: str, *, allow_private: bool) -> str | None:
    """Return why an address may not be spoken to, or None.

    Link-local addresses, where cloud metadata services live, are refused always; loopback and private networks unless
    `allow_private`, which the development profile sets.
    """
    address = ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified or _is_translated(address):
        return "a link-local, multicast or translated address, which nothing may call"
    if allow_private and (address.is_loopback or address.is_private):
        return None
    if not address.is_global or address in SHARED:
        return "a private address; only public hosts are called, unless private networks are allowed (development profile)"
    return None


def _is_translated(address: IPv4Address | IPv6Address) -> bool:
    """Whether an IPv4 address hides in this IPv6 address; ::1 lies in one of the prefixes and is plain loopback."""
    return address.version == 6 and not address.is_loopback and any(address in network for network in TRANSLATED)
