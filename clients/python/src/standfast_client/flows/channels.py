"""Channels to reviewers, and where reviewers are reached."""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.channels import Channel, Channels, ChannelTest, Contact, LinkKeys
from standfast_client.exchange import Flow, Link, delete, get, parse, plain, post, put
from standfast_client.flows.paging import paged
from standfast_client.models import JsonInput, Received
from standfast_client.webhooks import Delivery


class _Contacts(Received):
    items: list[Contact]


class _Removed(Received):
    removed: bool


def channels(link: Link) -> Flow[Channels]:
    """Read the channels and the kinds."""
    return parse((yield from link.ask(get("/channels"))), Channels)


def channel(link: Link, channel_id: str) -> Flow[Channel]:
    """Read one channel."""
    return parse((yield from link.ask(get(_path(channel_id)))), Channel)


def create(link: Link, settings: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[Channel]:
    """Add a channel; settings that are None are left out."""
    return parse((yield from link.ask(post("/channels", _body(settings), idempotency_key=idempotency_key))), Channel)


def change(link: Link, channel_id: str, settings: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[Channel]:
    """Replace a channel's settings; settings that are None are left out."""
    return parse((yield from link.ask(put(_path(channel_id), _body(settings), idempotency_key=idempotency_key))), Channel)


def remove(link: Link, channel_id: str, *, idempotency_key: str | None) -> Flow[None]:
    """Remove a channel."""
    parse((yield from link.ask(delete(_path(channel_id), idempotency_key=idempotency_key))), _Removed)


def test(link: Link, channel_id: str, *, reviewer: str | None, idempotency_key: str | None) -> Flow[ChannelTest]:
    """Send a test message."""
    request = post(f"{_path(channel_id)}/test", {"reviewer": reviewer}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), ChannelTest)


def deliveries(link: Link, channel_id: str, *, reviewer: str | None, limit: int) -> Flow[list[Delivery]]:
    """Read deliveries, newest first, up to `limit`."""
    return (yield from paged(link, f"{_path(channel_id)}/deliveries", Delivery, limit, reviewer=reviewer))


def contacts(link: Link, *, principal: str | None) -> Flow[list[Contact]]:
    """Read contacts."""
    return parse((yield from link.ask(get("/contacts", principal=principal))), _Contacts).items


def set_contact(link: Link, principal: str, kind: str, address: str, *, idempotency_key: str | None) -> Flow[Contact]:
    """Say where a reviewer is reached."""
    request = put(_contact_path(principal, kind), {"address": address}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Contact)


def remove_contact(link: Link, principal: str, kind: str, *, idempotency_key: str | None) -> Flow[None]:
    """Forget where a reviewer is reached."""
    parse((yield from link.ask(delete(_contact_path(principal, kind), idempotency_key=idempotency_key))), _Removed)


def rotate_links(link: Link, *, revoke: bool, idempotency_key: str | None) -> Flow[LinkKeys]:
    """Begin the next key for signed links."""
    request = post("/channels/links/rotate", {"revoke": revoke}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), LinkKeys)


def _body(settings: Mapping[str, JsonInput]) -> dict[str, JsonValue]:
    return {name: plain(value) for name, value in settings.items() if value is not None}


def _path(channel_id: str) -> str:
    return f"/channels/{quote(channel_id, safe='')}"


def _contact_path(principal: str, kind: str) -> str:
    return f"/contacts/{quote(principal, safe='')}/{quote(kind, safe='')}"
