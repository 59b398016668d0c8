"""The activity that resolves working time."""

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.calendars import CalendarActivities
from adapters.calendars.zones import PinnedZones
from domain.calendars import Calendar
from domain.envelope import Envelope
from tests.fakes_calendars import FakeCalendarStore

OFFICE = {"zone": "Europe/Berlin", "hours": {"fri": [{"from": "09:00", "to": "17:00"}], "mon": [{"from": "09:00", "to": "17:00"}]}}
FRIDAY = "2026-06-05T14:00:00.000000Z"


async def resolved(calendar: str, since: str = FRIDAY) -> dict[str, JsonValue]:
    """Ask for two and for no hours of working time."""
    store = FakeCalendarStore()
    await store.put("default", "office", Calendar.model_validate(OFFICE), principal="prn_a")
    await store.put("default", "office", Calendar.model_validate({**OFFICE, "zone": "Mars/Olympus"}), principal="prn_a")
    await store.put("default", "office", Calendar.model_validate(OFFICE), principal="prn_a")
    request: dict[str, JsonValue] = {"calendar": calendar, "from": since, "offsets_s": [7200, 0]}
    envelope = Envelope(tenant="default", run="run_1", epoch=1, correlation_id="c", principal="prn_a", deadline_s=1, request=request)
    activities = CalendarActivities(calendars=store, zones=PinnedZones())
    return (await ActivityEnvironment().run(activities.resolve_calendar, envelope)).fields


class TestResolveCalendar:
    async def test_answers_instants_and_what_they_come_from(self) -> None:
        fields = await resolved("office")
        assert fields["instants"] == ["2026-06-08T08:00:00.000000Z", "2026-06-05T14:00:00.000000Z"]
        assert (fields["calendar"], fields["edition"]) == ("office@3", PinnedZones().edition)

    @pytest.mark.parametrize(
        ("calendar", "since", "code"),
        [
            ("attic", FRIDAY, "not-found"),
            ("office@9", FRIDAY, "not-found"),
            ("office@2", FRIDAY, "invalid-input"),
            ("Office", FRIDAY, "invalid-input"),
            ("office", "soon", "invalid-input"),
            ("office", "2026-06-05T14:00:00", "invalid-input"),
        ],
    )
    async def test_fails_for_good_when_asked_wrongly(self, calendar: str, since: str, code: str) -> None:
        with pytest.raises(ApplicationError) as caught:
            await resolved(calendar, since)
        assert (caught.value.type, caught.value.non_retryable) == (code, True)
