"""Channels to reviewers: where a tenant wants approvals and tasks told, whom they reach, and what a message says. Pure.

A channel has a kind (`email`, `slack`, `webhook`, or a plugin's) and reaches reviewers, each at their own contact of that kind, with a
signed link of their own. Its `target` is a place that several people read, such as a room: what goes there never holds a signed link,
since whoever follows one decides in its reviewer's name.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import Field, StringConstraints

from domain.deliveries import AttemptResult, Channel, Outgoing
from domain.egress import OutboundClients
from domain.errors import InvalidInput
from domain.events import checked_filters
from domain.model import Value
from domain.principals import Role
from domain.review_links import LinkGenerations
from domain.review_summary import ReviewSummary

GROUP = "standfast.channels"
"""The entry-point group of channels."""

DECIDING_ROLES = frozenset({Role.APPROVER, Role.ADMIN})
"""Platform roles that may decide; who has another is sent nothing."""

CHANNEL_TEST = "channel.test"
"""The type of the event that a person sends to try a channel; no entry stands behind it."""

SUBJECTS = ("approval", "task")
"""Events of these subjects can go to people."""

KIND = r"^[a-z][a-z0-9_-]{0,39}$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Kind = Annotated[str, StringConstraints(pattern=KIND)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x20\x7f]+$")]
"""A mail address or URL: no spaces and no control characters, so that it cannot end a line of a message."""

_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*")
"""WHATWG HTML's address of `<input type=email>`: quoted local parts and comments of RFC 5322 are left out on purpose."""


class ChannelSettings(Value):
    """What a person sets: whom it reaches (reviewers with `role`, or one `principal`), and what it tells. `target` is kept sealed."""

    name: Name
    kind: Kind
    role: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    principal: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    target: Address | None = None
    events: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    enabled: bool = True


class ChannelRow(ChannelSettings):
    """A channel as it is stored; times are RFC 3339 UTC."""

    channel: str
    created_by: str
    created_at: str


class Contact(Value):
    """Where one reviewer is reached by channels of a kind; `set_by` said so at `set_at` (RFC 3339 UTC)."""

    principal: str
    kind: Kind
    address: Address
    set_by: str
    set_at: str


class ChannelStore(Protocol):
    """Channels, contacts, and the generations of a tenant's link keys."""

    async def add(self, tenant: str, channel: ChannelRow) -> ChannelRow:
        """Insert a channel. Raises: Conflict when the tenant has another one of that name."""
        ...

    async def get(self, tenant: str, channel: str) -> ChannelRow:
        """Raises: NotFound."""
        ...

    async def all(self, tenant: str, *, enabled: bool | None = None) -> list[ChannelRow]:
        """Return every channel, by name."""
        ...

    async def change(self, tenant: str, channel: str, settings: ChannelSettings) -> ChannelRow:
        """Replace the settings. Raises: NotFound, Conflict."""
        ...

    async def remove(self, tenant: str, channel: str) -> None:
        """Raises: NotFound."""
        ...

    async def set_contact(self, tenant: str, contact: Contact) -> None:
        """Set where a reviewer is reached. Raises: NotFound when there is no such principal."""
        ...

    async def remove_contact(self, tenant: str, principal: str, kind: str) -> None:
        """Forget it; nothing happens when there is none."""
        ...

    async def contacts(self, tenant: str, *, principal: str | None = None) -> list[Contact]:
        """Return contacts, by principal and kind."""
        ...

    async def reachable(self, tenant: str, kind: str, *, roles: tuple[str, ...] | None, principals: tuple[str, ...] | None) -> list[str]:
        """Return the principals that may decide and have a contact of this kind, each once, in order.

        Narrowed to those who hold one of `roles` now, and to `principals`; None does not narrow.
        """
        ...

    async def generations(self, tenant: str) -> LinkGenerations:
        """Return which generations of the tenant's link keys count."""
        ...

    async def rotate_links(self, tenant: str, *, revoke: bool) -> LinkGenerations:
        """Begin the next generation; with `revoke`, every link made before is dead at once."""
        ...


class ReviewMessage(Value):
    """What a channel is to tell one reviewer, or one room.

    Attributes:
        message: A stable id of this message: the event's, so that a repeated attempt is seen as the same message.
        event: The event's type, such as `approval.opened`.
        address: Where it goes, in the channel's own words.
        heading: One line, what it is about; control and bidirectional characters are named.
        lines: Sentences above the calls.
        link: The address of the page on which this reviewer decides; None where nobody may decide from the message.
        summary: What will run; None for a message that is not about an approval.
        expires_at: When the link expires, RFC 3339 UTC.
    """

    message: str
    event: str
    address: str
    heading: str
    lines: tuple[str, ...] = ()
    link: str | None = None
    summary: ReviewSummary | None = None
    expires_at: str | None = None


class MessageSource(Protocol):
    """Makes the message of a delivery when it is about to be sent: with what holds then, and the reviewer's own link."""

    async def message(self, endpoint: str, delivery: Outgoing) -> ReviewMessage | AttemptResult:
        """Return the message, or the result of an attempt that needs no sending: the approval was decided, the channel removed."""
        ...


@dataclass(frozen=True, kw_only=True)
class ChannelContext:
    """What a channel's factory may build on: the messages, settings and secrets by name, and whether private addresses may be called.

    `setting` raises LookupError when there is none of that name. A channel over HTTP connects by a transport of `outbound`.
    """

    messages: MessageSource
    setting: Callable[[str], str]
    outbound: OutboundClients[Any]  # the transports' type is the library's, which the domain does not know
    allow_private: bool = False


ChannelFactory = Callable[[ChannelContext], Iterable[Channel]]
"""What an entry point of the group `standfast.channels` names."""


def checked_settings(settings: ChannelSettings, kinds: Iterable[str]) -> ChannelSettings:
    """Return settings as they are stored: event filters sorted, each once.

    Raises:
        InvalidInput: it reaches nobody, or an event, kind or address is none.
    """
    known = sorted(kinds)
    if settings.kind not in known:
        raise InvalidInput(f"there is no channel kind {settings.kind!r} here; there is {', '.join(known)}", where="/kind")
    if settings.role is not None and settings.principal is not None:
        raise InvalidInput("name a role or a principal, not both", where="/principal")
    if settings.role is None and settings.principal is None and settings.target is None:
        raise InvalidInput("name whom it reaches: a role, a principal, or a target that people read", where="/role")
    events = checked_filters(settings.events)
    for one in events:
        if one.partition(".")[0] not in SUBJECTS:
            raise InvalidInput(
                f"channels tell of approvals and tasks, and {one!r} is neither: name approval.opened, task.* …", where="/events"
            )
    if settings.target is not None:
        checked_address(settings.kind, settings.target, where="/target")
    return settings.model_copy(update={"events": events})


def checked_address(kind: str, address: str, *, where: str) -> str:
    """Return an address that a channel of this kind could use; a plugin's kind checks its own when it sends.

    Raises:
        InvalidInput: it is no mail address, or no https URL.
    """
    if kind == "email" and _MAIL.fullmatch(address) is None:
        raise InvalidInput(f"{address[:80]!r} is no mail address, such as ada@example.org", where=where)
    if kind in {"slack", "webhook"} and not address.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
        raise InvalidInput("the address must begin with https://", where=where)
    return address


def endpoint_of(channel: str, principal: str | None = None) -> str:
    """Return a delivery's endpoint: the channel, and the reviewer it goes to; without one it goes to the channel's target."""
    return channel if principal is None else f"{channel}/{principal}"


def endpoint_parts(endpoint: str) -> tuple[str, str | None]:
    """Return channel and reviewer of an endpoint."""
    channel, _, principal = endpoint.partition("/")
    return channel, principal or None
