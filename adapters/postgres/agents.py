"""Registered agents and prompts: immutable versions, and the moves of agents between statuses."""

from collections.abc import Iterable

from psycopg.types.json import Json

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import rfc3339
from domain.agents import AgentManifest, AgentMove, AgentStatus, RegisteredAgent, RegisteredPrompt, text_sha256
from domain.errors import VersionExists, WrongStatus
from domain.versions import by_name, parse_version

_VERSION = b"SELECT * FROM agents WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s"
_NAMED = b"SELECT * FROM agents WHERE tenant_id = %(tenant)s AND name = ANY(%(names)s)"
_ALL = b"SELECT * FROM agents WHERE tenant_id = %(tenant)s ORDER BY name"
_ADD = b"""
INSERT INTO agents (tenant_id, name, version, sha256, manifest, owner, status, registered_by)
VALUES (%(tenant)s, %(name)s, %(version)s, %(sha256)s, %(manifest)s, %(owner)s, 'draft', %(principal)s)
ON CONFLICT (tenant_id, name, version) DO NOTHING
"""
_MOVE = b"""
UPDATE agents SET status = %(after)s
WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s AND status = %(before)s
"""
_NOTE = b"""
INSERT INTO agent_moves (tenant_id, name, version, place, before, after, principal, comment)
SELECT %(tenant)s, %(name)s, %(version)s, coalesce(max(place), 0) + 1, %(before)s::text, %(after)s, %(principal)s, %(comment)s
FROM agent_moves WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s
"""
_MOVES = b"""
SELECT before, after, principal, comment, at FROM agent_moves
WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s ORDER BY place
"""
_ADD_PROMPT = b"""
INSERT INTO prompts (tenant_id, name, version, sha256, body, registered_by)
VALUES (%(tenant)s, %(name)s, %(version)s, %(sha256)s, %(body)s, %(principal)s) ON CONFLICT (tenant_id, name, version) DO NOTHING
"""
_PROMPTS = b"SELECT * FROM prompts WHERE tenant_id = %(tenant)s AND (%(name)s::text IS NULL OR name = %(name)s) ORDER BY name"


class PostgresAgentStore:
    """Implements `AgentStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def register(self, tenant: str, manifest: AgentManifest, *, owner: str, principal: str) -> RegisteredAgent:
        """Insert a version as a draft; the same content again changes nothing.

        Raises:
            VersionExists: the version is there with other content.
            InvalidInput: the version is no semantic version.
        """
        parse_version(manifest.version)
        sha256 = manifest.sha256()
        key: dict[str, object] = {"tenant": tenant, "name": manifest.name, "version": manifest.version}
        said = {"sha256": sha256, "manifest": Json(manifest.model_dump(mode="json")), "owner": owner, "principal": principal}
        async with self._db.tenant(tenant) as tx:
            if await tx.affected(_ADD, {**key, **said}):
                await tx.execute(_NOTE, {**key, "before": None, "after": AgentStatus.DRAFT, "principal": principal, "comment": ""})
            stored = await _one(tx, key)
        if stored is None or stored.sha256 != sha256:
            raise VersionExists(
                f"the agent {manifest.name} {manifest.version} is registered with other content (this is {sha256[:12]}…): raise its version"
            )
        return stored

    async def get(self, tenant: str, name: str, version: str) -> RegisteredAgent | None:
        """Return one version."""
        async with self._db.tenant(tenant) as tx:
            return await _one(tx, {"tenant": tenant, "name": name, "version": version})

    async def named(self, tenant: str, names: Iterable[str]) -> list[RegisteredAgent]:
        """Return every version of these agents."""
        async with self._db.tenant(tenant) as tx:
            return [_agent(row) for row in await tx.rows(_NAMED, {"tenant": tenant, "names": sorted(names)})]

    async def all(self, tenant: str) -> list[RegisteredAgent]:
        """Return every version, by name, then newest first."""
        async with self._db.tenant(tenant) as tx:
            found = {(row["name"], row["version"]): _agent(row) for row in await tx.rows(_ALL, {"tenant": tenant})}
        return [found[key] for key in by_name(found)]

    async def move(self, tenant: str, agent: RegisteredAgent, after: AgentStatus, *, principal: str, comment: str) -> RegisteredAgent:
        """Move a version that stands where `agent` says, and note who did.

        Raises:
            WrongStatus: it stands elsewhere by now.
        """
        key: dict[str, object] = {"tenant": tenant, "name": agent.name, "version": agent.version}
        move = {**key, "before": agent.status, "after": after}
        async with self._db.tenant(tenant) as tx:
            moved = await tx.affected(_MOVE, move)
            if moved:
                await tx.execute(_NOTE, {**move, "principal": principal, "comment": comment})
            stored = await _one(tx, key)
        if not moved or stored is None:
            raise WrongStatus(f"{agent.name} {agent.version} is not {agent.status} any more: read it again")
        return stored

    async def moves(self, tenant: str, name: str, version: str) -> list[AgentMove]:
        """Return a version's moves, oldest first, its registration included."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_MOVES, {"tenant": tenant, "name": name, "version": version})
        return [AgentMove.model_validate({**row, "at": rfc3339(row["at"])}) for row in rows]

    async def register_prompt(self, tenant: str, name: str, version: str, text: str, *, principal: str) -> RegisteredPrompt:
        """Insert a prompt's version; the same text again changes nothing.

        Raises:
            VersionExists: the version is there with another text.
            InvalidInput: the version is no semantic version.
        """
        parse_version(version)
        sha256 = text_sha256(text)
        key: dict[str, object] = {"tenant": tenant, "name": name, "version": version}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_ADD_PROMPT, {**key, "sha256": sha256, "body": text, "principal": principal})
            rows = await tx.rows(_PROMPTS, key)
        stored = next(_prompt(row) for row in rows if row["version"] == version)
        if stored.sha256 != sha256:
            raise VersionExists(f"the prompt {name} {version} is registered with another text (this is {sha256[:12]}…): raise its version")
        return stored

    async def prompts(self, tenant: str, name: str | None = None) -> list[RegisteredPrompt]:
        """Return every version of one prompt, or of all, by name, then newest first."""
        async with self._db.tenant(tenant) as tx:
            found = {(row["name"], row["version"]): _prompt(row) for row in await tx.rows(_PROMPTS, {"tenant": tenant, "name": name})}
        return [found[key] for key in by_name(found)]


async def _one(tx: Transaction, key: dict[str, object]) -> RegisteredAgent | None:
    row = await tx.row(_VERSION, key)
    return None if row is None else _agent(row)


def _agent(row: Row) -> RegisteredAgent:
    manifest = AgentManifest.model_validate(row["manifest"])
    told = {"sha256": row["sha256"], "owner": row["owner"], "status": row["status"], "registered_by": row["registered_by"]}
    return RegisteredAgent(manifest=manifest, registered_at=rfc3339(row["registered_at"]), **told)


def _prompt(row: Row) -> RegisteredPrompt:
    told = {"name": row["name"], "version": row["version"], "sha256": row["sha256"], "text": row["body"]}
    return RegisteredPrompt(registered_at=rfc3339(row["registered_at"]), registered_by=row["registered_by"], **told)
