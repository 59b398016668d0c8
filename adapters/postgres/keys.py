"""API keys and principals (DESIGN §10). Secrets arrive as HMACs; this room never sees a key."""

import hmac

from adapters.postgres.pool import Database, Row
from adapters.postgres.select_texts import API_KEY
from domain.errors import Conflict, NotFound
from domain.principals import Principal, Role

_PRINCIPAL = b"""
SELECT p.* FROM set_config('standfast.tenant', %s, true) AS setting(tenant)
LEFT JOIN principals p ON p.tenant_id = setting.tenant AND p.principal = %s
"""
_INSERT_PRINCIPAL = b"""
INSERT INTO principals (tenant_id, principal, name, role, reviewer_roles)
VALUES (%(tenant)s, %(principal)s, %(name)s, %(role)s, %(reviewer_roles)s)
ON CONFLICT (tenant_id, principal) DO NOTHING
"""
_INSERT_KEY = b"""
INSERT INTO api_keys (tenant_id, key_id, principal, secret_hmac)
VALUES (%(tenant)s, %(key_id)s, %(principal)s, %(secret_hmac)s)
ON CONFLICT (tenant_id, key_id) DO NOTHING
"""
_NOBODY = bytes(32)


class PostgresKeyStore:
    """Implements `KeyStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def authenticate(self, key_id: str, secret_hmac: bytes) -> Principal | None:
        """Return the principal of a live key, compared in constant time, or None. Works before a tenant is known."""
        async with self._db.platform() as tx:
            rows = await tx.rows("SELECT * FROM find_api_key(%s)", [key_id])
        if not rows:
            hmac.compare_digest(secret_hmac, _NOBODY)
        live = [row for row in rows if hmac.compare_digest(bytes(row["secret_hmac"]), secret_hmac)]
        return _principal(live[0]) if live else None

    async def principal(self, tenant: str, principal: str) -> Principal:
        """Return the principal with its live roles.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        row = await self._db.select(_PRINCIPAL, [tenant, principal])
        if row["principal"] is None:
            raise NotFound(f"there is no principal {principal}")
        return _principal(row)

    async def create(
        self, tenant: str, *, key_id: str, secret_hmac: bytes, principal: str, name: str, role: Role, reviewer_roles: tuple[str, ...]
    ) -> None:
        """Insert a principal, if it is new, and a key for it; the same key again changes nothing.

        Raises:
            Conflict: the key id belongs to another secret or principal.
        """
        fields = {
            "tenant": tenant,
            "key_id": key_id,
            "secret_hmac": secret_hmac,
            "principal": principal,
            "name": name,
            "role": role.value,
            "reviewer_roles": list(reviewer_roles),
        }
        async with self._db.tenant(tenant) as tx:
            await tx.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", [tenant])
            await tx.execute(_INSERT_PRINCIPAL, fields)
            await tx.execute(_INSERT_KEY, fields)
            row = await tx.row(API_KEY, fields)
        if row is None or row["principal"] != principal or not hmac.compare_digest(bytes(row["secret_hmac"]), secret_hmac):
            raise Conflict(f"the key {key_id} belongs to another secret or principal")

    async def set_reviewer_roles(self, tenant: str, principal: str, reviewer_roles: tuple[str, ...]) -> None:
        """Replace the reviewer roles.

        Raises:
            NotFound: there is no such principal.
        """
        async with self._db.tenant(tenant) as tx:
            changed = await tx.affected(
                "UPDATE principals SET reviewer_roles = %s WHERE tenant_id = %s AND principal = %s",
                [list(reviewer_roles), tenant, principal],
            )
        if not changed:
            raise NotFound(f"there is no principal {principal}")

    async def revoke(self, tenant: str, key_id: str) -> None:
        """Make a key dead at once; a dead one stays dead.

        Raises:
            NotFound: there is no such key.
        """
        async with self._db.tenant(tenant) as tx:
            changed = await tx.affected(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE tenant_id = %s AND key_id = %s",
                [tenant, key_id],
            )
        if not changed:
            raise NotFound(f"there is no key {key_id}")


def _principal(row: Row) -> Principal:
    return Principal(
        id=row["principal"],
        tenant=row["tenant_id"],
        role=Role(row["role"]),
        reviewer_roles=tuple(row["reviewer_roles"]),
        name=row["name"],
    )
