"""A memory that people look through."""

from domain.errors import NotFound
from domain.memory import MemoryRecord, Quarantine
from domain.stores import Page


class FakeMemoryDesk:
    """Implements `domain.memory.MemoryDesk`."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], MemoryRecord] = {}

    async def page(self, tenant: str, *, namespace: str | None, quarantined: bool, limit: int, cursor: str | None) -> Page[MemoryRecord]:
        """Return one page by id."""
        found = [
            record
            for (owner, _), record in sorted(self.records.items())
            if owner == tenant
            and namespace in (None, record.namespace)
            and (record.quarantine is not None or not quarantined)
            and record.record > (cursor or "")
        ]
        return Page(items=tuple(found[:limit]), next_cursor=found[limit - 1].record if len(found) > limit else None)

    async def review(self, tenant: str, record: str, *, quarantine: Quarantine | None, by: str) -> MemoryRecord:
        """Put a record into quarantine, or let it out."""
        del by
        if (tenant, record) not in self.records:
            raise NotFound(f"there is no memory {record}")
        self.records[tenant, record] = self.records[tenant, record].model_copy(update={"quarantine": quarantine})
        return self.records[tenant, record]

    async def forget(self, tenant: str, record: str) -> None:
        """Remove a record."""
        if self.records.pop((tenant, record), None) is None:
            raise NotFound(f"there is no memory {record}")
