"""Every setting, in frozen groups, one per part; with `settings_ground` and its kin the only modules that read the environment.

Order: flags > environment > `<state dir>/config.toml` > profile. `docs/settings.md` names each (a test compares).
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from domain.budget import Period, Unit, usd_micros
from domain.errors import InvalidInput
from wiring.settings_ground import Group
from wiring.settings_models import ModelSettings
from wiring.settings_outbound import OutboundSettings
from wiring.settings_sandboxes import SandboxSettings
from wiring.settings_secrets import McpSettings, SecretSettings

Environment = Literal["development", "test", "production"]


class PlatformSettings(Group):
    """What every process needs."""

    environment: Environment = Field(
        default="development", validation_alias="STANDFAST_ENVIRONMENT", description="development, test or production"
    )
    state_dir: Path = Field(
        default=Path(".standfast"), validation_alias="STANDFAST_STATE_DIR", description="folder of keys, logs and embedded servers"
    )
    master_key_file: Path | None = Field(
        default=None, validation_alias="STANDFAST_MASTER_KEY_FILE", description="file of the master key (32 bytes, base64, mode 0600)"
    )
    log_format: Literal["auto", "json", "pretty"] = Field(
        default="auto", validation_alias="STANDFAST_LOG_FORMAT", description="json lines, or pretty on a terminal"
    )
    log_level: str = Field(default="INFO", validation_alias="STANDFAST_LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR")
    tenant: str = Field(default="default", validation_alias="STANDFAST_TENANT", description="tenant of the development stack")
    offline: bool = Field(default=False, validation_alias="STANDFAST_OFFLINE", description="download nothing")
    start_file: Path | None = Field(
        default=None,
        validation_alias="STANDFAST_START_FILE",
        description="file that worker and gateway wait for before they use a server; `standfast dev` sets and makes it",
    )

    @cached_property
    def key_path(self) -> Path:
        """The master key's file."""
        return self.master_key_file or self.state_dir / "master.key"


class TemporalSettings(Group):
    """The Temporal server."""

    address: str | None = Field(
        default=None, validation_alias="TEMPORAL_ADDRESS", description="host:port of a Temporal server, 1.32 or newer"
    )
    namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE", description="Temporal namespace")
    ui_url: str | None = Field(default=None, validation_alias="STANDFAST_TEMPORAL_UI_URL", description="address of the Temporal Web UI")


class DatabaseSettings(Group):
    """PostgreSQL."""

    url: SecretStr | None = Field(
        default=None, validation_alias="DATABASE_URL", description="PostgreSQL 15 or newer, as the application role"
    )
    owner_url: SecretStr | None = Field(
        default=None, validation_alias="STANDFAST_DATABASE_OWNER_URL", description="the same database as the role that migrates"
    )
    pool_max: int = Field(default=16, ge=1, validation_alias="STANDFAST_DATABASE_POOL_MAX", description="most connections of one process")


class GatewaySettings(Group):
    """The HTTP API."""

    host: str = Field(default="127.0.0.1", validation_alias="STANDFAST_GATEWAY_HOST", description="address the gateway listens on")
    port: int = Field(default=8080, validation_alias="STANDFAST_GATEWAY_PORT", description="port of the gateway")
    rpc_timeout_s: float = Field(
        default=10.0, gt=0, validation_alias="STANDFAST_RPC_TIMEOUT", description="seconds the gateway waits for Temporal"
    )


class BudgetSettings(Group):
    """The operator's own limits over all tenants together; none unless set."""

    usd: str | None = Field(
        default=None, validation_alias="STANDFAST_PLATFORM_USD", description="dollars that all tenants together may spend, such as 500.00"
    )
    tokens: int | None = Field(
        default=None, ge=0, validation_alias="STANDFAST_PLATFORM_TOKENS", description="tokens that all tenants together may use"
    )
    period: Period = Field(
        default="month", validation_alias="STANDFAST_PLATFORM_PERIOD", description="how long spending counts: total, day or month (UTC)"
    )

    @cached_property
    def limits(self) -> dict[Unit, int | None]:
        """The limits by unit.

        Raises:
            InvalidInput: the dollars are no amount.
        """
        micros = None if self.usd is None else usd_micros(self.usd)
        if self.usd is not None and micros is None:
            raise InvalidInput(f"STANDFAST_PLATFORM_USD is {self.usd!r}: give dollars with at most six decimals, such as 500.00")
        return {Unit.USD_MICROS: micros, Unit.TOKENS: self.tokens}


class WorkerSettings(Group):
    """The worker."""

    ready_file: Path | None = Field(
        default=None, validation_alias="STANDFAST_READY_FILE", description="file that is there while the worker polls"
    )
    sweep_seconds: float = Field(
        default=3.0, gt=0, validation_alias="STANDFAST_SWEEP_SECONDS", description="pause between rounds of sweeper and reconciler"
    )
    cached_runs: int = Field(
        default=80,
        ge=10,
        validation_alias="STANDFAST_CACHED_RUNS",
        description="runs kept in a worker's memory, about 80 kB each; others are replayed when something happens to them",
    )
    tool_watch: Literal["off", "report", "quarantine"] | None = Field(
        default=None,
        validation_alias="STANDFAST_TOOL_WATCH",
        description="unusual tool calls: off, report, or quarantine the tool until a person releases it; in production quarantine",
    )


class SealingSettings(Group):
    """Signed tree heads over the ledgers, and where they are anchored."""

    seal_seconds: float = Field(
        default=2.0, gt=0, le=30, validation_alias="STANDFAST_SEAL_SECONDS", description="pause between rounds of the sealer"
    )
    anchor_file: Path | None = Field(
        default=None,
        validation_alias="STANDFAST_ANCHOR_FILE",
        description="file that signed tree heads are appended to, one JSON line each",
    )
    anchor_url: str | None = Field(
        default=None, validation_alias="STANDFAST_ANCHOR_URL", description="https URL that signed tree heads are posted to"
    )
    anchor_secret: SecretStr | None = Field(
        default=None,
        validation_alias="STANDFAST_ANCHOR_SECRET",
        description="secret that signs these posts (Standard Webhooks, whsec_…); needed in production",
    )
    anchor_seconds: float = Field(
        default=60.0, ge=0, validation_alias="STANDFAST_ANCHOR_SECONDS", description="shortest time between two deliveries to an anchor"
    )


class WebhookSettings(Group):
    """Outgoing webhooks and the relay that feeds them."""

    relay_seconds: float = Field(
        default=0.5, gt=0, le=30, validation_alias="STANDFAST_RELAY_SECONDS", description="pause between rounds of the relay"
    )
    delivery_days: int = Field(
        default=30,
        ge=1,
        validation_alias="STANDFAST_DELIVERY_DAYS",
        description="days for which deliveries and their logs are kept after they were delivered; dead ones stay",
    )
    allow_private: bool = Field(
        default=False,
        validation_alias="STANDFAST_WEBHOOK_PRIVATE",
        description="let webhooks go to this machine and private networks, and over http://; refused in production",
    )

    def private_in(self, environment: Environment) -> bool:
        """Return whether webhooks may go to private addresses and over http.

        Raises:
            InvalidInput: that is asked for in production.
        """
        if self.allow_private and environment == "production":
            raise InvalidInput("STANDFAST_WEBHOOK_PRIVATE is for development: in production, webhooks go to public https addresses only")
        return self.allow_private


class ChannelSettings(Group):
    """Channels to reviewers: how they reach the gateway's pages, and the mail server."""

    public_url: str | None = Field(
        default=None,
        validation_alias="STANDFAST_PUBLIC_URL",
        description="address at which reviewers reach the gateway, such as https://standfast.example; signed links begin with it",
    )
    smtp_host: str | None = Field(
        default=None, validation_alias="STANDFAST_SMTP_HOST", description="mail server of the channel email; none: no mails"
    )
    smtp_port: int | None = Field(default=None, validation_alias="STANDFAST_SMTP_PORT", description="its port; default 587, 465 with tls")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        validation_alias="STANDFAST_SMTP_SECURITY",
        description="starttls, tls from the first byte, or none (in production for a server on this machine only)",
    )
    smtp_username: str | None = Field(default=None, validation_alias="STANDFAST_SMTP_USERNAME", description="login at the mail server")
    smtp_password: SecretStr | None = Field(default=None, validation_alias="STANDFAST_SMTP_PASSWORD", description="its password")
    mail_from: str | None = Field(
        default=None, validation_alias="STANDFAST_MAIL_FROM", description="address that mails come from; needed with STANDFAST_SMTP_HOST"
    )
    plugins: dict[str, SecretStr] = Field(
        default={}, validation_alias="STANDFAST_CHANNEL_SETTINGS", description="JSON: name of a channel plugin's setting to its value"
    )


class PayloadSettings(Group):
    """Where large payloads live."""

    objects_url: str | None = Field(
        default=None,
        validation_alias="STANDFAST_OBJECTS_URL",
        description="object store of large payloads: file://, s3://, gs:// or az://; default: a local folder, none in production",
    )
    inline_bytes: int = Field(
        default=256 * 1024,
        ge=1024,
        validation_alias="STANDFAST_PAYLOAD_INLINE_BYTES",
        description="largest sealed payload that stays in PostgreSQL when there is an object store",
    )


class FaultSettings(Group):
    """Fault points; inert unless the environment is `test`."""

    file: Path | None = Field(
        default=None, validation_alias="STANDFAST_FAULT_FILE", description="tests only: lines `point step call` at which the worker ends"
    )


def required_database_url(settings: DatabaseSettings) -> str:
    """Return DATABASE_URL.

    Raises:
        InvalidInput: it is not set.
    """
    if settings.url is None:
        raise InvalidInput(
            "DATABASE_URL is not set: give a PostgreSQL URL of the application role, or start everything with `standfast dev`"
        )
    return settings.url.get_secret_value()


def required_temporal_address(settings: TemporalSettings) -> str:
    """Return TEMPORAL_ADDRESS.

    Raises:
        InvalidInput: it is not set.
    """
    if settings.address is None:
        raise InvalidInput("TEMPORAL_ADDRESS is not set: give host:port of a Temporal server, or start everything with `standfast dev`")
    return settings.address


GROUPS: tuple[type[BaseSettings], ...] = (
    PlatformSettings,
    TemporalSettings,
    DatabaseSettings,
    GatewaySettings,
    ModelSettings,
    BudgetSettings,
    WorkerSettings,
    SealingSettings,
    WebhookSettings,
    ChannelSettings,
    PayloadSettings,
    SecretSettings,
    McpSettings,
    SandboxSettings,
    OutboundSettings,
    FaultSettings,
)
"""Every group; the settings page is made from them."""
