"""Settings of secrets and of MCP servers; part of `wiring.settings`, which see."""

from pathlib import Path

from pydantic import Field, SecretStr

from domain.secrets import DEFAULT_SOURCES
from wiring.settings_ground import Group


class SecretSettings(Group):
    """Secrets of tools: where tenants' values may lie, and Vault."""

    tool_secrets: dict[str, SecretStr] = Field(
        default={},
        validation_alias="STANDFAST_TOOL_SECRETS",
        description="JSON: name of a secret to its value, for tools of the tenant STANDFAST_TENANT",
    )
    sources: tuple[str, ...] = Field(
        default=DEFAULT_SOURCES,
        validation_alias="STANDFAST_SECRET_SOURCES",
        description="JSON: patterns of references that tenants may set; `{tenant}` is the tenant, `{TENANT}` in capitals with `_`",
    )
    vault_url: str | None = Field(
        default=None, validation_alias="STANDFAST_VAULT_URL", description="address of Vault, for vault: references"
    )
    vault_token: SecretStr | None = Field(default=None, validation_alias="STANDFAST_VAULT_TOKEN", description="token of Vault")
    vault_token_file: Path | None = Field(
        default=None, validation_alias="STANDFAST_VAULT_TOKEN_FILE", description="file of that token, read anew for each secret"
    )
    vault_namespace: str | None = Field(default=None, validation_alias="STANDFAST_VAULT_NAMESPACE", description="namespace of Vault")


class McpSettings(Group):
    """MCP servers that run in sandboxes."""

    folder: Path | None = Field(
        default=None,
        validation_alias="STANDFAST_MCP_FOLDER",
        description="folder of installed MCP servers, which their sandboxes see read-only as /servers",
    )
