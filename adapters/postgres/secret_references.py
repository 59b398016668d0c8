"""References of secrets by tenant, environment and name; no value ever comes here."""

from adapters.postgres.pool import Database, Row
from adapters.postgres.values import rfc3339
from domain.errors import Conflict, NotFound
from domain.secrets import SECRETS_MAX, DeclaredSecret

_PUT = b"""
INSERT INTO secret_references (tenant_id, environment, name, reference, set_by)
VALUES (%(tenant)s, %(environment)s, %(name)s, %(reference)s, %(by)s)
ON CONFLICT (tenant_id, environment, name) DO UPDATE SET reference = excluded.reference, set_by = excluded.set_by,
    set_at = clock_timestamp()
"""
_ONE = b"SELECT * FROM secret_references WHERE tenant_id = %(tenant)s AND environment = %(environment)s AND name = %(name)s"
_ALL = b"SELECT * FROM secret_references WHERE tenant_id = %(tenant)s ORDER BY environment, name"
_COUNT = b"SELECT count(*) AS n FROM secret_references WHERE tenant_id = %(tenant)s AND environment = %(environment)s AND name <> %(name)s"
_REMOVE = b"DELETE FROM secret_references WHERE tenant_id = %(tenant)s AND environment = %(environment)s AND name = %(name)s"


class PostgresSecretReferences:
    """Implements `SecretReferences`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, tenant: str, environment: str, name: str) -> DeclaredSecret:
        """Return one.

        Raises:
            NotFound: the tenant has none of that name in that environment.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_ONE, {"tenant": tenant, "environment": environment, "name": name})
        if row is None:
            raise NotFound(f"there is no secret {name} in the environment {environment}")
        return _declared(row)

    async def all(self, tenant: str) -> list[DeclaredSecret]:
        """Return all, by environment, then name."""
        async with self._db.tenant(tenant) as tx:
            return [_declared(row) for row in await tx.rows(_ALL, {"tenant": tenant})]

    async def put(self, tenant: str, environment: str, name: str, reference: str, *, by: str) -> DeclaredSecret:
        """Name one, or say anew where it lies.

        Raises:
            Conflict: there are as many as there may be.
        """
        given = {"tenant": tenant, "environment": environment, "name": name, "reference": reference, "by": by}
        async with self._db.tenant(tenant) as tx:
            others = await tx.row(_COUNT, given)
            if others is not None and others["n"] >= SECRETS_MAX:
                raise Conflict(f"a tenant has at most {SECRETS_MAX} secrets in one environment: remove one first")
            await tx.execute(_PUT, given)
        return await self.get(tenant, environment, name)

    async def remove(self, tenant: str, environment: str, name: str) -> None:
        """Take a name away.

        Raises:
            NotFound: there is none.
        """
        async with self._db.tenant(tenant) as tx:
            removed = await tx.affected(_REMOVE, {"tenant": tenant, "environment": environment, "name": name})
        if not removed:
            raise NotFound(f"there is no secret {name} in the environment {environment}")


def _declared(row: Row) -> DeclaredSecret:
    return DeclaredSecret(
        name=row["name"],
        environment=row["environment"],
        reference=row["reference"],
        set_by=row["set_by"],
        set_at=rfc3339(row["set_at"]),
    )
