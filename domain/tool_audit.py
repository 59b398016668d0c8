"""The audit of tool calls: what each leaves behind in its run's ledger, as one row. Pure.

The arguments themselves are never in it: their digest is, and their form, from which the watch over calls learns what is usual
(`domain/tool_anomalies.py`). A form names no argument: each path is a short digest, with the type of what stood there.
"""

import hashlib
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import urlsplit

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import InvalidInput
from domain.model import Value
from domain.stores import Page

PATHS_MAX: Final = 48
"""So many places of a call's arguments are told apart; a ledger entry stays small."""
DEPTH_MAX: Final = 6
HOSTS_MAX: Final = 8
HOST_CHARS_MAX: Final = 253
"""RFC 1035 §2.3.4."""

SHORT_LABEL: Final = 3
COUNTRY: Final = 2
"""Under a country's zone of two letters a short label such as `co` or `com` is part of the zone."""

_TYPES: Final[dict[type, str]] = {str: "s", bool: "b", int: "n", float: "n", dict: "o", list: "l", type(None): "z"}


class CallVerdict(StrEnum):
    """What became of a call."""

    ALLOWED = "allowed"
    FAILED = "failed"
    SIMULATED = "simulated"
    REFUSED = "refused"
    DENIED = "denied"
    QUARANTINED = "quarantined"
    IN_DOUBT = "in_doubt"


class CallForm(Value):
    """The form of a call's arguments: their size, what stood where (`digest:type`), and the sites that addresses among them name."""

    bytes: int = 0
    shape: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class AuditedCall(Value):
    """One attempt at a call. Digests are the salted ones of its ledger entries; money in micro-USD; `at` is when it ended, RFC 3339 UTC.

    One that was refused before any effect (`refused`) has no digests.
    """

    run: str
    seq: int
    step: str | None
    call: str | None
    tool: str
    version: str
    agent: str | None
    principal: str
    verdict: CallVerdict
    code: str | None
    attempt: int
    arguments_digest: str | None
    result_digest: str | None
    cost_usd_micros: int
    form: CallForm
    at: str


class CallQuery(Value):
    """Filters of the audit; None is any. `since` and `until` are instants."""

    tool: str | None = None
    run: str | None = None
    agent: str | None = None
    principal: str | None = None
    verdict: CallVerdict | None = None
    since: str | None = None
    until: str | None = None


class CallAudit(Protocol):
    """Reads the audit of a tenant's tool calls."""

    async def page(self, tenant: str, query: CallQuery, *, limit: int, cursor: str | None) -> Page[AuditedCall]:
        """Return calls, latest first."""
        ...


def form_of(arguments: JsonValue, *, hosts: tuple[str, ...] = ()) -> CallForm:
    """Return the form of a call's arguments; `hosts` are those its tool names itself."""
    shape: dict[str, None] = {}
    found = {site_of(host): None for host in hosts}
    _look(arguments, "", 0, shape, found)
    try:
        size = len(canonical_bytes(arguments))
    except InvalidInput:  # a number that canonical JSON does not carry; the call itself is refused later
        size = 0
    return CallForm(bytes=size, shape=tuple(sorted(shape)[:PATHS_MAX]), hosts=tuple(sorted(found)[:HOSTS_MAX]))


def _look(node: JsonValue, path: str, depth: int, shape: dict[str, None], hosts: dict[str, None]) -> None:
    if path:
        shape[f"{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}:{_TYPES[type(node)]}"] = None
    if isinstance(node, str):
        host = host_of(node)
        if host is not None:
            hosts[site_of(host)] = None
    elif depth < DEPTH_MAX and len(shape) < PATHS_MAX:
        children = node.items() if isinstance(node, dict) else (("[]", child) for child in node) if isinstance(node, list) else ()
        for name, child in children:
            _look(child, f"{path}/{name}", depth + 1, shape, hosts)


def host_of(text: str) -> str | None:
    """Return the host that a text names, if it is an address of the web."""
    if not text[:8].lower().lstrip().startswith(("http://", "https://", "//", "ftp://", "ws://", "wss://")):
        return None
    try:
        host = urlsplit(text.strip()[:2000]).hostname
    except ValueError:
        return None
    return host[:HOST_CHARS_MAX] if host else None


def site_of(host: str) -> str:
    """Return the part of a host name that names its owner, an address as it is.

    A ledger entry holds it for good: what stands before it may hold anything, such as text that a model was made to smuggle out.
    """
    labels = host.lower().rstrip(".").split(".")
    if ":" in host or labels[-1].isdigit() or len(labels) == 1:
        return host.lower()
    kept = 3 if len(labels) > 2 and len(labels[-2]) <= SHORT_LABEL and len(labels[-1]) == COUNTRY else 2
    return ".".join(labels[-kept:])
