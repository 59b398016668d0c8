"""Where a call to the outside may go, and the port through which every client connects. Pure: the one guard of all that speaks to hosts.

Who connects resolves the host once, checks every address here, and connects to exactly what it checked (`adapters/outbound`).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol, TypeVar

from domain.model import Value

GLOBAL_UNICAST = ip_network("2000::/3")
"""RFC 4291 §2.4: all IPv6 addresses that lead to public hosts; what lies beside it is local, mapped, translated or given to nobody."""
TRANSLATED = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96"))
"""IPv6 prefixes that stand for an IPv4 address (RFC 6052, 8215, 3056, 4380, 4291, 7915): a private one could hide in them."""
ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""RFC 5214 §6.1: the third quarter of an address whose last one is an IPv4 address."""
METADATA = frozenset(
    ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "169.254.169.254", "169.254.170.2")
)
"""Where clouds answer with credentials to whoever asks: Alibaba, Azure, Oracle, AWS and Google over IPv6, and the usual two."""
NOWHERE = (ip_network("0.0.0.0/8"), ip_network("192.88.99.0/24"), ip_network("240.0.0.0/4"))
"""RFC 1122 "this network" (which Linux takes for itself), RFC 7526's withdrawn relays, and what is given to nobody."""
SHARED = ip_network("100.64.0.0/10")
"""RFC 6598: carrier-grade NAT and cloud-internal services."""

PORTS_BLOCKED = frozenset(
    {
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113),
        *(115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548),
        *(554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697),
        *(2375, 2376, 2379, 3306, 5432, 5672, 6379, 6443, 7233, 9042, 9092, 9200, 10250, 11211, 27017),
    }
)
"""Ports of other protocols (WHATWG Fetch, "port blocking"), and in the last line of databases, brokers and control planes."""

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Default bound of an answer as it comes over the wire."""


class EgressRules(Value):
    """What one client may reach; a host is a name, or `*.name` for all names under it.

    `private` is None where the installation decides whether private networks are called, and True for an address that the operator
    set. No `hosts` or `ports` means any, but for those blocked. `seconds_max` bounds a whole exchange with its answer. With `proxied`,
    for addresses of the operator, the environment's proxy connects.
    """

    private: bool | None = None
    schemes: tuple[str, ...] = ("https", "http")
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    answer_bytes_max: int = ANSWER_BYTES_MAX
    seconds_max: float | None = None
    proxied: bool = False


OPERATOR = EgressRules(private=True, proxied=True)
"""For addresses that the operator set: private networks and proxies are theirs to choose; metadata services stay out of reach."""

TransportT_co = TypeVar("TransportT_co", covariant=True)


class OutboundClients(Protocol[TransportT_co]):
    """Gives every client of the outside its way out; nobody connects by another."""

    def transport(self, rules: EgressRules) -> TransportT_co:
        """Return the transport of a client under these rules; who asks closes it. A refused call raises EgressRefused."""
        ...

    async def addresses(self, host: str, port: int, rules: EgressRules) -> list[str]:
        """Return the addresses that a client with connections of its own may connect to.

        Raises:
            EgressRefused: the rules, or any of the host's addresses, forbid it.
            OSError: the host has no address now.
        """
        ...


def host_matches(host: str, pattern: str) -> bool:
    """Whether a host is the pattern's: the same name, or for `*.name` any name under it; case and a last dot make no difference."""
    name, wanted = host.lower().rstrip("."), pattern.lower().rstrip(".")
    return name.endswith(wanted[1:]) and name != wanted[1:] if wanted.startswith("*.") else name == wanted


def destination_refusal(scheme: str, host: str, port: int | None, rules: EgressRules) -> str | None:
    """Return why a URL's parts are no place for a client of these rules, or None; its addresses are checked besides."""
    if scheme not in rules.schemes:
        return f"{scheme or 'no scheme'}:// is not spoken; only {', '.join(rules.schemes)}"
    if not host:
        return "the URL names no host"
    if rules.hosts and not any(host_matches(host, pattern) for pattern in rules.hosts):
        return f"the host {host} is none of those declared: {', '.join(rules.hosts)}"
    number = port or (443 if scheme == "https" else 80)
    if rules.ports and number not in rules.ports:
        return f"the port {number} is none of {', '.join(map(str, rules.ports))}"
    if not rules.ports and not rules.private and number in PORTS_BLOCKED:
        return f"the port {number} belongs to another protocol or an internal service"
    return None


def refusal(text: str, *, allow_private: bool, networks: Iterable[str] = ()) -> str | None:
    """Return why an address may not be spoken to, or None.

    Link-local addresses and metadata services are refused always; loopback and private networks unless `allow_private`, or one of
    `networks` (CIDR) that the operator declared holds the address.
    """
    try:
        address = ip_address(text.split("%", maxsplit=1)[0])
    except ValueError:
        return "no address at all"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address in METADATA or address.is_multicast or _leads_elsewhere(address):
        return "a link-local, metadata, multicast or translated address, which nothing may call"
    if any(address in ip_network(network) for network in networks):
        return None
    if allow_private and (address.is_loopback or address.is_private or address in SHARED):
        return None
    if not address.is_global or address in SHARED:
        return "a private address; only public hosts are called, unless private networks are allowed (development profile)"
    return None


def _leads_elsewhere(address: IPv4Address | IPv6Address) -> bool:
    """Whether it hides an IPv4 address, is no host's, or lies outside what IPv6 gives to hosts; ::1 and fc00::/7 are plainly private."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in NOWHERE)
    if address.is_loopback or (address.is_private and address in ip_network("fc00::/7")):
        return False
    isatap = (int(address) >> 32) & 0xFFFFFFFF in ISATAP
    return isatap or address not in GLOBAL_UNICAST or any(address in network for network in TRANSLATED)
