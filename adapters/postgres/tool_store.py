"""Registered tools, what was said of any, and grants; whose time it is the database's clock says."""

from psycopg.types.json import Json

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import rfc3339, rfc3339_or_none
from domain.errors import NotFound, VersionExists
from domain.tool_access import ToolGrant
from domain.tool_registry import ToolChange, ToolDraft, ToolRow, ToolState

_ROWS = b"SELECT * FROM tools WHERE tenant_id = %(tenant)s ORDER BY name, version"
_ONE = b"SELECT * FROM tools WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s FOR UPDATE"
_REGISTER = b"""
INSERT INTO tools AS t (tenant_id, name, version, state, declaration, sha256, registered_by, registered_at)
VALUES (%(tenant)s, %(name)s, %(version)s, 'active', %(declaration)s, %(sha256)s, %(principal)s, clock_timestamp())
ON CONFLICT (tenant_id, name, version) DO UPDATE SET declaration = excluded.declaration, sha256 = excluded.sha256,
    registered_by = excluded.registered_by, registered_at = excluded.registered_at
WHERE t.declaration IS NULL
"""
_STATE = b"""
INSERT INTO tools AS t (tenant_id, name, version, state) VALUES (%(tenant)s, %(name)s, %(version)s, %(state)s)
ON CONFLICT (tenant_id, name, version) DO UPDATE SET state = excluded.state WHERE t.state <> excluded.state
"""
_SAY = b"""
INSERT INTO tool_changes (tenant_id, name, version, change, state, reason, changed_by)
SELECT %(tenant)s, %(name)s, %(version)s, coalesce(max(change), 0) + 1, %(state)s, %(reason)s, %(by)s
FROM tool_changes WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s
"""
_SAID = b"""
SELECT * FROM tool_changes WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s ORDER BY change DESC LIMIT 100
"""
_FORGET = b"""
UPDATE tool_baselines SET baseline = '{}' WHERE tenant_id = %(tenant)s AND tool = %(name)s AND version = %(version)s
"""
_GRANTS = b"SELECT * FROM tool_grants WHERE tenant_id = %(tenant)s ORDER BY granted_at, tool_grant"
_GRANT = b"""
INSERT INTO tool_grants (tenant_id, tool_grant, tools, agents, roles, reason, granted_by)
VALUES (%(tenant)s, %(grant)s, %(tools)s, %(agents)s, %(roles)s, %(reason)s, %(granted_by)s)
ON CONFLICT (tenant_id, tool_grant) DO NOTHING
"""
_ONE_GRANT = b"SELECT * FROM tool_grants WHERE tenant_id = %(tenant)s AND tool_grant = %(grant)s"
_REVOKE = b"""
UPDATE tool_grants SET revoked_by = %(principal)s, revoked_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND tool_grant = %(grant)s AND revoked_at IS NULL
"""


class PostgresToolStore:
    """Implements `ToolStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def rows(self, tenant: str) -> list[ToolRow]:
        """Return every stored row."""
        async with self._db.tenant(tenant) as tx:
            return [_row(row) for row in await tx.rows(_ROWS, {"tenant": tenant})]

    async def register(self, tenant: str, drafts: list[ToolDraft], *, principal: str) -> None:
        """Store declarations, all or none.

        Raises:
            VersionExists: a version stands with other content.
        """
        async with self._db.tenant(tenant) as tx:
            for draft in sorted(drafts, key=lambda one: (one.spec.name, one.spec.version)):
                await _register(tx, tenant, draft, principal)

    async def change(self, tenant: str, name: str, version: str, change: ToolChange) -> bool:
        """Say something of a version; False when that is how it stands already."""
        async with self._db.tenant(tenant) as tx:
            changed = await say(tx, tenant, name, version, change)
            if changed and change.state is ToolState.ACTIVE:  # a person says that it is well: what is usual is learned anew
                await tx.execute(_FORGET, {"tenant": tenant, "name": name, "version": version})
            return changed

    async def changes(self, tenant: str, name: str, version: str) -> list[ToolChange]:
        """Return what was said of a version, latest first."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_SAID, {"tenant": tenant, "name": name, "version": version})
        return [
            ToolChange(state=ToolState(row["state"]), reason=row["reason"], by=row["changed_by"], at=rfc3339(row["changed_at"]))
            for row in rows
        ]

    async def grants(self, tenant: str) -> list[ToolGrant]:
        """Return all grants, oldest first."""
        async with self._db.tenant(tenant) as tx:
            return [grant_of(row) for row in await tx.rows(_GRANTS, {"tenant": tenant})]

    async def grant(self, tenant: str, grant: ToolGrant) -> ToolGrant:
        """Store a grant; the same id again returns the stored one."""
        fields = {"tenant": tenant, **grant.model_dump()}
        fields |= {name: list(getattr(grant, name)) for name in ("tools", "agents", "roles")}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_GRANT, fields)
            return await _one_grant(tx, tenant, grant.grant)

    async def revoke(self, tenant: str, grant: str, *, principal: str) -> ToolGrant:
        """Take a grant back; one that is taken back stays as it is.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_REVOKE, {"tenant": tenant, "grant": grant, "principal": principal})
            return await _one_grant(tx, tenant, grant)


async def say(tx: Transaction, tenant: str, name: str, version: str, change: ToolChange) -> bool:
    """Change a version's state within a transaction of the caller; False when it has it already."""
    said = {"tenant": tenant, "name": name, "version": version, "state": change.state.value, "reason": change.reason, "by": change.by}
    if change.state is ToolState.ACTIVE and await tx.row(_ONE, said) is None:
        return False
    if not await tx.affected(_STATE, said):
        return False
    await tx.execute(_SAY, said)
    return True


async def _register(tx: Transaction, tenant: str, draft: ToolDraft, principal: str) -> None:
    fields = {
        "tenant": tenant,
        "name": draft.spec.name,
        "version": draft.spec.version,
        "declaration": Json(draft.declaration),
        "sha256": draft.sha256,
        "principal": principal,
    }
    await tx.execute(_REGISTER, fields)
    row = await tx.row(_ONE, fields)
    if row is None or row["sha256"] != draft.sha256:
        raise VersionExists(
            f"the tool {draft.spec.name} {draft.spec.version} is registered with other content; give the changed tool a new version"
        )


async def _one_grant(tx: Transaction, tenant: str, grant: str) -> ToolGrant:
    row = await tx.row(_ONE_GRANT, {"tenant": tenant, "grant": grant})
    if row is None:
        raise NotFound(f"there is no grant {grant}")
    return grant_of(row)


def grant_of(row: Row) -> ToolGrant:
    """Return a row of `tool_grants` as the domain has it."""
    return ToolGrant(
        grant=row["tool_grant"],
        tools=tuple(row["tools"]),
        agents=tuple(row["agents"]),
        roles=tuple(row["roles"]),
        reason=row["reason"],
        granted_by=row["granted_by"],
        granted_at=rfc3339(row["granted_at"]),
        revoked_by=row["revoked_by"],
        revoked_at=rfc3339_or_none(row["revoked_at"]),
    )


def _row(row: Row) -> ToolRow:
    return ToolRow(
        name=row["name"],
        version=row["version"],
        state=ToolState(row["state"]),
        declaration=row["declaration"],
        sha256=row["sha256"],
        registered_at=rfc3339_or_none(row["registered_at"]),
        registered_by=row["registered_by"],
    )
