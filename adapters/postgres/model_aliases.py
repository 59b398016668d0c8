"""A tenant's aliases of models."""

from psycopg.types.json import Json

from adapters.postgres.pool import Database, Row
from adapters.postgres.values import rfc3339
from domain.errors import NotFound
from domain.model_table import ModelAlias, StoredAlias

_ALL = b"SELECT * FROM model_aliases WHERE tenant_id = %s ORDER BY alias"
_PUT = b"""
INSERT INTO model_aliases (tenant_id, alias, meaning, set_by) VALUES (%(tenant)s, %(alias)s, %(meaning)s, %(principal)s)
ON CONFLICT (tenant_id, alias) DO UPDATE SET meaning = excluded.meaning, set_by = excluded.set_by, set_at = clock_timestamp() RETURNING *
"""
_REMOVE = b"DELETE FROM model_aliases WHERE tenant_id = %s AND alias = %s"


class PostgresAliasStore:
    """Implements `AliasStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self, tenant: str) -> list[StoredAlias]:
        """Return every alias, by name."""
        async with self._db.tenant(tenant) as tx:
            return [_stored(row) for row in await tx.rows(_ALL, [tenant])]

    async def put(self, tenant: str, alias: str, meaning: ModelAlias, *, principal: str) -> StoredAlias:
        """Set what an alias stands for.

        Raises:
            NotFound: never; the row is there once it is written.
        """
        said = Json(meaning.model_dump(mode="json"))
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_PUT, {"tenant": tenant, "alias": alias, "meaning": said, "principal": principal})
        if row is None:
            raise NotFound(f"there is no alias {alias}")
        return _stored(row)

    async def remove(self, tenant: str, alias: str) -> None:
        """Take an alias away.

        Raises:
            NotFound: there is none.
        """
        async with self._db.tenant(tenant) as tx:
            if not await tx.affected(_REMOVE, [tenant, alias]):
                raise NotFound(f"there is no alias {alias}")


def _stored(row: Row) -> StoredAlias:
    return StoredAlias(**row["meaning"], alias=row["alias"], set_by=row["set_by"], set_at=rfc3339(row["set_at"]))
