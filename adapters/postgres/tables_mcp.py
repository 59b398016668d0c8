"""The tables of MCP servers, their tools and tokens."""

from datetime import datetime

from sqlalchemy import DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Text

from adapters.postgres.columns import Table, column


class McpServers(Table, table=True):
    """A server as it is registered; its draft is sealed, since commands and URLs tell much."""

    tenant_id: str = column(Text(), primary_key=True)
    server: str = column(Text(), primary_key=True)
    draft_sealed: bytes = column(LargeBinary())
    revision: int = column(Integer())
    created_by: str = column(Text())
    created_at: datetime = column(DateTime(timezone=True))
    checked_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    problem: str | None = column(Text(), nullable=True)


class McpTools(Table, table=True):
    """A tool of a server: what is listed, and what was approved."""

    __table_args__ = (
        Index("mcp_tools_by_wire_name", "tenant_id", "wire_name", unique=True),
        ForeignKeyConstraint(["tenant_id", "server"], ["mcp_servers.tenant_id", "mcp_servers.server"]),
    )

    tenant_id: str = column(Text(), primary_key=True)
    server: str = column(Text(), primary_key=True)
    tool: str = column(Text(), primary_key=True)
    wire_name: str = column(Text())
    state: str = column(Text())
    seen_sealed: bytes | None = column(LargeBinary(), nullable=True)
    approved_sealed: bytes | None = column(LargeBinary(), nullable=True)
    quarantined_at: datetime | None = column(DateTime(timezone=True), nullable=True)
    reason: str | None = column(Text(), nullable=True)


class McpTokens(Table, table=True):
    """Tokens of an OAuth server."""

    __table_args__ = (ForeignKeyConstraint(["tenant_id", "server"], ["mcp_servers.tenant_id", "mcp_servers.server"]),)

    tenant_id: str = column(Text(), primary_key=True)
    server: str = column(Text(), primary_key=True)
    sealed: bytes = column(LargeBinary())
    updated_at: datetime = column(DateTime(timezone=True))


class McpAuthorizations(Table, table=True):
    """An authorization under way; taken once."""

    tenant_id: str = column(Text(), primary_key=True)
    state_digest: str = column(Text(), primary_key=True)
    principal: str = column(Text())
    sealed: bytes = column(LargeBinary())
    expires_at: datetime = column(DateTime(timezone=True))
