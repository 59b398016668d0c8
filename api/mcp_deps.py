"""The ports of MCP servers and of references of secrets, as the gateway holds them."""

from dataclasses import dataclass

from domain.mcp_stores import McpAuthorizations, McpConnections, McpServerStore
from domain.secrets import DEFAULT_SOURCES, SecretReferences


@dataclass(frozen=True, kw_only=True)
class McpDeps:
    """Servers, who speaks to them, and how they are authorized."""

    servers: McpServerStore
    connections: McpConnections
    authorizations: McpAuthorizations


@dataclass(frozen=True, kw_only=True)
class SecretDeps:
    """References of secrets; `sources` say where a tenant's values may lie."""

    references: SecretReferences
    sources: tuple[str, ...] = DEFAULT_SOURCES
