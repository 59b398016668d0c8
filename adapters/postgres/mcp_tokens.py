"""Tokens of OAuth servers, and authorizations under way; sealed under the tenant's key."""

from typing import cast

from adapters.postgres.pool import Database
from adapters.postgres.sealing import open_text, seal_text
from domain.stores import PayloadCipher

_GET = b"SELECT sealed FROM mcp_tokens WHERE tenant_id = %(tenant)s AND server = %(server)s"
_PUT = b"""
INSERT INTO mcp_tokens (tenant_id, server, sealed) VALUES (%(tenant)s, %(server)s, %(sealed)s)
ON CONFLICT (tenant_id, server) DO UPDATE SET sealed = excluded.sealed, updated_at = clock_timestamp()
"""
_BEGIN = b"""
INSERT INTO mcp_authorizations (tenant_id, state_digest, principal, sealed, expires_at)
VALUES (%(tenant)s, %(state)s, %(principal)s, %(sealed)s, clock_timestamp() + %(minutes)s * interval '1 minute')
"""
_FORGET = b"DELETE FROM mcp_authorizations WHERE tenant_id = %(tenant)s AND expires_at <= clock_timestamp()"
_TAKE = b"""
DELETE FROM mcp_authorizations
WHERE tenant_id = %(tenant)s AND state_digest = %(state)s AND principal = %(principal)s AND expires_at > clock_timestamp()
RETURNING sealed
"""


class PostgresMcpTokens:
    """Implements `McpTokens`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def get(self, tenant: str, server: str) -> str | None:
        """Return what was kept for a server."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_GET, {"tenant": tenant, "server": server})
        return None if row is None else cast("str", open_text(self._cipher, tenant, _token_place(server), row["sealed"]))

    async def put(self, tenant: str, server: str, kept: str) -> None:
        """Keep a text."""
        sealed = seal_text(self._cipher, tenant, _token_place(server), kept)
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_PUT, {"tenant": tenant, "server": server, "sealed": sealed})

    async def begin(self, tenant: str, *, state_digest: str, principal: str, kept: str, minutes: int) -> None:
        """Keep what an authorization needs; those that are too old are forgotten."""
        sealed = seal_text(self._cipher, tenant, _state_place(state_digest), kept)
        given = {"tenant": tenant, "state": state_digest, "principal": principal, "sealed": sealed, "minutes": minutes}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_FORGET, {"tenant": tenant})
            await tx.execute(_BEGIN, given)

    async def take(self, tenant: str, *, state_digest: str, principal: str) -> str | None:
        """Return it once."""
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_TAKE, {"tenant": tenant, "state": state_digest, "principal": principal})
        return None if row is None else cast("str", open_text(self._cipher, tenant, _state_place(state_digest), row["sealed"]))


def _token_place(server: str) -> str:
    return f"mcp_tokens/{server}"


def _state_place(state_digest: str) -> str:
    return f"mcp_authorizations/{state_digest}"
