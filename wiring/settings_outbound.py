"""Settings of what calls reach outside, of web search, memory and declared databases; part of `wiring.settings`, which see."""

from ipaddress import ip_network

from pydantic import Field, SecretStr, field_validator

from domain.memory import DIMENSIONS_MAX
from wiring.settings_ground import Group

WORDS = "words"
"""The embedder that needs no model: it finds texts that share words."""


class OutboundSettings(Group):
    """What calls to the outside may reach, and what built-in tools work on."""

    networks: tuple[str, ...] = Field(
        default=(),
        validation_alias="STANDFAST_EGRESS_NETWORKS",
        description='JSON: private networks that tools may call in production too, such as ["10.20.0.0/16"]',
    )
    web_hosts: tuple[str, ...] = Field(
        default=(),
        validation_alias="STANDFAST_WEB_HOSTS",
        description='JSON: the only hosts that http.request and web.fetch reach, such as ["*.example.org"]; without it all public ones',
    )
    web_ports: tuple[int, ...] = Field(
        default=(80, 443, 8080, 8443), validation_alias="STANDFAST_WEB_PORTS", description="JSON: the ports that they reach"
    )
    search_url: str | None = Field(
        default=None, validation_alias="STANDFAST_SEARCH_URL", description="address of a search server with SearXNG's JSON, for web.search"
    )
    memory_embedder: str = Field(
        default=WORDS,
        pattern=r"^(words|[^/\s]+/\S+)$",
        validation_alias="STANDFAST_MEMORY_EMBEDDER",
        description="what makes vectors for memory: words, openai/MODEL, azure/DEPLOYMENT or compatible/MODEL (docs/tools-builtin.md)",
    )
    memory_dimensions: int | None = Field(
        default=None,
        ge=1,
        le=DIMENSIONS_MAX,
        validation_alias="STANDFAST_MEMORY_DIMENSIONS",
        description="numbers of a vector to ask such a model for; without it, as many as it makes",
    )
    query_databases: dict[str, SecretStr] = Field(
        default={},
        validation_alias="STANDFAST_QUERY_DATABASES",
        description="JSON: `tenant/name` (or `*/name` for every tenant) to the PostgreSQL URL of a role that only reads, for sql.query",
    )

    @field_validator("networks")
    @classmethod
    def _networks_are_such(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no network.

        Raises:
            ValueError: with the reason.
        """
        for network in networks:
            ip_network(network)
        return networks

    @field_validator("query_databases")
    @classmethod
    def _databases_name_tenants(cls, databases: dict[str, SecretStr]) -> dict[str, SecretStr]:
        """Refuse a database of nobody.

        Raises:
            ValueError: with the reason.
        """
        for key in databases:
            tenant, slash, name = key.partition("/")
            if not tenant or not slash or not name or "/" in name:
                raise ValueError(f"{key!r} names no tenant and database: write tenant/name, or */name for every tenant")
        return databases
