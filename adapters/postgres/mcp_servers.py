"""MCP servers with their tools; what servers say and what was registered is sealed under the tenant's key."""

from typing import cast

from pydantic import JsonValue

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.values import rfc3339, rfc3339_or_none
from domain.errors import Conflict, NotFound
from domain.mcp import SERVERS_MAX, Approved, Listed, McpServer, McpServerDraft, McpTool
from domain.stores import PayloadCipher

_SERVERS = b"""
SELECT s.*, t.server IS NOT NULL AS authorized FROM mcp_servers s
LEFT JOIN mcp_tokens t ON t.tenant_id = s.tenant_id AND t.server = s.server
WHERE s.tenant_id = %(tenant)s AND (%(server)s::text IS NULL OR s.server = %(server)s) ORDER BY s.server
"""
_OTHERS = b"SELECT count(*) AS n FROM mcp_servers WHERE tenant_id = %(tenant)s AND server <> %(server)s"
_PUT = b"""
INSERT INTO mcp_servers (tenant_id, server, draft_sealed, revision, created_by) VALUES (%(tenant)s, %(server)s, %(draft)s, 1, %(by)s)
ON CONFLICT (tenant_id, server) DO UPDATE SET draft_sealed = excluded.draft_sealed, revision = mcp_servers.revision + 1,
    checked_at = NULL, problem = NULL
"""
_QUARANTINE = b"""
UPDATE mcp_tools SET state = 'quarantined', quarantined_at = clock_timestamp(), reason = 'its server was registered anew'
WHERE tenant_id = %(tenant)s AND server = %(server)s AND state = 'approved'
"""
_FORGET_FOUND = b"DELETE FROM mcp_tools WHERE tenant_id = %(tenant)s AND server = %(server)s AND approved_sealed IS NULL"
_FORGET_TOKENS = b"DELETE FROM mcp_tokens WHERE tenant_id = %(tenant)s AND server = %(server)s"
_FORGET_TOOLS = b"DELETE FROM mcp_tools WHERE tenant_id = %(tenant)s AND server = %(server)s"
_REMOVE = b"DELETE FROM mcp_servers WHERE tenant_id = %(tenant)s AND server = %(server)s"
_NOTE = b"""
UPDATE mcp_servers SET checked_at = clock_timestamp(), problem = %(problem)s WHERE tenant_id = %(tenant)s AND server = %(server)s
"""
_TOOLS = b"""
SELECT * FROM mcp_tools WHERE tenant_id = %(tenant)s AND (%(server)s::text IS NULL OR server = %(server)s) ORDER BY wire_name
"""
_SAVE = b"""
INSERT INTO mcp_tools (tenant_id, server, tool, wire_name, state, seen_sealed, approved_sealed, quarantined_at, reason)
VALUES (%(tenant)s, %(server)s, %(tool)s, %(wire_name)s, %(state)s, %(seen)s, %(approved)s, %(quarantined_at)s, %(reason)s)
ON CONFLICT (tenant_id, server, tool) DO UPDATE SET seen_sealed = excluded.seen_sealed,
    state = CASE WHEN mcp_tools.state = 'quarantined' AND NOT %(lift)s THEN mcp_tools.state ELSE excluded.state END,
    quarantined_at = CASE WHEN mcp_tools.state = 'quarantined' AND NOT %(lift)s
        THEN mcp_tools.quarantined_at ELSE excluded.quarantined_at END,
    reason = CASE WHEN mcp_tools.state = 'quarantined' AND NOT %(lift)s THEN mcp_tools.reason ELSE excluded.reason END,
    approved_sealed = CASE WHEN %(lift)s THEN excluded.approved_sealed ELSE mcp_tools.approved_sealed END
"""


class PostgresMcpServers:
    """Implements `McpServerStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def put(self, tenant: str, draft: McpServerDraft, *, by: str) -> McpServer:
        """Register a server, or register it anew.

        Raises:
            Conflict: the tenant has as many as it may.
        """
        given = {"tenant": tenant, "server": draft.name, "by": by}
        draft = McpServerDraft.model_validate(draft.model_dump(include=set(McpServerDraft.model_fields)))
        sealed = seal_text(self._cipher, tenant, _server_place(draft.name), draft.model_dump(mode="json"))
        async with self._db.tenant(tenant) as tx:
            others = await tx.row(_OTHERS, given)
            if others is not None and others["n"] >= SERVERS_MAX:
                raise Conflict(f"a tenant has at most {SERVERS_MAX} MCP servers: remove one first")
            await tx.execute(_PUT, {**given, "draft": sealed})
            for query in (_QUARANTINE, _FORGET_FOUND, _FORGET_TOKENS):
                await tx.execute(query, given)
            return await self._one(tx, tenant, draft.name)

    async def get(self, tenant: str, name: str) -> McpServer:
        """Return one.

        Raises:
            NotFound: there is none of that name in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            return await self._one(tx, tenant, name)

    async def all(self, tenant: str) -> list[McpServer]:
        """Return all, by name."""
        async with self._db.tenant(tenant) as tx:
            return [self._server(row) for row in await tx.rows(_SERVERS, {"tenant": tenant, "server": None})]

    async def remove(self, tenant: str, name: str) -> None:
        """Take a server away with its tools and tokens.

        Raises:
            NotFound: there is none of that name in the tenant.
        """
        given = {"tenant": tenant, "server": name}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_FORGET_TOOLS, given)
            await tx.execute(_FORGET_TOKENS, given)
            if not await tx.affected(_REMOVE, given):
                raise NotFound(f"there is no MCP server {name}")

    async def note(self, tenant: str, name: str, *, problem: str | None) -> None:
        """Note that it was asked."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_NOTE, {"tenant": tenant, "server": name, "problem": problem})

    async def tools(self, tenant: str, server: str | None = None) -> list[McpTool]:
        """Return tools, by name."""
        async with self._db.tenant(tenant) as tx:
            return [self._tool(row) for row in await tx.rows(_TOOLS, {"tenant": tenant, "server": server})]

    async def save(self, tenant: str, tool: McpTool) -> None:
        """Write what is seen of a tool; neither an approval nor the end of a quarantine comes by this."""
        await self._save(tenant, tool, lift=False)

    async def approve(self, tenant: str, tool: McpTool) -> None:
        """Write an approval."""
        await self._save(tenant, tool, lift=True)

    async def _save(self, tenant: str, tool: McpTool, *, lift: bool) -> None:
        fields = {
            **tool.model_dump(include={"server", "tool", "wire_name", "state", "quarantined_at", "reason"}),
            "tenant": tenant,
            "seen": self._sealed(tenant, tool, "seen", tool.seen),
            "approved": self._sealed(tenant, tool, "approved", tool.approved),
            "lift": lift,
        }
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_SAVE, fields)

    def _sealed(self, tenant: str, tool: McpTool, part: str, value: Listed | Approved | None) -> bytes | None:
        place = _tool_place(tool.server, tool.tool, part)
        return None if value is None else seal_text(self._cipher, tenant, place, value.model_dump(mode="json"))

    def _opened(self, row: Row, part: str) -> JsonValue:
        sealed = cast("bytes | None", row[f"{part}_sealed"])
        place = _tool_place(row["server"], row["tool"], part)
        return None if sealed is None else open_text(self._cipher, row["tenant_id"], place, sealed)

    async def _one(self, tx: Transaction, tenant: str, name: str) -> McpServer:
        row = await tx.row(_SERVERS, {"tenant": tenant, "server": name})
        if row is None:
            raise NotFound(f"there is no MCP server {name}")
        return self._server(row)

    def _server(self, row: Row) -> McpServer:
        draft = cast("dict[str, JsonValue]", open_text(self._cipher, row["tenant_id"], _server_place(row["server"]), row["draft_sealed"]))
        known = {
            "revision": row["revision"],
            "created_by": row["created_by"],
            "created_at": rfc3339(row["created_at"]),
            "checked_at": rfc3339_or_none(row["checked_at"]),
            "problem": row["problem"],
            "authorized": row["authorized"],
        }
        return McpServer.model_validate({**draft, **known})

    def _tool(self, row: Row) -> McpTool:
        seen, approved = self._opened(row, "seen"), self._opened(row, "approved")
        return McpTool(
            server=row["server"],
            tool=row["tool"],
            wire_name=row["wire_name"],
            state=row["state"],
            seen=None if seen is None else Listed.model_validate(seen),
            approved=None if approved is None else Approved.model_validate(approved),
            quarantined_at=rfc3339_or_none(row["quarantined_at"]),
            reason=row["reason"],
        )


def _server_place(server: str) -> str:
    return f"mcp_servers/{server}"


def _tool_place(server: str, tool: str, part: str) -> str:
    return f"mcp_tools/{server}/{tool}/{part}"
