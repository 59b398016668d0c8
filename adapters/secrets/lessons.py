"""What a worker knows of secrets that others gave to tools: a tenant's are read with its first call, and again while it has calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from domain.errors import StandfastError

log = logging.getLogger(__name__)

EVERY_S = 30.0
"""How old a tenant's last lesson may be before the next call begins another one, beside it."""
PATIENCE_S = 10.0
"""How long calls wait for a tenant's first lesson: a Vault that hangs delays them once."""

Learn = Callable[[str], Awaitable[list[str]]]
"""Reads the secrets of a tenant and returns the names of those it could not read."""


class SecretLessons:
    """Learns by tenant; one per process.

    Args:
        learn: Reads the secrets of a tenant.
        now_s: A clock that only goes forward, in seconds.
        patience_s: How long calls wait for a first lesson.
    """

    def __init__(self, learn: Learn, *, now_s: Callable[[], float], patience_s: float = PATIENCE_S) -> None:
        self._learn = learn
        self._now_s = now_s
        self._patience_s = patience_s
        self._lessons: dict[str, asyncio.Task[None]] = {}
        self._begun_s: dict[str, float] = {}
        self._learned: set[str] = set()
        self._unread: dict[str, list[str]] = {}

    async def ready(self, tenant: str) -> None:
        """Wait for the tenant's first lesson, if it is still going on; a later one is not waited for. Never fails."""
        now_s, lesson = self._now_s(), self._lessons.get(tenant)
        if lesson is None or (lesson.done() and now_s - self._begun_s[tenant] >= EVERY_S):
            lesson = self._lessons[tenant] = asyncio.create_task(self._lesson(tenant))
            self._begun_s[tenant] = now_s
        left_s = self._begun_s[tenant] + self._patience_s - now_s
        if tenant not in self._learned and not lesson.done() and left_s > 0:
            await asyncio.wait({lesson}, timeout=left_s)

    async def aclose(self) -> None:
        """End what goes on."""
        for lesson in self._lessons.values():
            lesson.cancel()
        if self._lessons:
            await asyncio.wait(self._lessons.values())

    async def _lesson(self, tenant: str) -> None:
        try:
            unread = await self._learn(tenant)
        except StandfastError as error:
            log.warning("the secrets of the tenant %s are not known here for now: %s", tenant, error.detail)
            return
        self._learned.add(tenant)
        if unread != self._unread.get(tenant, []):
            log.warning("secrets of the tenant %s that cannot be read here nor struck out: %s", tenant, ", ".join(unread) or "none")
        self._unread[tenant] = unread
