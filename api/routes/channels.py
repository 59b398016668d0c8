"""`/v1/channels` and `/v1/contacts`: where approvals and tasks are told, and where reviewers are reached."""

import logging
from enum import Enum

from fastapi import FastAPI

from api.channel_views import (
    ChannelChange,
    ChannelDeliveries,
    ChannelIdInPath,
    ChannelList,
    ChannelRemoved,
    ChannelTestView,
    ChannelView,
    ContactBody,
    ContactList,
    ContactRemoved,
    Contacts,
    ContactView,
    KindInPath,
    LinkKeysView,
    PrincipalInPath,
    RotateLinksBody,
    TestBody,
    channel_view,
    generations_view,
)
from api.context import Context, RequestContext
from api.deps import GatewayDeps, instant
from api.webhook_views import DeliveryView, delivery_view
from domain.channels import CHANNEL_TEST, ChannelRow, ChannelSettings, Contact, checked_address, checked_settings, endpoint_of
from domain.deliveries import NewDelivery, Recipient
from domain.delivery_stores import DeliveryFilter
from domain.errors import NotFound
from domain.events import Event, delivery_id
from domain.principals import Role
from domain.stores import Page

log = logging.getLogger(__name__)


class ChannelRoutes:
    """Channels and contacts over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._store = deps.channels.store

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["channels"]
        add, one = app.router.add_api_route, "/v1/channels/{channel_id}"
        contact = "/v1/contacts/{principal_id}/{kind}"
        add("/v1/channels", self.create_channel, methods=["POST"], tags=tags, status_code=201)
        add("/v1/channels", self.list_channels, methods=["GET"], tags=tags)
        add("/v1/channels/links/rotate", self.rotate_link_keys, methods=["POST"], tags=tags)
        add(one, self.get_channel, methods=["GET"], tags=tags)
        add(one, self.change_channel, methods=["PUT"], tags=tags)
        add(one, self.remove_channel, methods=["DELETE"], tags=tags)
        add(f"{one}/test", self.test_channel, methods=["POST"], tags=tags, status_code=202)
        add(f"{one}/deliveries", self.list_channel_deliveries, methods=["GET"], tags=tags)
        add("/v1/contacts", self.list_contacts, methods=["GET"], tags=tags)
        add(contact, self.set_contact, methods=["PUT"], tags=tags)
        add(contact, self.remove_contact, methods=["DELETE"], tags=tags)

    async def create_channel(self, body: ChannelSettings, context: Context) -> ChannelView:
        """Add a channel: reviewers with a role, or one reviewer, or a target that several people read, and the events it tells of.

        Raises:
            InvalidInput: it reaches nobody, or names a kind, an event or an address that is none. Conflict: the name is taken.
        """
        principal, settings = context.principal, checked_settings(body, self._deps.channels.kinds)
        row = ChannelRow(
            **settings.model_dump(), channel=self._deps.new_id("chn"), created_by=principal.id, created_at=instant(self._deps.now())
        )
        await self._deps.channels.activate(principal.tenant)
        added = await self._store.add(principal.tenant, row)
        _tell(context, "channel %s added", added.channel)
        context.kept = True
        return channel_view(added)

    async def list_channels(self, context: Context) -> ChannelList:
        """List channels by name, and the kinds that can be made."""
        rows = await self._store.all(context.principal.tenant)
        return ChannelList(items=tuple(channel_view(row) for row in rows), kinds=self._deps.channels.kinds)

    async def get_channel(self, channel_id: ChannelIdInPath, context: Context) -> ChannelView:
        """Show one channel."""
        return channel_view(await self._store.get(context.principal.tenant, channel_id))

    async def change_channel(self, channel_id: ChannelIdInPath, body: ChannelChange, context: Context) -> ChannelView:
        """Replace a channel's settings; a target that is not named stays.

        Raises:
            InvalidInput, Conflict: as for a new one. NotFound.
        """
        tenant = context.principal.tenant
        before = await self._store.get(tenant, channel_id)
        target = body.target if "target" in body.model_fields_set else before.target
        settings = ChannelSettings.model_validate({**body.model_dump(), "target": target})
        changed = await self._store.change(tenant, channel_id, checked_settings(settings, self._deps.channels.kinds))
        _tell(context, "channel %s changed", channel_id)
        context.kept = True
        return channel_view(changed)

    async def remove_channel(self, channel_id: ChannelIdInPath, context: Context) -> ChannelRemoved:
        """Remove a channel; what was not sent by then is not sent any more."""
        await self._store.remove(context.principal.tenant, channel_id)
        _tell(context, "channel %s removed", channel_id)
        context.kept = True
        return ChannelRemoved(channel=channel_id)

    async def test_channel(self, channel_id: ChannelIdInPath, body: TestBody, context: Context) -> ChannelTestView:
        """Send a test message to one reviewer, or to the channel's target. It is a delivery like any other."""
        tenant = context.principal.tenant
        row = await self._store.get(tenant, channel_id)
        event = Event(id=self._deps.new_id("evt"), type=CHANNEL_TEST, at=instant(self._deps.now()), tenant=tenant, run=None)
        endpoint = endpoint_of(channel_id, body.reviewer)
        await self._deps.channels.activate(tenant)
        await self._deps.webhooks.deliveries.add(tenant, [NewDelivery(event=event, to=Recipient(channel=row.kind, endpoint=endpoint))])
        context.kept = True
        return ChannelTestView(channel=channel_id, delivery=delivery_id(event.id, row.kind, endpoint))

    async def list_channel_deliveries(self, channel_id: ChannelIdInPath, where: ChannelDeliveries, context: Context) -> Page[DeliveryView]:
        """List what went to one reviewer by this channel, or to its target, newest first."""
        tenant = context.principal.tenant
        row = await self._store.get(tenant, channel_id)
        wanted = DeliveryFilter(limit=where.limit, cursor=where.cursor)
        page = await self._deps.webhooks.deliveries.page(tenant, row.kind, endpoint_of(channel_id, where.reviewer), wanted)
        return Page[DeliveryView](items=tuple(delivery_view(each) for each in page.items), next_cursor=page.next_cursor)

    async def list_contacts(self, where: Contacts, context: Context) -> ContactList:
        """List where reviewers are reached; who is no administrator sees their own."""
        caller = context.principal
        whose = where.principal if caller.role is Role.ADMIN else caller.id
        found = await self._store.contacts(caller.tenant, principal=whose)
        return ContactList(items=tuple(ContactView(**contact.model_dump()) for contact in found))

    async def set_contact(self, principal_id: PrincipalInPath, kind: KindInPath, body: ContactBody, context: Context) -> ContactView:
        """Say where a reviewer is reached by channels of a kind: your own, or, as an administrator, anybody's.

        Raises:
            NotFound: somebody else's, or there is no such principal. InvalidInput: it is no address of that kind.
        """
        whose = _owner(context, principal_id)
        address = checked_address(kind, body.address, where="/address")
        by, at = context.principal.id, instant(self._deps.now())
        contact = Contact(principal=whose, kind=kind, address=address, set_by=by, set_at=at)
        await self._store.set_contact(context.principal.tenant, contact)
        _tell(context, "contact of kind %s set for %s", kind, whose)
        context.kept = True
        return ContactView(**contact.model_dump())

    async def remove_contact(self, principal_id: PrincipalInPath, kind: KindInPath, context: Context) -> ContactRemoved:
        """Forget where a reviewer is reached: your own, or, as an administrator, anybody's."""
        whose = _owner(context, principal_id)
        await self._store.remove_contact(context.principal.tenant, whose, kind)
        _tell(context, "contact of kind %s forgotten for %s", kind, whose)
        context.kept = True
        return ContactRemoved(principal=whose, kind=kind)

    async def rotate_link_keys(self, body: RotateLinksBody, context: Context) -> LinkKeysView:
        """Begin the next key for signed links. With `revoke` every link that was sent is dead at once; else they live until they expire."""
        rotated = await self._store.rotate_links(context.principal.tenant, revoke=body.revoke)
        _tell(context, "link keys begin generation %s, links live from generation %s on", str(rotated.current), str(rotated.oldest))
        context.kept = True
        return generations_view(rotated)


def _tell(context: RequestContext, said: str, *names: str) -> None:
    """Log who changed whom links go to: none of it stands in a run's ledger. No address is logged.

    `said` has a %s for each of the names.
    """
    who = (context.principal.id, context.principal.tenant, context.correlation_id)
    log.info(said + ", by %s of tenant %s, correlation id %s", *names, *who)  # noqa: G003 - two formats, each with its own values


def _owner(context: RequestContext, principal: str) -> str:
    """Return whose contact it is, `me` being the caller. Somebody else's is refused: who sets it gets the links by which they decide.

    Raises:
        NotFound: it is not the caller's, who is no administrator.
    """
    caller = context.principal
    whose = caller.id if principal == "me" else principal
    if caller.role is not Role.ADMIN and caller.id != whose:
        raise NotFound(f"there is no contact of {whose} that you may set; an administrator may")
    return whose
