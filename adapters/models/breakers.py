"""Circuit breakers of this process, on purgatory: in memory, one for each tenant and provider."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from domain.errors import ModelUnavailable

FAILURES: Final = 5
"""Failures in a row that open a breaker: as many as one call is tried."""
OPEN_S: Final = 30.0
"""How long it stays open; then calls go through again, and the first failure opens it anew."""


class PurgatoryBreakers:
    """Implements `Breakers`. Each worker counts for itself: a provider that is away is found out by every one of them."""

    def __init__(self, *, failures: int = FAILURES, open_s: float = OPEN_S) -> None:
        self._open_s = open_s
        others = (BaseException, _is_answer)
        self._factory = AsyncCircuitBreakerFactory(default_threshold=failures, default_ttl=open_s, exclude=[others])

    @asynccontextmanager
    async def around(self, tenant: str, provider: str) -> AsyncGenerator[None]:
        """Stand around one call.

        Raises:
            ModelUnavailable: the provider failed this tenant too often in a row.
        """
        breaker = await self._factory.get_breaker(f"{tenant}/{provider}")
        try:
            async with breaker:
                yield
        except OpenedState as open_:
            left = max(open_.opened_at + self._open_s - time.time(), 0.0)
            raise ModelUnavailable(
                f"{provider} failed too often in a row and is left alone for another {left:.0f} s", retry_after_s=left
            ) from None


def _is_answer(error: BaseException) -> bool:
    return not isinstance(error, ModelUnavailable)
