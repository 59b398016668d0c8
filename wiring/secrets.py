"""The secrets of tools: references of tenants, values behind them, and what strikes them out again."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from adapters.secrets.lessons import SecretLessons
from adapters.secrets.store import SecretValues, VaultReader
from domain.known_secrets import KnownSecrets
from domain.secrets import ResolveSecret, SecretReferences, ToolSecrets
from wiring.settings import PlatformSettings, SecretSettings


@dataclass(frozen=True)
class SecretDesk:
    """What gives secrets to tools, and what knows those that were given; close it when the process ends."""

    resolve: ResolveSecret
    known: KnownSecrets
    aclose: Callable[[], Awaitable[None]]


async def no_secrets(_tenant: str, name: str) -> NoReturn:
    """Give none: a process that calls no tools needs none.

    Raises:
        LookupError: always.
    """
    raise LookupError(f"this process gives no secrets, nor {name}")


def build_secrets(references: SecretReferences, platform: PlatformSettings, settings: SecretSettings) -> SecretDesk:
    """Return the desk of a process that calls tools; `known` learns a tenant's secrets when it is asked to be ready."""
    known = KnownSecrets()
    for value in settings.tool_secrets.values():
        known.add(platform.tenant, value.get_secret_value())
    values = SecretValues(environment=os.environ, now_s=time.monotonic, vault=_vault(settings), sources=settings.sources)
    own = settings.tool_secrets

    def of_settings(tenant: str, name: str) -> str | None:
        return own[name].get_secret_value() if tenant == platform.tenant and name in own else None

    secrets = ToolSecrets(references=references, store=values, environment=platform.environment, known=known.add, settings=of_settings)
    lessons = SecretLessons(secrets.learn, now_s=time.monotonic)
    known.learn_by(lessons.ready)
    return SecretDesk(secrets.resolve, known, lessons.aclose)


def _vault(settings: SecretSettings) -> VaultReader | None:
    """Return Vault, which loads its library with the first secret that is read; None where none is set."""
    if settings.vault_url is None:
        return None
    return _LateVault(settings.vault_url, settings)


class _LateVault:
    """Reads from Vault; its library takes a third of a second, and most processes never need it."""

    def __init__(self, url: str, settings: SecretSettings) -> None:
        self._url = url
        self._settings = settings
        self._read: Callable[[str, str, str], str] | None = None

    def read(self, mount: str, path: str, key: str) -> str:
        """Return a value."""
        if self._read is None:
            from adapters.secrets.vault import HvacReader, token_of  # noqa: PLC0415 - late on purpose, see the class

            given = self._settings
            token = token_of(None if given.vault_token is None else given.vault_token.get_secret_value(), given.vault_token_file)
            self._read = HvacReader(self._url, token=token, namespace=given.vault_namespace).read
        return self._read(mount, path, key)
