"""Memory, blocking."""

from standfast_client.drivers import Driver
from standfast_client.flows import memory
from standfast_client.memory import MemoryRecord


class Memories:
    """What agents saved beyond their runs; for operators."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def list(self, *, namespace: str | None = None, quarantined: bool = False, limit: int = 50) -> list[MemoryRecord]:
        """Read records by id; `quarantined` only those that are not recalled."""
        query = memory.records(self._driver.link, namespace=namespace, quarantined=quarantined, limit=limit)
        return self._driver.run(query)

    def quarantine(self, record: str, *, idempotency_key: str | None = None) -> MemoryRecord:
        """Keep a record from being recalled."""
        return self._driver.run(memory.review(self._driver.link, record, "quarantine", idempotency_key=idempotency_key))

    def release(self, record: str, *, idempotency_key: str | None = None) -> MemoryRecord:
        """Let a record be recalled, after a look at it; its labels stay."""
        return self._driver.run(memory.review(self._driver.link, record, "release", idempotency_key=idempotency_key))

    def forget(self, record: str, *, idempotency_key: str | None = None) -> None:
        """Remove a record for good."""
        self._driver.run(memory.forget(self._driver.link, record, idempotency_key=idempotency_key))
