"""Values by reference, read anew for each use: a rotated secret counts a few seconds later, without a restart."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from domain.secrets import DEFAULT_SOURCES, SECRET_CHARS_MAX, SecretReference, may_name, parse_reference

CACHE_S = 5.0
"""How long an answer of Vault counts: a burst of calls asks once, a rotation is seen soon."""


class VaultReader(Protocol):
    """Reads one value from Vault; may block."""

    def read(self, mount: str, path: str, key: str) -> str:
        """Return a value. Raises: LookupError, Unavailable."""
        ...


class SecretValues:
    """Implements `SecretStore`.

    Args:
        environment: The process's variables.
        now_s: A clock that only goes forward, in seconds.
        vault: Vault, or None where none is configured.
        sources: Where a tenant's values may lie.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        now_s: Callable[[], float],
        vault: VaultReader | None = None,
        sources: Sequence[str] = DEFAULT_SOURCES,
    ) -> None:
        self._environment = environment
        self._now_s = now_s
        self._vault = vault
        self._sources = tuple(sources)
        self._read: dict[SecretReference, tuple[float, str]] = {}
        self._reading: dict[SecretReference, asyncio.Lock] = {}

    async def resolve(self, tenant: str, reference: str) -> str:
        """Return the value.

        Raises:
            LookupError: there is none, or this tenant may name none there.
            Unavailable: Vault does not answer.
        """
        parsed = parse_reference(reference)
        if not may_name(tenant, parsed, self._sources):
            raise LookupError(f"{parsed.text} is no place for secrets of the tenant {tenant} (STANDFAST_SECRET_SOURCES)")
        match parsed.kind:
            case "env":
                value = self._environment.get(parsed.place)
            case "file":
                value = await asyncio.to_thread(_file, tenant, parsed, self._sources)
            case "vault":
                value = await self._from_vault(parsed)
        if not value:
            raise LookupError(f"{parsed.text} holds no value")
        if len(value) > SECRET_CHARS_MAX:
            raise LookupError(f"{parsed.text} holds more than {SECRET_CHARS_MAX} characters")
        return value

    async def _from_vault(self, reference: SecretReference) -> str:
        """Return a value of Vault, at most CACHE_S old.

        Raises:
            LookupError: Vault is not configured, or has no such value.
        """
        if self._vault is None:
            raise LookupError(f"{reference.text} needs Vault: set STANDFAST_VAULT_URL and a token on this process")
        async with self._reading.setdefault(reference, asyncio.Lock()):
            at, value = self._read.get(reference, (0.0, ""))
            if not value or self._now_s() - at >= CACHE_S:
                mount, _, path = reference.place.partition("/")
                value = await asyncio.to_thread(self._vault.read, mount, path, reference.key or "")
                self._read[reference] = (self._now_s(), value)
            return value


def _file(tenant: str, reference: SecretReference, sources: Sequence[str]) -> str | None:
    """Return a file's text without the line end that editors add; a link that leads elsewhere is judged by where it leads.

    Raises:
        LookupError: it cannot be read, or lies outside the tenant's places.
    """
    path = Path(reference.place)
    try:
        real = path.resolve(strict=True)
        beside = Path(*path.parts[:-1]).resolve(strict=True)
        if not real.is_relative_to(beside) and not may_name(tenant, SecretReference(kind="file", place=str(real)), sources):
            raise LookupError(f"{reference.text} is a link that leads out of its folder")
        with real.open(encoding="utf-8", newline="") as opened:
            text = opened.read(SECRET_CHARS_MAX + 2)
    except (OSError, ValueError) as error:
        raise LookupError(f"{reference.text} cannot be read: {type(error).__name__}") from error
    return text.removesuffix("\n").removesuffix("\r")
