"""Whom channels reach with an event: one delivery for each reviewer who may decide and has a contact, one for each target.

Asked by the relay for every event (`domain.deliveries.Audience`). Who is reached is decided when the event is told; whether a reviewer may
still decide is asked again when their message is made (`activities/review_messages.py`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from domain.channels import SUBJECTS, ChannelRow, ChannelStore, endpoint_of
from domain.deliveries import NewDelivery, Recipient
from domain.errors import NotFound
from domain.events import Event, matches
from domain.people_stores import ApprovalStore
from domain.stores import KeyStore
from domain.substitutes import SubstituteStore, authority

SUBSTITUTIONS_MAX = 200
"""How many standing substitutions of a tenant are looked at for one event."""

HANDED_OVER = "approval.delegated"


class Asked(NamedTuple):
    """Who an event is for: holders of `roles` (None: of any), beside them `persons`; the requester not, where that is excluded."""

    roles: tuple[str, ...] | None
    persons: tuple[str, ...] = ()
    requester: str = ""
    exclude_requester: bool = False


class ReviewerAudience:
    """Implements `Audience` for the tenants' channels."""

    def __init__(self, *, channels: ChannelStore, approvals: ApprovalStore, substitutes: SubstituteStore, keys: KeyStore) -> None:
        self._channels = channels
        self._approvals = approvals
        self._substitutes = substitutes
        self._keys = keys

    async def recipients(self, tenant: str, events: list[Event]) -> list[NewDelivery]:
        """Return a delivery for each endpoint that an event goes to."""
        told = [event for event in events if event.type.partition(".")[0] in SUBJECTS]
        channels = await self._channels.all(tenant, enabled=True) if told else []
        found: list[NewDelivery] = []
        for event in told:
            wanted = [channel for channel in channels if matches(channel.events, event.type)]
            if wanted:
                asked = await self._asked(tenant, event)
                for channel in wanted:
                    endpoints = await self._endpoints(tenant, channel, asked)
                    found += [NewDelivery(event=event, to=Recipient(channel=channel.kind, endpoint=each)) for each in endpoints]
        return found

    async def _asked(self, tenant: str, event: Event) -> Asked:
        """Return who an event is for, from the inbox, or from the event while its approval is not there yet."""
        details = event.data.get("details")
        said = details if isinstance(details, dict) else {}
        if not event.type.startswith("approval."):
            return Asked(None)
        named = _texts(said.get("roles")) or _texts(said.get("role"))
        if event.type == HANDED_OVER:
            return Asked((), persons=_texts(said.get("to")))
        try:
            row = (await self._approvals.get(tenant, str(said.get("approval", "")))).projection
        except NotFound:
            return Asked(named)
        return Asked(named or tuple(row.roles), tuple(row.delegates), row.requester, row.exclude_requester)

    async def _endpoints(self, tenant: str, channel: ChannelRow, asked: Asked) -> list[str]:
        roles = _narrowed(asked.roles, channel.role)
        only = None if channel.principal is None else (channel.principal,)
        named: list[str] = []
        if channel.role is not None or channel.principal is not None:
            named += await self._channels.reachable(tenant, channel.kind, roles=roles, principals=only)
            named += await self._in_place(tenant, channel.kind, roles, only, asked)
            handed = [person for person in asked.persons if only is None or person in only]
            named += await self._channels.reachable(tenant, channel.kind, roles=None, principals=tuple(handed)) if handed else []
        excluded = asked.requester if asked.exclude_requester else None
        people = [endpoint_of(channel.channel, person) for person in dict.fromkeys(named) if person != excluded]
        concerned = channel.role is None or roles is None or bool(roles)
        return [*people, *([endpoint_of(channel.channel)] if channel.target is not None and concerned else [])]

    async def _in_place(
        self, tenant: str, kind: str, roles: tuple[str, ...] | None, only: tuple[str, ...] | None, asked: Asked
    ) -> list[str]:
        """Return reachable substitutes who may decide in the place of somebody with one of the roles."""
        if not roles:
            return []
        page = await self._substitutes.page(tenant, principal=None, standing=True, limit=SUBSTITUTIONS_MAX, cursor=None)
        standing = {each.substitute for each in page.items if only is None or each.substitute in only}
        named = await self._channels.reachable(tenant, kind, roles=None, principals=tuple(sorted(standing))) if standing else []
        return [person for person in named if await self._represents(tenant, person, roles, asked)]

    async def _represents(self, tenant: str, person: str, roles: Iterable[str], asked: Asked) -> bool:
        principal = await self._keys.principal(tenant, person)
        represented = await self._substitutes.represented(tenant, person)
        return bool(authority(principal, represented, roles, requester=asked.requester, exclude_requester=asked.exclude_requester).roles)


def _narrowed(roles: tuple[str, ...] | None, role: str | None) -> tuple[str, ...] | None:
    """Return the roles asked that a channel is for: an empty tuple when it is for none of them, None for everybody."""
    if role is None:
        return roles
    return (role,) if roles is None or role in roles else ()


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType]  # JSON of an event
