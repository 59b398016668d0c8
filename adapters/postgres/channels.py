"""Channels to reviewers, where reviewers are reached, and the generations of link keys. Addresses are sealed under the tenant's key."""

from typing import cast

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from adapters.postgres.pool import Database, Row
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.values import rfc3339
from domain.channels import DECIDING_ROLES, ChannelRow, ChannelSettings, Contact
from domain.errors import Conflict, NotFound
from domain.review_links import LinkGenerations
from domain.stores import PayloadCipher

_ADD = b"""
INSERT INTO channels (tenant_id, channel, name, kind, reviewer_role, principal, target_sealed, events, enabled, created_by, created_at)
VALUES (%(tenant)s, %(channel)s, %(name)s, %(kind)s, %(role)s, %(principal)s, %(target)s, %(events)s, %(enabled)s, %(created_by)s,
    %(created_at)s)
"""
_CHANGE = b"""
UPDATE channels SET name = %(name)s, kind = %(kind)s, reviewer_role = %(role)s, principal = %(principal)s, target_sealed = %(target)s,
    events = %(events)s, enabled = %(enabled)s
WHERE tenant_id = %(tenant)s AND channel = %(channel)s
"""
_ALL = b"SELECT * FROM channels WHERE tenant_id = %(tenant)s AND (%(enabled)s::boolean IS NULL OR enabled = %(enabled)s) ORDER BY name"
_SET_CONTACT = b"""
INSERT INTO reviewer_contacts (tenant_id, principal, kind, address_sealed, set_by, set_at)
VALUES (%(tenant)s, %(principal)s, %(kind)s, %(address)s, %(set_by)s, %(set_at)s)
ON CONFLICT (tenant_id, principal, kind) DO UPDATE SET address_sealed = excluded.address_sealed, set_by = excluded.set_by,
    set_at = excluded.set_at
"""
_CONTACTS = b"""
SELECT * FROM reviewer_contacts WHERE tenant_id = %(tenant)s AND (%(principal)s::text IS NULL OR principal = %(principal)s)
ORDER BY principal, kind
"""
_REACHABLE = b"""
SELECT p.principal FROM principals p JOIN reviewer_contacts c ON c.tenant_id = p.tenant_id AND c.principal = p.principal
WHERE p.tenant_id = %(tenant)s AND c.kind = %(kind)s AND p.role = ANY(%(deciding)s)
    AND (%(roles)s::text[] IS NULL OR p.reviewer_roles && %(roles)s::text[])
    AND (%(principals)s::text[] IS NULL OR p.principal = ANY(%(principals)s::text[]))
ORDER BY p.principal
"""
_ROTATE = b"""
INSERT INTO review_link_keys (tenant_id, generation, oldest) VALUES (%(tenant)s, 2, CASE WHEN %(revoke)s THEN 2 ELSE 1 END)
ON CONFLICT (tenant_id) DO UPDATE SET generation = review_link_keys.generation + 1, rotated_at = clock_timestamp(),
    oldest = CASE WHEN %(revoke)s THEN review_link_keys.generation + 1 ELSE review_link_keys.oldest END
RETURNING generation, oldest
"""


class PostgresChannelStore:
    """Implements `ChannelStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def add(self, tenant: str, channel: ChannelRow) -> ChannelRow:
        """Insert a channel.

        Raises:
            Conflict: the tenant has another one of that name.
        """
        fields = {**self._columns(tenant, channel.channel, channel), "created_by": channel.created_by, "created_at": channel.created_at}
        try:
            async with self._db.tenant(tenant) as tx:
                await tx.execute(_ADD, fields)
        except UniqueViolation as error:
            raise Conflict(f"there is a channel {channel.name!r} already") from error
        return channel

    async def get(self, tenant: str, channel: str) -> ChannelRow:
        """Return one channel.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row("SELECT * FROM channels WHERE tenant_id = %s AND channel = %s", [tenant, channel])
        if row is None:
            raise NotFound(f"there is no channel {channel}")
        return self._channel(row)

    async def all(self, tenant: str, *, enabled: bool | None = None) -> list[ChannelRow]:
        """Return every channel, by name."""
        async with self._db.tenant(tenant) as tx:
            return [self._channel(row) for row in await tx.rows(_ALL, {"tenant": tenant, "enabled": enabled})]

    async def change(self, tenant: str, channel: str, settings: ChannelSettings) -> ChannelRow:
        """Replace the settings.

        Raises:
            NotFound: there is no such channel.
            Conflict: another one has that name.
        """
        try:
            async with self._db.tenant(tenant) as tx:
                await tx.execute(_CHANGE, self._columns(tenant, channel, settings))
        except UniqueViolation as error:
            raise Conflict(f"there is a channel {settings.name!r} already") from error
        return await self.get(tenant, channel)

    async def remove(self, tenant: str, channel: str) -> None:
        """Remove a channel.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            removed = await tx.affected("DELETE FROM channels WHERE tenant_id = %s AND channel = %s", [tenant, channel])
        if not removed:
            raise NotFound(f"there is no channel {channel}")

    async def set_contact(self, tenant: str, contact: Contact) -> None:
        """Set where a reviewer is reached.

        Raises:
            NotFound: there is no such principal.
        """
        sealed = seal_text(self._cipher, tenant, _contact_place(contact.principal, contact.kind), contact.address)
        fields = {"tenant": tenant, "principal": contact.principal, "kind": contact.kind, "address": sealed}
        fields |= {"set_by": contact.set_by, "set_at": contact.set_at}
        try:
            async with self._db.tenant(tenant) as tx:
                await tx.execute(_SET_CONTACT, fields)
        except ForeignKeyViolation as error:
            raise NotFound(f"there is no principal {contact.principal}") from error

    async def remove_contact(self, tenant: str, principal: str, kind: str) -> None:
        """Forget where a reviewer is reached."""
        query = "DELETE FROM reviewer_contacts WHERE tenant_id = %s AND principal = %s AND kind = %s"
        async with self._db.tenant(tenant) as tx:
            await tx.execute(query, [tenant, principal, kind])

    async def contacts(self, tenant: str, *, principal: str | None = None) -> list[Contact]:
        """Return contacts, by principal and kind."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_CONTACTS, {"tenant": tenant, "principal": principal})
        return [self._contact(row) for row in rows]

    async def reachable(self, tenant: str, kind: str, *, roles: tuple[str, ...] | None, principals: tuple[str, ...] | None) -> list[str]:
        """Return the principals that may decide and have a contact of this kind, in order."""
        fields = {
            "tenant": tenant,
            "kind": kind,
            "deciding": sorted(DECIDING_ROLES),
            "roles": None if roles is None else list(roles),
            "principals": None if principals is None else list(principals),
        }
        async with self._db.tenant(tenant) as tx:
            return [row["principal"] for row in await tx.rows(_REACHABLE, fields)]

    async def generations(self, tenant: str) -> LinkGenerations:
        """Return which generations of the tenant's link keys count."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row("SELECT generation, oldest FROM review_link_keys WHERE tenant_id = %s", [tenant])
        return LinkGenerations() if row is None else LinkGenerations(row["generation"], row["oldest"])

    async def rotate_links(self, tenant: str, *, revoke: bool) -> LinkGenerations:
        """Begin the next generation; with `revoke`, every link made before is dead at once."""
        async with self._db.tenant(tenant) as tx:
            (row,) = await tx.rows(_ROTATE, {"tenant": tenant, "revoke": revoke})
        return LinkGenerations(row["generation"], row["oldest"])

    def _columns(self, tenant: str, channel: str, settings: ChannelSettings) -> dict[str, object]:
        target = None if settings.target is None else seal_text(self._cipher, tenant, _place(channel), settings.target)
        same = {"name": settings.name, "kind": settings.kind, "role": settings.role, "principal": settings.principal}
        return {
            "tenant": tenant,
            "channel": channel,
            **same,
            "target": target,
            "events": list(settings.events),
            "enabled": settings.enabled,
        }

    def _channel(self, row: Row) -> ChannelRow:
        sealed: bytes | None = row["target_sealed"]
        target = None if sealed is None else cast("str", open_text(self._cipher, row["tenant_id"], _place(row["channel"]), sealed))
        return ChannelRow(
            channel=row["channel"],
            name=row["name"],
            kind=row["kind"],
            role=row["reviewer_role"],
            principal=row["principal"],
            target=target,
            events=tuple(row["events"]),
            enabled=row["enabled"],
            created_by=row["created_by"],
            created_at=rfc3339(row["created_at"]),
        )

    def _contact(self, row: Row) -> Contact:
        place = _contact_place(row["principal"], row["kind"])
        address = cast("str", open_text(self._cipher, row["tenant_id"], place, row["address_sealed"]))
        said = {"set_by": row["set_by"], "set_at": rfc3339(row["set_at"])}
        return Contact(principal=row["principal"], kind=row["kind"], address=address, **said)


def _place(channel: str) -> str:
    return f"channels/{channel}"


def _contact_place(principal: str, kind: str) -> str:
    return f"reviewer_contacts/{principal}/{kind}"
