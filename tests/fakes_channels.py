"""A fake ChannelStore in memory, and channels that remember what they were given."""

from dataclasses import dataclass, field

from domain.channels import DECIDING_ROLES, ChannelRow, ChannelSettings, Contact
from domain.errors import Conflict, NotFound
from domain.principals import Principal
from domain.review_links import LinkGenerations

Key = tuple[str, str]


@dataclass
class FakeChannelStore:
    """ChannelStore in memory; `principals` are those of the key store."""

    principals: dict[Key, Principal]
    rows: dict[Key, ChannelRow] = field(default_factory=dict[Key, ChannelRow])
    addresses: dict[tuple[str, str, str], Contact] = field(default_factory=dict[tuple[str, str, str], Contact])
    links: dict[str, LinkGenerations] = field(default_factory=dict[str, LinkGenerations])

    async def add(self, tenant: str, channel: ChannelRow) -> ChannelRow:
        """Insert it, under a name of its own."""
        self._check_name(tenant, channel.channel, channel.name)
        self.rows[tenant, channel.channel] = channel
        return channel

    async def get(self, tenant: str, channel: str) -> ChannelRow:
        """Return the row."""
        if (tenant, channel) not in self.rows:
            raise NotFound(f"there is no channel {channel}")
        return self.rows[tenant, channel]

    async def all(self, tenant: str, *, enabled: bool | None = None) -> list[ChannelRow]:
        """Return the rows by name."""
        rows = [row for (owner, _), row in self.rows.items() if owner == tenant and enabled in (None, row.enabled)]
        return sorted(rows, key=lambda row: row.name)

    async def change(self, tenant: str, channel: str, settings: ChannelSettings) -> ChannelRow:
        """Replace the settings."""
        row = await self.get(tenant, channel)
        self._check_name(tenant, channel, settings.name)
        self.rows[tenant, channel] = row.model_copy(update={name: getattr(settings, name) for name in ChannelSettings.model_fields})
        return self.rows[tenant, channel]

    async def remove(self, tenant: str, channel: str) -> None:
        """Remove the row."""
        await self.get(tenant, channel)
        del self.rows[tenant, channel]

    async def set_contact(self, tenant: str, contact: Contact) -> None:
        """Set it."""
        if (tenant, contact.principal) not in self.principals:
            raise NotFound(f"there is no principal {contact.principal}")
        self.addresses[tenant, contact.principal, contact.kind] = contact

    async def remove_contact(self, tenant: str, principal: str, kind: str) -> None:
        """Forget it."""
        self.addresses.pop((tenant, principal, kind), None)

    async def contacts(self, tenant: str, *, principal: str | None = None) -> list[Contact]:
        """Return them in order."""
        return [self.addresses[key] for key in sorted(self.addresses) if key[0] == tenant and principal in (None, key[1])]

    async def reachable(self, tenant: str, kind: str, *, roles: tuple[str, ...] | None, principals: tuple[str, ...] | None) -> list[str]:
        """Return who may decide and has a contact."""
        named = [key[1] for key in sorted(self.addresses) if (key[0], key[2]) == (tenant, kind)]
        live = [self.principals[tenant, name] for name in named]
        return [
            one.id
            for one in live
            if one.role in DECIDING_ROLES
            and (roles is None or set(roles) & set(one.reviewer_roles))
            and (principals is None or one.id in principals)
        ]

    async def generations(self, tenant: str) -> LinkGenerations:
        """Return them."""
        return self.links.get(tenant, LinkGenerations())

    async def rotate_links(self, tenant: str, *, revoke: bool) -> LinkGenerations:
        """Begin the next one."""
        before = await self.generations(tenant)
        self.links[tenant] = LinkGenerations(before.current + 1, before.current + 1 if revoke else before.oldest)
        return self.links[tenant]

    def _check_name(self, tenant: str, channel: str, name: str) -> None:
        if any(row.name == name and key[0] == tenant and key[1] != channel for key, row in self.rows.items()):
            raise Conflict(f"there is a channel {name!r} already")
