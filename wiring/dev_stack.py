"""What `standfast dev` needs beside the supervisor: a migrated database with principals and API keys, and the parts' environment."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.codec.data_keys import derive_key
from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.pool import Database
from adapters.postgres.roles import APP
from adapters.postgres.schema_version import check_schema_version
from adapters.postgres.urls import with_role
from domain.errors import Unavailable
from domain.principals import ApiKeyParts, Role, format_api_key, key_hmac
from wiring.api_keys import KEY_ID_LETTERS, SECRET_LETTERS, key_letters
from wiring.dev.config import DevConfig, print_line
from wiring.keys import InstallationKeys
from wiring.settings import DatabaseSettings, GatewaySettings, ModelSettings, PlatformSettings, TemporalSettings


@dataclass(frozen=True)
class PreparedDatabase:
    """A database that is ready for use.

    Attributes:
        database_url: URL of the application role, which owns nothing.
        api_keys: Secret API keys by the name of their principal.
    """

    database_url: str
    api_keys: Mapping[str, str]


@dataclass(frozen=True)
class DevPrincipal:
    """A principal that every development stack has."""

    name: str
    role: Role
    reviewer_roles: tuple[str, ...] = ()


DEV_PRINCIPALS = (
    DevPrincipal("admin", Role.ADMIN),
    DevPrincipal("developer", Role.DEVELOPER),
    DevPrincipal("operator", Role.OPERATOR),
    DevPrincipal("approver", Role.APPROVER, ("claims-approver", "approver")),
    DevPrincipal("approver_2", Role.APPROVER, ("claims-approver", "claims-lead")),
    DevPrincipal("viewer", Role.VIEWER),
    DevPrincipal("auditor", Role.AUDITOR),
)
"""One key each in dev.json. The reviewer roles are those of the example."""


def dev_key(keys: InstallationKeys, name: str) -> ApiKeyParts:
    """Return the key of a development principal: derived from the master key, so that it survives restarts."""
    return ApiKeyParts(
        environment="dev",
        key_id=key_letters(derive_key(keys.master, "dev-key-id", name), KEY_ID_LETTERS),
        secret=key_letters(derive_key(keys.master, "dev-key-secret", name) + b"\0", SECRET_LETTERS),
    )


async def prepare_database(owner_url: str, *, state: Path, tenant: str) -> PreparedDatabase:
    """Migrate the database at the owner's URL and make the development principals; repeatable, and quick when all is there."""
    keys = _keys(state)
    url = with_role(owner_url, user=APP, password=keys.app_password)
    if not await _is_current(url):
        await asyncio.to_thread(_migrate, owner_url, keys.app_password)
    async with Database(url, max_size=2) as database:
        store = PostgresKeyStore(database)
        for principal in DEV_PRINCIPALS:
            parts = dev_key(keys, principal.name)
            if await store.authenticate(parts.key_id, key_hmac(keys.pepper, parts.secret)) is None:
                await store.create(
                    tenant,
                    key_id=parts.key_id,
                    secret_hmac=key_hmac(keys.pepper, parts.secret),
                    principal=f"prn_{parts.key_id}",
                    name=principal.name,
                    role=principal.role,
                    reviewer_roles=principal.reviewer_roles,
                )
    return PreparedDatabase(database_url=url, api_keys={p.name: format_api_key(dev_key(keys, p.name)) for p in DEV_PRINCIPALS})


def _keys(state: Path) -> InstallationKeys:
    return InstallationKeys(PlatformSettings(state_dir=state).key_path)


async def _is_current(url: str) -> bool:
    """Whether the application's role gets in and finds this version's schema; of anything else `migrate` knows the reason."""
    try:
        async with Database(url, max_size=1) as database:
            await check_schema_version(database)
    except Unavailable:
        return False
    return True


def _migrate(owner_url: str, app_password: str) -> None:
    """Migrate; blocking."""
    from adapters.postgres.migrate import migrate  # noqa: PLC0415 - Alembic takes a second to import, and a warm start needs none

    migrate(owner_url, app_password=app_password)


def dev_config(state_dir: Path, *, environment: Mapping[str, str] | None = None, progress: Callable[[str], None] = print_line) -> DevConfig:
    """Return the configuration of a development stack in a state folder, outside servers from the settings included."""
    platform, temporal, database, gateway = PlatformSettings(), TemporalSettings(), DatabaseSettings(), GatewaySettings()

    def application_url(owner_url: str) -> str:
        return with_role(owner_url, user=APP, password=_keys(state_dir).app_password)

    async def prepare(owner_url: str) -> Mapping[str, str]:
        return (await prepare_database(owner_url, state=state_dir, tenant=platform.tenant)).api_keys

    return DevConfig(
        state_dir=state_dir,
        application_url=application_url,
        prepare=prepare,
        temporal_address=temporal.address,
        temporal_ui_url=temporal.ui_url,
        database_url=database.url.get_secret_value() if database.url else None,
        database_owner_url=database.owner_url.get_secret_value() if database.owner_url else None,
        gateway_port=gateway.port,
        environment={**_example_script(), **(environment or {})},
        offline=platform.offline,
        progress=progress,
    )


def _example_script() -> dict[str, str]:
    """The example's scripted model, so that its definition also runs on a plain development stack; a setting of one's own wins."""
    script = Path(__file__).parents[1] / "examples" / "delay_claim" / "scripts" / "claim-reviewer.yaml"
    if ModelSettings().scripts or not script.exists():
        return {}
    return {"STANDFAST_SCRIPTS": json.dumps({"claim-reviewer": str(script)})}
