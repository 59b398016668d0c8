"""Immutable definition versions (DESIGN §4)."""

from psycopg.types.json import Json

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.select_texts import DEFINITION_NAMES, DEFINITION_VERSION, DEFINITION_VERSIONS, VERSIONS_OF_DEFINITION
from adapters.postgres.values import rfc3339
from domain.errors import NotFound, VersionExists
from domain.registry import DefinitionDraft, RegisteredDefinition
from domain.versions import by_name, highest, newest_first, parse_version

_INSERT = b"""
INSERT INTO definition_versions (tenant_id, name, version, sha256, document, input_schema, config_schema, config_defaults, tools,
    registered_by)
VALUES (%(tenant)s, %(name)s, %(version)s, %(sha256)s, %(document)s, %(input_schema)s, %(config_schema)s, %(config_defaults)s,
    %(tools)s, %(principal)s)
ON CONFLICT (tenant_id, name, version) DO NOTHING
"""

_JSON = ("document", "input_schema", "config_schema", "config_defaults", "tools")


class PostgresDefinitionStore:
    """Implements `DefinitionStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def register(self, tenant: str, draft: DefinitionDraft, *, principal: str) -> RegisteredDefinition:
        """Insert a version; the same content again is no-op.

        Raises:
            VersionExists: the version is there with other content.
            InvalidInput: the version is no semantic version.
        """
        parse_version(draft.version)
        fields = draft.model_dump()
        params = {**fields, **{name: Json(fields[name]) for name in _JSON}, "tenant": tenant, "principal": principal}
        async with self._db.tenant(tenant) as tx:
            await tx.execute("INSERT INTO definitions (tenant_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", [tenant, draft.name])
            await tx.execute(_INSERT, params)
            stored = await _one(tx, tenant, draft.name, draft.version)
        if stored.sha256 != draft.sha256:
            raise VersionExists(
                f"{draft.name} {draft.version} is registered with other content "
                f"(sha256 {stored.sha256[:12]}…, this is {draft.sha256[:12]}…): raise its version"
            )
        return stored

    async def get(self, tenant: str, name: str, version_range: str | None) -> RegisteredDefinition:
        """Return the highest version in an npm-style range (None: the highest).

        Raises:
            NotFound: nothing fits; the message names what there is.
            InvalidInput: the range cannot be read.
        """
        async with self._db.tenant(tenant) as tx:
            versions = [row["version"] for row in await tx.rows(VERSIONS_OF_DEFINITION, {"tenant": tenant, "name": name})]
            found = highest(versions, version_range)
            if found is not None:
                return await _one(tx, tenant, name, found)
            names = [row["name"] for row in await tx.rows(DEFINITION_NAMES, {"tenant": tenant})]
        if versions:
            raise NotFound(f"no version of {name} fits {version_range!r}: there are {', '.join(newest_first(versions))}")
        raise NotFound(f"there is no definition {name!r}: there are {', '.join(names) if names else 'none yet, register one'}")

    async def all(self, tenant: str) -> list[RegisteredDefinition]:
        """Return every version, by name, then newest first."""
        async with self._db.tenant(tenant) as tx:
            rows = [_registered(row) for row in await tx.rows(DEFINITION_VERSIONS, {"tenant": tenant})]
        found = {(row.name, row.version): row for row in rows}
        return [found[key] for key in by_name(found)]


async def _one(tx: Transaction, tenant: str, name: str, version: str) -> RegisteredDefinition:
    row = await tx.row(DEFINITION_VERSION, {"tenant": tenant, "name": name, "version": version})
    if row is None:
        raise NotFound(f"there is no definition {name} {version}")
    return _registered(row)


def _registered(row: Row) -> RegisteredDefinition:
    same = {field: row[field] for field in DefinitionDraft.model_fields}
    return RegisteredDefinition(registered_at=rfc3339(row["registered_at"]), registered_by=row["registered_by"], **same)
