"""A fake store of calendars, honest to the docstrings of `domain/calendars.py`."""

from domain.calendars import Calendar, StoredCalendar
from domain.errors import NotFound
from domain.stores import Page
from tests.fakes_database import paged

NOW = "2026-03-01T12:00:00.000000Z"


class FakeCalendarStore:
    """CalendarStore in memory."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], list[StoredCalendar]] = {}

    async def put(self, tenant: str, name: str, calendar: Calendar, *, principal: str) -> StoredCalendar:
        """Append a version that differs from the last, or a retired name's."""
        versions = self._versions.setdefault((tenant, name), [])
        if not versions or versions[-1].calendar != calendar or versions[-1].retired_at is not None:
            row = StoredCalendar(name=name, version=len(versions) + 1, calendar=calendar, created_by=principal, created_at=NOW)
            versions.append(row)
        return versions[-1]

    async def get(self, tenant: str, name: str, version: int | None = None) -> StoredCalendar:
        """Return one version."""
        versions = self._versions.get((tenant, name), [])
        found = [each for each in versions if each.version == version] if version is not None else versions[-1:]
        if not found or (version is None and found[0].retired_at is not None):
            raise NotFound(f"there is no calendar {name}")
        return found[0]

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[StoredCalendar]:
        """Return the latest versions by name."""
        rows = [each[-1] for (owner, _), each in self._versions.items() if owner == tenant and each[-1].retired_at is None]
        return paged(rows, key=lambda row: (row.name, ""), limit=limit, cursor=cursor)

    async def retire(self, tenant: str, name: str) -> None:
        """Mark every version."""
        await self.get(tenant, name)
        versions = self._versions[tenant, name]
        versions[:] = [each.model_copy(update={"retired_at": each.retired_at or NOW}) for each in versions]
