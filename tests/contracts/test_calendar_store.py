"""The store of calendars: one suite for PostgreSQL and for the fake."""

import asyncio

import pytest

from adapters.postgres.calendars import PostgresCalendarStore
from adapters.postgres.pool import Database
from domain.calendars import Calendar, CalendarStore
from domain.errors import BadRequest, NotFound
from tests.fakes_calendars import FakeCalendarStore


def office(until: str = "17:00") -> Calendar:
    """Build Mondays."""
    return Calendar.model_validate(
        {"zone": "Europe/Berlin", "hours": {"mon": [{"from": "09:00", "to": until}]}, "holidays": [{"date": "2026-12-25", "name": "Xmas"}]}
    )


@pytest.fixture(params=["postgres", "fake"])
def store(request: pytest.FixtureRequest, db: Database) -> CalendarStore:
    """Each implementation."""
    return PostgresCalendarStore(db) if request.param == "postgres" else FakeCalendarStore()


class TestCalendarStore:
    async def test_keeps_each_version_as_it_was(self, store: CalendarStore, tenant: str) -> None:
        first = await store.put(tenant, "office", office(), principal="prn_a")
        second = await store.put(tenant, "office", office("18:00"), principal="prn_b")
        assert (first.version, second.version, second.created_by) == (1, 2, "prn_b")
        assert await store.get(tenant, "office") == second
        assert await store.get(tenant, "office", 1) == first
        assert first.calendar == office()

    async def test_takes_the_same_calendar_again_for_the_same_version(self, store: CalendarStore, tenant: str) -> None:
        first = await store.put(tenant, "office", office(), principal="prn_a")
        assert await store.put(tenant, "office", office(), principal="prn_b") == first

    async def test_retires_a_name_and_lets_it_live_again(self, store: CalendarStore, tenant: str) -> None:
        await store.put(tenant, "office", office(), principal="prn_a")
        await store.retire(tenant, "office")
        with pytest.raises(NotFound):
            await store.get(tenant, "office")
        with pytest.raises(NotFound):
            await store.retire(tenant, "office")
        assert (await store.get(tenant, "office", 1)).retired_at is not None
        assert (await store.put(tenant, "office", office(), principal="prn_a")).version == 2
        assert (await store.get(tenant, "office")).version == 2

    async def test_pages_the_latest_versions_by_name(self, store: CalendarStore, tenant: str) -> None:
        for name in ("b", "c", "a", "gone"):
            await store.put(tenant, name * 2, office(), principal="prn_a")
        await store.put(tenant, "bb", office("18:00"), principal="prn_a")
        await store.retire(tenant, "gone" * 2)
        first = await store.page(tenant, limit=2, cursor=None)
        second = await store.page(tenant, limit=2, cursor=first.next_cursor)
        assert [(row.name, row.version) for row in (*first.items, *second.items)] == [("aa", 1), ("bb", 2), ("cc", 1)]
        assert second.next_cursor is None
        with pytest.raises(BadRequest):
            await store.page(tenant, limit=2, cursor="bogus")

    async def test_shows_another_tenant_nothing(self, store: CalendarStore, tenant: str) -> None:
        await store.put(tenant, "office", office(), principal="prn_a")
        for version in (None, 1):
            with pytest.raises(NotFound):
                await store.get("other", "office", version)
        assert (await store.page("other", limit=5, cursor=None)).items == ()

    async def test_gives_writers_at_the_same_time_a_version_each(self, store: CalendarStore, tenant: str) -> None:
        puts = [store.put(tenant, "office", office(f"1{hour}:00"), principal="prn_a") for hour in range(2, 8)]
        assert sorted(row.version for row in await asyncio.gather(*puts)) == [1, 2, 3, 4, 5, 6]
