"""JSON shapes of channels to reviewers: what is asked, and what is shown. A target is a secret, so it is never shown again."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import StringConstraints

from api.queries import Cursor, Limit
from domain.channels import KIND, Address, ChannelRow, ChannelSettings
from domain.ids import parse_id
from domain.model import Value
from domain.review_links import LinkGenerations

Person = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]


class ChannelView(Value):
    """A channel. `has_target` says whether it also writes to a place that several people read."""

    channel: str
    name: str
    kind: str
    role: str | None
    principal: str | None
    has_target: bool
    events: tuple[str, ...]
    enabled: bool
    created_by: str
    created_at: str


class ChannelChange(ChannelSettings):
    """New settings of a channel. Without `target` the stored one stays; null takes it away."""


class ChannelList(Value):
    """A tenant's channels by name, and the kinds that are installed."""

    items: tuple[ChannelView, ...]
    kinds: tuple[str, ...]


class ChannelRemoved(Value):
    """The answer to a removal."""

    channel: str
    removed: bool = True


class TestBody(Value):
    """Whom to send a test message: one reviewer at their contact, or (null) the channel's target."""

    __test__ = False

    reviewer: Person | None = None


class ChannelTestView(Value):
    """The delivery of the test message, whose log says what became of it."""

    channel: str
    delivery: str


class ContactBody(Value):
    """Where a reviewer is reached."""

    address: Address


class ContactView(Value):
    """Where a reviewer is reached by channels of one kind; `set_by` said so: the reviewer, or an administrator."""

    principal: str
    kind: str
    address: str
    set_by: str
    set_at: str


class ContactRemoved(Value):
    """The answer to a removal."""

    principal: str
    kind: str
    removed: bool = True


class ContactList(Value):
    """Contacts, by principal and kind."""

    items: tuple[ContactView, ...]


class RotateLinksBody(Value):
    """`revoke` ends every link that was sent before; without it they live on until they expire."""

    revoke: bool = False


class LinkKeysView(Value):
    """Links are signed with `generation`; those of generations before `oldest` are dead."""

    generation: int
    oldest: int


class ContactQuery(Value):
    """Whose contacts to list."""

    principal: Person | None = None


class ChannelDeliveryQuery(Value):
    """Which deliveries to list: of one reviewer, or those to the channel's target."""

    reviewer: Person | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


def channel_view(row: ChannelRow) -> ChannelView:
    """Show a channel without its target."""
    return ChannelView(**row.model_dump(exclude={"target"}), has_target=row.target is not None)


def generations_view(found: LinkGenerations) -> LinkKeysView:
    """Show which generations of link keys count."""
    return LinkKeysView(generation=found.current, oldest=found.oldest)


def _channel_id(channel_id: Annotated[str, Path(description="chn_ and 26 characters")]) -> str:
    return parse_id(channel_id, "chn")


ChannelIdInPath = Annotated[str, Depends(_channel_id)]
PrincipalInPath = Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="the reviewer's principal, or `me`")]
KindInPath = Annotated[str, Path(pattern=KIND, description="kind of channel, such as email")]
Contacts = Annotated[ContactQuery, Query()]
ChannelDeliveries = Annotated[ChannelDeliveryQuery, Query()]
