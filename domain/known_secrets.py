"""The secrets that a process has handed out or read, by tenant, and what strikes them out. Pure but for its memory: one per process.

Values live here as long as the process does, in its memory only: a rotated secret is still one.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.errors import StandfastError
from domain.redaction import CHARS_MIN, Redactor

V = TypeVar("V")
Ready = Callable[[str], Awaitable[None]]
"""Learns the secrets of a tenant; never fails, and returns at once when it did so lately."""
VALUES_MAX = 2000
"""Most values that are remembered of one tenant, the latest ones: tokens that are renewed each hour add up."""


class KnownSecrets:
    """Told of each secret before anybody gets it; strikes them out of whatever a tenant's runs leave behind."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, None]] = {}
        self._redactors: dict[str, Redactor] = {}
        self._all: Redactor | None = None
        self._ready: Ready | None = None

    def learn_by(self, ready: Ready) -> None:
        """Learn a tenant's secrets by this, before something of it is done; without it only those that are added are known."""
        self._ready = ready

    async def ready(self, tenant: str) -> None:
        """Wait until what this process should know of a tenant's secrets is known, as far as it can be."""
        if self._ready is not None:
            await self._ready(tenant)

    def add(self, tenant: str, value: str) -> None:
        """Remember a value; what is too short to be a secret is not."""
        known = self._values.setdefault(tenant, {})
        if value in known or len(value) < CHARS_MIN:
            return
        known[value] = None
        self._redactors.pop(tenant, None)
        if self._all is not None:
            self._all.add(value)
        while len(known) > VALUES_MAX:
            del known[next(iter(known))]
            self._all = None

    def of(self, tenant: str) -> Redactor:
        """Return what strikes out a tenant's secrets."""
        if tenant not in self._redactors:
            self._redactors[tenant] = Redactor(self._values.get(tenant, ()))
        return self._redactors[tenant]

    def everybodys(self) -> Redactor:
        """Return what strikes out all of them, for logs and traces, which are the operator's."""
        if self._all is None:
            self._all = Redactor(value for known in self._values.values() for value in known)
        return self._all

    def value(self, tenant: str, value: V) -> V:
        """Return a value without any secret of the tenant."""
        return self.of(tenant).value(value) if self._values.get(tenant) else value

    def text(self, tenant: str, text: str) -> str:
        """Return a text without any secret of the tenant."""
        return self.of(tenant).text(text) if self._values.get(tenant) else text

    def error(self, tenant: str, error: Exception) -> Exception:
        """Return an error without any secret of the tenant, the same one if it holds none.

        What outsiders said was cut to fit into it, so the beginning of a secret counts too. One that is not of our tree becomes a
        RuntimeError: whoever raises it leaves out where it came from, since Temporal keeps causes and their texts.
        """
        if not self._values.get(tenant):
            return error
        said = error.detail if isinstance(error, StandfastError) else str(error)
        told = self.of(tenant).cut_text(said)
        if told == said:
            return error
        if isinstance(error, StandfastError):
            return type(error)(told, where=error.where, retry_after_s=error.retry_after_s)
        return RuntimeError(f"{type(error).__name__}: {told}")
