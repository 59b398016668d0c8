"""Policy sets of tenants. Every decision reads the choice, in one round trip by primary key."""

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import rfc3339, storable
from domain.errors import Conflict, NotFound, VersionExists
from domain.policy_sets import SETS_MAX, PolicySetDraft, StoredPolicySet

_SETS = b"""
SELECT s.*, c.version IS NOT NULL AS active FROM policy_sets s
LEFT JOIN policy_choices c ON c.tenant_id = s.tenant_id AND c.version = s.version
WHERE s.tenant_id = %(tenant)s
"""
_ALL = _SETS + b" ORDER BY s.created_at DESC, s.version DESC"
_ONE = _SETS + b" AND s.version = %(version)s"
_COUNT = b"SELECT count(*) AS n FROM policy_sets WHERE tenant_id = %(tenant)s"

_INSERT = b"""
INSERT INTO policy_sets (tenant_id, version, cedar, extends, comment, sha256, created_by)
VALUES (%(tenant)s, %(version)s, %(cedar)s, %(extends)s, %(comment)s, %(sha256)s, %(by)s)
ON CONFLICT DO NOTHING
"""

_CHOSEN = b"""
SELECT c.version AS choice, s.*, true AS active FROM set_config('standfast.tenant', %s, true) AS setting(tenant)
LEFT JOIN policy_choices c ON c.tenant_id = setting.tenant
LEFT JOIN policy_sets s ON s.tenant_id = c.tenant_id AND s.version = c.version
"""

_CHOOSE = b"""
INSERT INTO policy_choices (tenant_id, version, chosen_by) VALUES (%(tenant)s, %(version)s, %(by)s)
ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, chosen_by = excluded.chosen_by, chosen_at = clock_timestamp()
"""

_FORGET = b"DELETE FROM policy_choices WHERE tenant_id = %(tenant)s"


class PostgresPolicyStore:
    """Implements `PolicyStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, tenant: str, draft: PolicySetDraft, *, sha256: str, by: str) -> StoredPolicySet:
        """Keep a version; the same one with the same hash again changes nothing.

        Raises:
            VersionExists: the tenant has that version with other policies.
            Conflict: the tenant has as many versions as it may.
        """
        given = {"tenant": tenant, **draft.model_dump(), "cedar": storable(draft.cedar), "comment": storable(draft.comment)}
        async with self._db.tenant(tenant) as tx:
            count = await tx.row(_COUNT, {"tenant": tenant})
            if count is not None and count["n"] >= SETS_MAX:
                raise Conflict(f"a tenant keeps at most {SETS_MAX} versions of its policies")
            await tx.execute(_INSERT, {**given, "sha256": sha256, "by": by})
            stored = await _one(tx, tenant, draft.version)
        if stored.sha256 != sha256:
            raise VersionExists(f"policy set {draft.version} is registered already with other policies: a version never changes")
        return stored

    async def sets(self, tenant: str) -> list[StoredPolicySet]:
        """Return every version, newest first."""
        async with self._db.tenant(tenant) as tx:
            return [_stored(row) for row in await tx.rows(_ALL, {"tenant": tenant})]

    async def get(self, tenant: str, version: str) -> StoredPolicySet:
        """Return one version.

        Raises:
            NotFound: the tenant has no such version.
        """
        async with self._db.tenant(tenant) as tx:
            return await _one(tx, tenant, version)

    async def choose(self, tenant: str, version: str | None, *, by: str) -> None:
        """Let a version decide from now on; None lets the shipped set decide.

        Raises:
            NotFound: the tenant has no such version.
        """
        async with self._db.tenant(tenant) as tx:
            if version is None:
                await tx.execute(_FORGET, {"tenant": tenant})
                return
            await _one(tx, tenant, version)
            await tx.execute(_CHOOSE, {"tenant": tenant, "version": version, "by": by})

    async def chosen(self, tenant: str) -> StoredPolicySet | str | None:
        """Return the set that decides, its version where the set itself is missing, None for the shipped one."""
        row = await self._db.select(_CHOSEN, [tenant])
        if row["choice"] is None:
            return None
        return _stored(row) if row["version"] is not None else str(row["choice"])


async def _one(tx: Transaction, tenant: str, version: str) -> StoredPolicySet:
    row = await tx.row(_ONE, {"tenant": tenant, "version": version})
    if row is None:
        raise NotFound(f"there is no policy set {version}")
    return _stored(row)


def _stored(row: Row) -> StoredPolicySet:
    return StoredPolicySet(
        version=row["version"],
        cedar=row["cedar"],
        extends=row["extends"],
        comment=row["comment"],
        sha256=row["sha256"],
        created_by=row["created_by"],
        created_at=rfc3339(row["created_at"]),
        active=row["active"],
    )
