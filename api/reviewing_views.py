"""JSON shapes and query parameters of calendars and substitutes."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime, Field, StringConstraints

from api.queries import Cursor, Limit
from domain.calendars import OFFSETS_MAX, Calendar, calendar_name
from domain.ids import parse_id
from domain.model import Value

OFFSET_S_MAX = 366 * 86400
ReviewerRole = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PrincipalName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
OffsetSeconds = Annotated[float, Field(ge=0, le=OFFSET_S_MAX)]


class CalendarView(Calendar):
    """One version of a calendar."""

    name: str
    version: int
    created_by: str
    created_at: str
    retired_at: str | None = None


class InstantsView(Value):
    """Working time as instants, RFC 3339 UTC; `calendar` and `edition` (of the time zones' rules) say what they were computed from."""

    calendar: str
    edition: str
    instants: tuple[str, ...]


class CalendarListQuery(Value):
    """A page of the list of calendars."""

    limit: Limit = 50
    cursor: Cursor | None = None


class CalendarQuery(Value):
    """`version` is a number; the latest one when left out."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class InstantsQuery(CalendarQuery):
    """`offset_s` are seconds of working time after `from`, given several times for several."""

    since: Annotated[AwareDatetime, Field(alias="from")]
    offset_s: Annotated[list[OffsetSeconds], Field(min_length=1, max_length=OFFSETS_MAX)]


class SubstituteBody(Value):
    """`substitute` decides in the place of `reviewer`, the caller when left out, between two instants; no `from` means now.

    `roles` narrows it to some of the reviewer's roles; none named means all of them.
    """

    substitute: PrincipalName
    reviewer: PrincipalName | None = None
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime = Field(alias="to")
    roles: Annotated[tuple[ReviewerRole, ...], Field(max_length=50)] = ()


class SubstituteListQuery(Value):
    """`principal` is somebody on either side; `standing` leaves out what is over or was ended."""

    principal: PrincipalName | None = None
    standing: bool = False
    limit: Limit = 50
    cursor: Cursor | None = None


def _name(name: Annotated[str, Path(description="2 to 64 characters of a-z, 0-9 and '-'")]) -> str:
    return calendar_name(name)


def _substitution(substitution_id: Annotated[str, Path(description="sbs_ and 26 characters")]) -> str:
    return parse_id(substitution_id, "sbs")


CalendarInPath = Annotated[str, Depends(_name)]
CalendarList = Annotated[CalendarListQuery, Query()]
CalendarWanted = Annotated[CalendarQuery, Query()]
InstantsWanted = Annotated[InstantsQuery, Query()]
SubstitutionIdInPath = Annotated[str, Depends(_substitution)]
SubstituteList = Annotated[SubstituteListQuery, Query()]
