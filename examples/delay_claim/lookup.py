"""Looks a flight up in the tables of `data/`: the function behind the tool `flights.lookup`.

It is plain Python over plain CSV and knows nothing of the platform, so it can be tried alone. A month is read when it is
first asked for and kept. A flight that is not in a month we have never flew from New York; a month we lack says so instead.
"""

import csv
import datetime
import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict

DATA = Path(__file__).parent / "data"

Row = Mapping[str, str]
Month = Mapping[tuple[str, int, int], tuple[Row, ...]]
"""One month: (carrier, flight number, day) → the legs under that number; nearly always one."""


class FlightFound(TypedDict):
    """What the table says about one departure.

    Delays are whole minutes, negative when early. A cancelled flight has neither; a diverted one (left, but did not land at
    `dest` as planned) has no arrival delay. Times are local `HH:MM`.
    """

    found: Literal[True]
    carrier: str
    carrier_name: str
    flight: int
    date: str
    origin: str
    dest: str
    scheduled_departure: str
    scheduled_arrival: str
    departure_delay_minutes: int | None
    arrival_delay_minutes: int | None
    status: Literal["flown", "cancelled", "diverted"]
    cancelled: bool


class FlightNotFound(TypedDict):
    """Why there is no answer.

    `not-in-table`: the month is here and the flight is not, so it never left New York that day. `month-not-loaded`: nothing
    can be said (`make data` adds months). `several-legs`: the number was used twice that day; name one of `origins`.
    """

    found: Literal[False]
    reason: Literal["not-in-table", "month-not-loaded", "several-legs"]
    detail: str
    origins: list[str]


def look_up_flight(carrier: str, flight: int, date: str, origin: str | None = None, *, data: Path = DATA) -> FlightFound | FlightNotFound:
    """Return the departure of `carrier` `flight` on `date` (local day of scheduled departure, `YYYY-MM-DD`).

    Args:
        carrier: two-character code, such as `UA`; any case.
        flight: the number without the carrier.
        date: ISO date.
        origin: airport code (EWR, JFK or LGA), needed only when the number flew twice that day; any case.
        data: the folder of the tables.

    Raises:
        ValueError: an argument has the wrong form; the message names it and shows the right one.
    """
    day = _day(date)
    wanted_carrier = _code(carrier, "carrier", r"[A-Z0-9]{2}", "UA")
    wanted_origin = None if origin is None else _code(origin, "origin", r"[A-Z]{3}", "JFK")
    month = _month(data, day.year, day.month)
    if month is None:
        have = ", ".join(months_loaded(data)) or "none"
        return _not_found("month-not-loaded", f"no table for {date[:7]}; months here: {have}")
    legs = [row for row in month.get((wanted_carrier, flight, day.day), ()) if wanted_origin in (None, row["origin"])]
    if not legs:
        place = wanted_origin or "New York"
        return _not_found("not-in-table", f"{wanted_carrier} {flight} did not depart from {place} on {date}")
    if len(legs) > 1:
        return _not_found(
            "several-legs", f"{wanted_carrier} {flight} flew {len(legs)} legs; name the origin", [leg["origin"] for leg in legs]
        )
    return _found(legs[0], day, data)


def months_loaded(data: Path = DATA) -> list[str]:
    """Return the months whose tables are in `data`, as `YYYY-MM`, oldest first."""
    return sorted(path.stem.removeprefix("flights-") for path in data.glob("flights-????-??.csv"))


def _found(row: Row, day: datetime.date, data: Path) -> FlightFound:
    departure, arrival = _minutes(row["dep_delay"]), _minutes(row["arr_delay"])
    status = "cancelled" if departure is None else "diverted" if arrival is None else "flown"
    return FlightFound(
        found=True,
        carrier=row["carrier"],
        carrier_name=_airlines(data).get(row["carrier"], row["carrier"]),
        flight=int(row["flight"]),
        date=day.isoformat(),
        origin=row["origin"],
        dest=row["dest"],
        scheduled_departure=_clock(row["sched_dep_time"]),
        scheduled_arrival=_clock(row["sched_arr_time"]),
        departure_delay_minutes=departure,
        arrival_delay_minutes=arrival,
        status=status,
        cancelled=status == "cancelled",
    )


def _not_found(
    reason: Literal["not-in-table", "month-not-loaded", "several-legs"], detail: str, origins: list[str] | None = None
) -> FlightNotFound:
    return FlightNotFound(found=False, reason=reason, detail=detail, origins=origins or [])


@functools.cache
def _month(data: Path, year: int, month: int) -> Month | None:
    path = data / f"flights-{year:04}-{month:02}.csv"
    if not path.is_file():
        return None
    legs: defaultdict[tuple[str, int, int], tuple[Row, ...]] = defaultdict(tuple)
    with path.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            legs[row["carrier"], int(row["flight"]), int(row["day"])] += (row,)
    return dict(legs)


@functools.cache
def _airlines(data: Path) -> Mapping[str, str]:
    path = data / "airlines.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as table:
        return {row["carrier"]: row["name"] for row in csv.DictReader(table)}


def _day(date: str) -> datetime.date:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        try:
            return datetime.date.fromisoformat(date)
        except ValueError as error:
            raise ValueError(f"date {date!r}: {error}") from None
    raise ValueError(f"date must look like 2013-01-15, got {date!r}")


def _code(value: str, name: str, pattern: str, example: str) -> str:
    code = value.strip().upper()
    if not re.fullmatch(pattern, code):
        raise ValueError(f"{name} must look like {example}, got {value!r}")
    return code


def _minutes(cell: str) -> int | None:
    return int(cell) if cell else None


def _clock(hhmm: str) -> str:
    # The table writes times as numbers: 00:25 is 25.
    hours, minutes = divmod(int(hhmm), 100)
    return f"{hours:02}:{minutes:02}"
