"""Working-hours calendars, by name and version."""

from psycopg.types.json import Json

from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none
from domain.calendars import Calendar, StoredCalendar
from domain.errors import Conflict, NotFound
from domain.stores import Page

_LATEST = b"SELECT * FROM calendars WHERE tenant_id = %(tenant)s AND name = %(name)s ORDER BY version DESC LIMIT 1"
_VERSION = b"SELECT * FROM calendars WHERE tenant_id = %(tenant)s AND name = %(name)s AND version = %(version)s"
_ADD = b"""
INSERT INTO calendars (tenant_id, name, version, calendar, created_by)
VALUES (%(tenant)s, %(name)s, %(version)s, %(calendar)s, %(principal)s) ON CONFLICT (tenant_id, name, version) DO NOTHING
"""
_RETIRE = b"""
UPDATE calendars SET retired_at = clock_timestamp() WHERE tenant_id = %(tenant)s AND name = %(name)s AND retired_at IS NULL
"""
_PAGE = b"""
SELECT DISTINCT ON (name) * FROM calendars WHERE tenant_id = %(tenant)s AND name > %(after)s AND retired_at IS NULL
ORDER BY name, version DESC LIMIT %(limit)s
"""

_RIVALS_MAX = 20
"""Writers of one name at the same time that one writer gives way to."""


class PostgresCalendarStore:
    """Implements `CalendarStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, tenant: str, name: str, calendar: Calendar, *, principal: str) -> StoredCalendar:
        """Store the next version; the same calendar as the latest one changes nothing, and a retired name lives again.

        Raises:
            Conflict: too many others write the same name at this moment.
        """
        fields = {"tenant": tenant, "name": name, "calendar": Json(calendar.model_dump(mode="json", by_alias=True)), "principal": principal}
        async with self._db.tenant(tenant) as tx:
            for _ in range(_RIVALS_MAX):
                row = await tx.row(_LATEST, fields)
                latest = None if row is None else _stored(row)
                if latest is not None and latest.calendar == calendar and latest.retired_at is None:
                    return latest
                version = 1 if latest is None else latest.version + 1
                if await tx.affected(_ADD, {**fields, "version": version}):
                    return await _one(tx, tenant, name, version)
        raise Conflict(f"others are changing the calendar {name} right now: read it and try again")

    async def get(self, tenant: str, name: str, version: int | None = None) -> StoredCalendar:
        """Return one version, or the latest that is not retired.

        Raises:
            NotFound: there is none.
        """
        async with self._db.tenant(tenant) as tx:
            return await _one(tx, tenant, name, version)

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[StoredCalendar]:
        """Return the latest version of each calendar that is not retired, by name.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        (after,) = decode_cursor(cursor, 1) if cursor else ("",)
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_PAGE, {"tenant": tenant, "after": after, "limit": limit + 1})
        items = tuple(_stored(row) for row in rows[:limit])
        return Page(items=items, next_cursor=encode_cursor(items[-1].name) if len(rows) > limit else None)

    async def retire(self, tenant: str, name: str) -> None:
        """Take a calendar out of use; its versions stay readable by number.

        Raises:
            NotFound: there is none, or it is retired.
        """
        async with self._db.tenant(tenant) as tx:
            if not await tx.affected(_RETIRE, {"tenant": tenant, "name": name}):
                raise NotFound(f"there is no calendar {name}")


async def _one(tx: Transaction, tenant: str, name: str, version: int | None) -> StoredCalendar:
    fields = {"tenant": tenant, "name": name, "version": version}
    row = await tx.row(_LATEST if version is None else _VERSION, fields)
    if row is None or (version is None and row["retired_at"] is not None):
        raise NotFound(f"there is no calendar {name}" + ("" if version is None else f" of version {version}"))
    return _stored(row)


def _stored(row: Row) -> StoredCalendar:
    return StoredCalendar(
        name=row["name"],
        version=row["version"],
        calendar=Calendar.model_validate(row["calendar"]),
        created_by=row["created_by"],
        created_at=rfc3339(row["created_at"]),
        retired_at=rfc3339_or_none(row["retired_at"]),
    )
