"""`standfast keys create` and `keys revoke`: API keys made beside the database and the master key, such as an installation's first one."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.pool import Database
from adapters.postgres.schema_version import check_schema_version
from domain.errors import InvalidInput
from domain.ids import CROCKFORD, parse_tenant
from domain.principals import ApiKeyParts, Role, format_api_key, key_hmac, parse_api_key
from wiring.keys import InstallationKeys
from wiring.settings import DatabaseSettings, Environment, PlatformSettings, required_database_url

KEY_ID_LETTERS, SECRET_LETTERS = 26, 52
_NAME_LETTERS_MAX = 100
_MARKS: dict[Environment, str] = {"development": "dev", "test": "test", "production": "live"}


@dataclass(frozen=True)
class CreatedKey:
    """A new key, whose text is stored nowhere, and whom it belongs to."""

    key: str
    key_id: str
    tenant: str
    principal: str
    role: Role


def key_letters(raw: bytes, count: int) -> str:
    """Return `count` letters of base32 from the low end of a number; five bits of it make one."""
    number = int.from_bytes(raw, "big")
    return "".join(CROCKFORD[(number >> (5 * place)) & 31] for place in range(count))


def create_key_command(tenant: str | None, *, name: str, role: str, reviewer_roles: tuple[str, ...]) -> CreatedKey:
    """Make a principal and a key for it, in the tenant of STANDFAST_TENANT when none is given.

    Raises:
        InvalidInput: DATABASE_URL or the master key is missing, or tenant, name or role is none.
        Unavailable: the database does not answer, or its schema is not this version's.
    """
    if role not in set(Role):
        raise InvalidInput(f"{role[:40]!r} is no role: give one of {', '.join(Role)}")
    if not name.strip() or len(name) > _NAME_LETTERS_MAX or not name.isprintable():
        raise InvalidInput(f"the name is for people: 1 to {_NAME_LETTERS_MAX} characters on one line")
    platform = PlatformSettings()
    pepper = _pepper(platform)
    parts = ApiKeyParts(
        environment=_MARKS[platform.environment],
        key_id=key_letters(secrets.token_bytes(32), KEY_ID_LETTERS),
        secret=key_letters(secrets.token_bytes(33), SECRET_LETTERS),
    )
    created = CreatedKey(
        key=format_api_key(parts),
        key_id=parts.key_id,
        tenant=parse_tenant(tenant or platform.tenant),
        principal=f"prn_{parts.key_id}",
        role=Role(role),
    )
    asyncio.run(
        _with_keys(
            lambda store: store.create(
                created.tenant,
                key_id=created.key_id,
                secret_hmac=key_hmac(pepper, parts.secret),
                principal=created.principal,
                name=name.strip(),
                role=created.role,
                reviewer_roles=reviewer_roles,
            )
        )
    )
    return created


def revoke_key_command(tenant: str | None, key_id: str) -> str:
    """Make a key dead at once and return its id; `key_id` may also be the whole key.

    Raises:
        InvalidInput: DATABASE_URL is missing, or the tenant is none. Unauthenticated: what looks like a whole key is none.
        NotFound: the tenant has no such key.
        Unavailable: the database does not answer, or its schema is not this version's.
    """
    chosen = parse_tenant(tenant or PlatformSettings().tenant)
    wanted = parse_api_key(key_id).key_id if key_id.startswith("sf_") else key_id
    asyncio.run(_with_keys(lambda store: store.revoke(chosen, wanted)))
    return wanted


def _pepper(platform: PlatformSettings) -> bytes:
    """Return what keys are hashed with.

    Raises:
        InvalidInput: there is no master key; one made here and now would be another than the gateway's.
    """
    if not platform.key_path.exists():
        advice = "call this where the gateway runs, with its STANDFAST_MASTER_KEY_FILE or STANDFAST_STATE_DIR"
        raise InvalidInput(f"there is no master key at {platform.key_path}: {advice}")
    return InstallationKeys(platform.key_path).pepper


async def _with_keys(use: Callable[[PostgresKeyStore], Awaitable[None]]) -> None:
    async with Database(required_database_url(DatabaseSettings()), max_size=1) as database:
        await check_schema_version(database)
        await use(PostgresKeyStore(database))
