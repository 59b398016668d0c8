"""The port of circuit breakers: a provider that keeps failing one tenant is left alone for a while. Pure."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Breakers(Protocol):
    """One breaker for each tenant and provider: another tenant's failures, such as its spent quota, are not this one's."""

    def around(self, tenant: str, provider: str) -> AbstractAsyncContextManager[None]:
        """Stand around one call; `ModelUnavailable` counts as a failure, and everything else as an answer.

        Entering raises:
            ModelUnavailable: it failed too often in a row; `retry_after_s` is when it may be tried again.
        """
        ...
