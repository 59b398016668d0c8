"""Working-hours calendars: when it is working time, and at which instant so much of it has passed. Pure.

Working time is judged point by point: an instant is working time when the wall clock of the calendar's zone then shows a working hour of a
day that is no holiday. So an hour that the clocks skip is no working time, and one that they show twice counts twice.
A zone is a plain `tzinfo`, handed in: where its rules come from is an adapter's affair (ADR 0022).
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, NamedTuple, Protocol, Self

from pydantic import AfterValidator, Field, model_validator

from domain.errors import InvalidInput
from domain.model import Value
from domain.stores import Page

DAY = timedelta(days=1)
ZERO = timedelta()

HORIZON = timedelta(days=366 * 10)
"""How far ahead working time is looked for; a calendar that has too little of it in ten years is a mistake."""

OFFSETS_MAX = 100
"""Most offsets resolved at once: one for each reminder and each rung of an approval's ladder."""

_NAME = re.compile(r"^[a-z][a-z0-9-]{0,62}[a-z0-9]\Z")
_HOUR = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z|^24:00\Z")


def _day_hour(text: str) -> str:
    """Return a wall-clock time of a day, 00:00 to 24:00.

    Raises:
        ValueError: it is none.
    """
    if _HOUR.match(text) is None:
        raise ValueError(f"{text[:20]!r} is no time of day: write 09:00, with 24:00 for the end of the day")
    return text


DayHour = Annotated[str, AfterValidator(_day_hour)]


class Weekday(StrEnum):
    """Days of the week, as a calendar names them."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


WEEK = tuple(Weekday)


class Hours(Value):
    """Working hours of a day, wall clock; `until` is not part of them."""

    since: DayHour = Field(alias="from")
    until: DayHour = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since >= self.until:
            raise ValueError(f"working hours end after they begin, and {self.since} to {self.until} do not; split a night at 24:00")
        return self


class Holiday(Value):
    """A day without working time; `name` is for people."""

    date: date
    name: str = Field(default="", max_length=200)


class Calendar(Value):
    """An IANA time zone, the working hours of each weekday, and the days that are none."""

    zone: str = Field(min_length=1, max_length=64)
    hours: dict[Weekday, tuple[Hours, ...]]
    holidays: tuple[Holiday, ...] = Field(default=(), max_length=2000)

    @model_validator(mode="after")
    def _workable(self) -> Self:
        if not any(self.hours.values()):
            raise ValueError('no weekday has working hours: write for example {"mon": [{"from": "09:00", "to": "17:00"}]}')
        for day, spans in self.hours.items():
            ordered = sorted(spans, key=lambda each: each.since)
            for one, other in pairwise(ordered):
                if other.since < one.until:
                    raise ValueError(f"the working hours of {day} overlap: {one.since}–{one.until} and {other.since}–{other.until}")
        return self


class StoredCalendar(Value):
    """One version of a named calendar; a version never changes."""

    name: str
    version: int
    calendar: Calendar
    created_by: str
    created_at: str
    retired_at: str | None = None


class Span(NamedTuple):
    """A stretch of working time; `end` is not part of it. Both are UTC."""

    start: datetime
    end: datetime


class Zones(Protocol):
    """The time zones of one edition of the IANA database."""

    @property
    def edition(self) -> str:
        """Say which edition, such as `2026a`."""
        ...

    def zone(self, name: str) -> tzinfo:
        """Return a zone by its IANA name. Raises: InvalidInput when there is none of that name."""
        ...


class CalendarStore(Protocol):
    """Calendars by name and version."""

    async def put(self, tenant: str, name: str, calendar: Calendar, *, principal: str) -> StoredCalendar:
        """Store the next version; the same calendar as the latest one changes nothing, and a retired name lives again."""
        ...

    async def get(self, tenant: str, name: str, version: int | None = None) -> StoredCalendar:
        """Return one version, or the latest that is not retired. Raises: NotFound."""
        ...

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[StoredCalendar]:
        """Return the latest version of each calendar that is not retired, by name."""
        ...

    async def retire(self, tenant: str, name: str) -> None:
        """Take a calendar out of use; its versions stay readable by number. Raises: NotFound."""
        ...


def calendar_name(text: str) -> str:
    """Return a calendar's name: 2–64 characters of a-z, 0-9 and hyphen.

    Raises:
        InvalidInput: it is none.
    """
    if _NAME.match(text) is None:
        raise InvalidInput(f"{text[:80]!r} is no calendar's name: 2 to 64 characters of a-z, 0-9 and '-', starting with a letter")
    return text


def calendar_reference(text: str) -> tuple[str, int | None]:
    """Return the name and version of `name` or `name@3`.

    Raises:
        InvalidInput: it is neither.
    """
    name, at, version = text.partition("@")
    if at and not (version.isascii() and version.isdecimal() and 0 < len(version) < 10):
        raise InvalidInput(f"{text[:80]!r} names no version of a calendar: write the name alone, or for example {name[:64]}@3")
    return calendar_name(name), int(version) if at else None


def next_working_instant(calendar: Calendar, zone: tzinfo, start: datetime) -> datetime:
    """Return `start` when it is working time, else the first instant after it that is, in UTC.

    Raises:
        InvalidInput: there is none within ten years.
    """
    return resolve(calendar, zone, start, [ZERO])[0]


def resolve(calendar: Calendar, zone: tzinfo, start: datetime, offsets: list[timedelta]) -> list[datetime]:
    """Return for each offset the first instant, in UTC, by which so much working time has passed since `start`.

    Offset zero gives the next working instant. An offset that is used up when work ends gives that end, and not the next morning.

    Raises:
        InvalidInput: an offset is negative, there are over 100, or ten years have too little working time.
    """
    if len(offsets) > OFFSETS_MAX or any(offset < ZERO for offset in offsets):
        raise InvalidInput(f"working time is counted forward, for at most {OFFSETS_MAX} offsets at once")
    spans = working_spans(calendar, zone, start)
    found: dict[timedelta, datetime] = {}
    passed, span = ZERO, next(spans, None)
    for offset in sorted(set(offsets)):
        while span is not None and passed + (span.end - span.start) < offset:
            passed += span.end - span.start
            span = next(spans, None)
        if span is None:
            raise InvalidInput(f"the calendar has less than {offset} of working time in the ten years after {start.isoformat()}")
        found[offset] = span.start + (offset - passed)
    return [found[offset] for offset in offsets]


def working_spans(calendar: Calendar, zone: tzinfo, start: datetime) -> Iterator[Span]:
    """Yield working time from `start` on, in order, without gaps inside a span at the seams of days; ends after ten years."""
    holidays = {each.date for each in calendar.holidays}
    pending: Span | None = None
    for piece in _pieces(zone, start.astimezone(UTC)):
        for span in _working(calendar, holidays, piece):
            if pending is not None and pending.end == span.start:
                pending = Span(pending.start, span.end)
                continue
            if pending is not None:
                yield pending
            pending = span
    if pending is not None:
        yield pending


class _Piece(NamedTuple):
    """A stretch of time, in UTC, in which the zone's wall clock is `offset` ahead all the time."""

    start: datetime
    end: datetime
    offset: timedelta


def _pieces(zone: tzinfo, start: datetime) -> Iterator[_Piece]:
    here, last = start, start + HORIZON
    while here < last:
        end = min(here + DAY / 4, last)
        offset = _offset(zone, here)
        if _offset(zone, end) != offset:
            end = _change(zone, here, end)
        yield _Piece(here, end, offset)
        here = end


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or ZERO


def _change(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """Return the first instant with another offset than `low`, by halving; zones change on whole seconds."""
    before = _offset(zone, low)
    low, high = low.replace(microsecond=0), high.replace(microsecond=0)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _working(calendar: Calendar, holidays: set[date], piece: _Piece) -> Iterator[Span]:
    """Yield the working time of one piece: within it the wall clock is a plain shift."""
    local_start, local_end = piece.start + piece.offset, piece.end + piece.offset
    day = local_start.date()
    while _at(day, "00:00") < local_end:
        if day not in holidays:
            for hours in sorted(calendar.hours.get(WEEK[day.weekday()], ()), key=lambda each: each.since):
                since, until = max(_at(day, hours.since), local_start), min(_at(day, hours.until), local_end)
                if since < until:
                    yield Span(since - piece.offset, until - piece.offset)
        day += DAY


def _at(day: date, hour: str) -> datetime:
    """Return a wall-clock time as if it were UTC: pieces shift it back."""
    hours, minutes = hour.split(":")
    return datetime.combine(day, time(), UTC) + timedelta(hours=int(hours), minutes=int(minutes))
