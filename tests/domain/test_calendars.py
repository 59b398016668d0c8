"""Working time over weekends, holidays and changes of the clocks; compared with a model that asks minute by minute."""

from datetime import UTC, date, datetime, timedelta, tzinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.calendars.zones import PinnedZones
from domain.calendars import WEEK, Calendar, Holiday, Hours, Weekday, calendar_reference, next_working_instant, resolve
from domain.errors import InvalidInput

ZONES = PinnedZones()
BERLIN = ZONES.zone("Europe/Berlin")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def hours(since: str, until: str) -> Hours:
    """Build working hours."""
    return Hours.model_validate({"from": since, "to": until})


def office(*holidays: date, zone: str = "Europe/Berlin") -> Calendar:
    """Build Monday to Friday, nine to five."""
    return Calendar(
        zone=zone,
        hours={day: (hours("09:00", "17:00"),) for day in WEEK[:5]},
        holidays=tuple(Holiday(date=day, name="closed") for day in holidays),
    )


def every_day(since: str, until: str, zone: str = "Europe/Berlin") -> Calendar:
    """Build a calendar with the same hours on all days."""
    return Calendar(zone=zone, hours={day: (hours(since, until),) for day in WEEK})


def wall(text: str, zone: tzinfo = BERLIN, *, fold: int = 0) -> datetime:
    """Return a wall-clock time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


class TestResolve:
    def test_counts_over_night_and_weekend(self) -> None:
        friday = wall("2026-06-05T16:00")
        assert resolve(office(), BERLIN, friday, [2 * HOUR]) == [wall("2026-06-08T10:00")]

    def test_stops_at_the_end_of_work_when_the_time_is_used_up_then(self) -> None:
        assert resolve(office(), BERLIN, wall("2026-06-05T16:00"), [HOUR]) == [wall("2026-06-05T17:00")]

    def test_skips_holidays(self) -> None:
        whit_monday = date(2026, 6, 8)
        assert resolve(office(whit_monday), BERLIN, wall("2026-06-05T16:00"), [2 * HOUR]) == [wall("2026-06-09T10:00")]

    def test_answers_in_the_order_asked(self) -> None:
        start = wall("2026-06-04T09:00")
        assert resolve(office(), BERLIN, start, [9 * HOUR, HOUR, 9 * HOUR]) == [
            wall("2026-06-05T10:00"),
            wall("2026-06-04T10:00"),
            wall("2026-06-05T10:00"),
        ]

    def test_counts_lunch_breaks_out(self) -> None:
        split = Calendar(zone="Europe/Berlin", hours={Weekday.MONDAY: (hours("13:00", "17:00"), hours("08:00", "12:00"))})
        assert resolve(split, BERLIN, wall("2026-06-08T11:00"), [2 * HOUR, 9 * HOUR]) == [
            wall("2026-06-08T14:00"),
            wall("2026-06-15T12:00"),
        ]

    def test_leaves_out_the_hour_that_clocks_skip(self) -> None:
        night = every_day("01:00", "04:00")
        assert resolve(night, BERLIN, wall("2026-03-29T01:00"), [2 * HOUR, 3 * HOUR]) == [
            wall("2026-03-29T04:00"),
            wall("2026-03-30T02:00"),
        ]

    def test_counts_the_hour_that_clocks_show_twice_twice(self) -> None:
        night = every_day("01:00", "04:00")
        assert resolve(night, BERLIN, wall("2026-10-25T01:00"), [2 * HOUR, 4 * HOUR]) == [
            wall("2026-10-25T02:00", fold=1),
            wall("2026-10-25T04:00"),
        ]

    def test_interrupts_hours_that_the_repeated_hour_cuts(self) -> None:
        early = every_day("02:30", "03:30")
        assert resolve(early, BERLIN, wall("2026-10-25T02:30"), [timedelta(minutes=45)]) == [wall("2026-10-25T02:45", fold=1)]

    def test_keeps_office_hours_on_the_wall_when_the_offset_changes_between(self) -> None:
        friday = wall("2026-03-27T16:30")
        assert resolve(office(), BERLIN, friday, [HOUR]) == [wall("2026-03-30T09:30")]

    def test_follows_a_zone_that_changes_by_half_an_hour(self) -> None:
        lord_howe = ZONES.zone("Australia/Lord_Howe")
        night = every_day("01:00", "03:00", zone="Australia/Lord_Howe")
        start = wall("2026-10-04T01:00", lord_howe)
        assert resolve(night, lord_howe, start, [90 * MINUTE]) == [wall("2026-10-04T03:00", lord_howe)]

    def test_skips_a_day_that_a_zone_never_had(self) -> None:
        apia = ZONES.zone("Pacific/Apia")
        start = wall("2011-12-29T16:00", apia)
        assert resolve(every_day("09:00", "17:00", "Pacific/Apia"), apia, start, [2 * HOUR]) == [wall("2011-12-31T10:00", apia)]

    def test_refuses_what_never_comes(self) -> None:
        rare = Calendar(zone="UTC", hours={Weekday.MONDAY: (hours("09:00", "09:01"),)})
        with pytest.raises(InvalidInput, match="less than"):
            resolve(rare, UTC, wall("2026-06-05T16:00"), [24 * HOUR])

    def test_refuses_time_before(self) -> None:
        with pytest.raises(InvalidInput, match="forward"):
            resolve(office(), BERLIN, wall("2026-06-05T16:00"), [-HOUR])


class TestNextWorkingInstant:
    @pytest.mark.parametrize(
        ("start", "found"),
        [
            ("2026-06-05T10:00", "2026-06-05T10:00"),
            ("2026-06-05T17:00", "2026-06-08T09:00"),
            ("2026-06-06T12:00", "2026-06-08T09:00"),
            ("2026-06-05T08:59:59.999999", "2026-06-05T09:00"),
        ],
    )
    def test_is_now_or_the_next_opening(self, start: str, found: str) -> None:
        assert next_working_instant(office(), BERLIN, wall(start)) == wall(found)


def works(calendar: Calendar, zone: tzinfo, instant: datetime) -> bool:
    """Say whether one instant is working time: the wall clock alone decides."""
    local = instant.astimezone(zone)
    shown = f"{local:%H:%M}"
    return local.date() not in {each.date for each in calendar.holidays} and any(
        each.since <= shown < each.until for each in calendar.hours.get(WEEK[local.weekday()], ())
    )


def by_minutes(calendar: Calendar, zone: tzinfo, start: datetime, minutes: int) -> datetime:
    """Return when so many working minutes have passed, by looking at every minute."""
    here = start
    while True:
        if works(calendar, zone, here):
            if minutes == 0:
                return here
            minutes -= 1
            if minutes == 0:
                return here + MINUTE
        here += MINUTE


@st.composite
def spans(draw: st.DrawFn) -> tuple[Hours, ...]:
    """Draw the hours of one day."""
    marks = sorted(draw(st.sets(st.integers(0, 24 * 4), min_size=2, max_size=4)))
    texts = [f"{mark // 4:02}:{mark % 4 * 15:02}" for mark in marks]
    return tuple(hours(*pair) for pair in zip(texts[::2], texts[1::2], strict=False))


CHANGES = {
    "Europe/Berlin": [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)],
    "America/New_York": [datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)],
    "Australia/Lord_Howe": [datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)],
    "Pacific/Apia": [datetime(2011, 12, 30, 10, tzinfo=UTC)],
    "Africa/Casablanca": [datetime(2026, 2, 15, 2, tzinfo=UTC), datetime(2026, 3, 22, 2, tzinfo=UTC)],
    "UTC": [datetime(2026, 6, 6, tzinfo=UTC)],
}


class TestAnyCalendar:
    @settings(max_examples=60, deadline=None)
    @given(data=st.data(), name=st.sampled_from(sorted(CHANGES)), before=st.integers(0, 30 * 60), minutes=st.integers(0, 24 * 60))
    def test_agrees_with_a_look_at_every_minute_around_changes_of_the_clocks(
        self, data: st.DataObject, name: str, before: int, minutes: int
    ) -> None:
        zone, change = ZONES.zone(name), data.draw(st.sampled_from(CHANGES[name]))
        week = data.draw(st.dictionaries(st.sampled_from(WEEK), spans(), min_size=5, max_size=7))
        days = data.draw(st.sets(st.integers(-1, 3), max_size=2))
        holidays = tuple(Holiday(date=change.date() + timedelta(days=day)) for day in days)
        calendar = Calendar(zone=name, hours=week, holidays=holidays)
        start = change - before * MINUTE
        assert resolve(calendar, zone, start, [minutes * MINUTE]) == [by_minutes(calendar, zone, start, minutes)]


class TestCalendar:
    @pytest.mark.parametrize(
        ("given_hours", "said"),
        [
            ({}, "no weekday has working hours"),
            ({"mon": []}, "no weekday has working hours"),
            ({"mon": [{"from": "09:00", "to": "09:00"}]}, "end after they begin"),
            ({"mon": [{"from": "22:00", "to": "06:00"}]}, "split a night at 24:00"),
            ({"mon": [{"from": "9:00", "to": "17:00"}]}, "no time of day"),
            ({"mon": [{"from": "09:00", "to": "24:30"}]}, "no time of day"),
            ({"mon": [{"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}]}, "overlap"),
            ({"monday": [{"from": "09:00", "to": "12:00"}]}, "mon"),
        ],
    )
    def test_says_what_is_wrong(self, given_hours: dict[str, object], said: str) -> None:
        with pytest.raises(ValidationError, match=said):
            Calendar.model_validate({"zone": "UTC", "hours": given_hours})

    def test_reads_as_people_write_it(self) -> None:
        written = {
            "zone": "UTC",
            "hours": {"mon": [{"from": "09:00", "to": "24:00"}]},
            "holidays": [{"date": "2026-12-25", "name": "Xmas"}],
        }
        assert Calendar.model_validate(written).model_dump(mode="json", by_alias=True) == written


class TestReference:
    def test_has_a_name_and_perhaps_a_version(self) -> None:
        assert (calendar_reference("berlin-office"), calendar_reference("berlin@3")) == (("berlin-office", None), ("berlin", 3))

    @pytest.mark.parametrize("text", ["", "Berlin", "a@", "a@x", "berlin@³", "b@1@2", "-x"])
    def test_of_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            calendar_reference(text)
