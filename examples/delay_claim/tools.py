"""The tool `flights.lookup`: what the flight table says about one departure, for agents. It reads files and changes nothing."""

import asyncio
from collections.abc import Iterable
from typing import cast

from pydantic import JsonValue

from adapters.tools.registry import ToolContext
from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.tools import Tool, ToolCall, ToolSpec
from examples.delay_claim.lookup import look_up_flight

_DESCRIPTION = (
    "Looks a departure from New York (EWR, JFK, LGA) up in the 2013 flight table. Gives its status (flown, cancelled, diverted), "
    "its delays in whole minutes (negative when early) and its times; or found=false with the reason: not-in-table means that it "
    "never flew, month-not-loaded that nothing can be said, several-legs that you must name one of `origins`."
)
_MINUTES: JsonValue = {"type": ["integer", "null"]}

SPEC = ToolSpec(
    name="flights.lookup",
    version="1.0.0",
    description=_DESCRIPTION,
    input_schema={
        "type": "object",
        "properties": {
            "carrier": {"type": "string", "description": "two-character carrier code, such as UA"},
            "flight": {"type": "integer", "minimum": 1, "description": "flight number without the carrier"},
            "date": {"type": "string", "format": "date", "description": "local day of the scheduled departure, YYYY-MM-DD"},
            "origin": {"enum": ["EWR", "JFK", "LGA"], "description": "airport of departure; needed when the number flew twice that day"},
        },
        "required": ["carrier", "flight", "date"],
        "additionalProperties": False,
    },
    output_schema={
        "type": "object",
        "properties": {
            "found": {"type": "boolean"},
            "status": {"enum": ["flown", "cancelled", "diverted"]},
            "departure_delay_minutes": _MINUTES,
            "arrival_delay_minutes": _MINUTES,
            "reason": {"enum": ["not-in-table", "month-not-loaded", "several-legs"]},
            "detail": {"type": "string"},
        },
        "required": ["found"],
    },
    effect_class=EffectClass.READ,
    timeout_s=15.0,
    trust="trusted",  # it answers from the airline's own table: nobody outside can write into it
)
"""What the platform sees. 15 s: a table is read whole when its month is first asked for (0.2 s for 27,000 rows)."""


class FlightsLookup:
    """`flights.lookup` 1.0.0 over the tables in `data/`."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return SPEC

    async def call(self, call: ToolCall) -> JsonValue:
        """Return what `look_up_flight` says.

        Raises:
            ToolFailed: an argument is missing or has the wrong form.
        """
        carrier, flight, date, origin = (call.arguments.get(name) for name in ("carrier", "flight", "date", "origin"))
        if not isinstance(carrier, str) or not isinstance(flight, int) or not isinstance(date, str):
            raise ToolFailed("flights.lookup needs carrier (text), flight (number) and date (text)")
        try:
            answer = await asyncio.to_thread(look_up_flight, carrier, flight, date, None if origin is None else str(origin))
        except ValueError as error:
            raise ToolFailed(f"flights.lookup: {error}") from error
        return cast("JsonValue", answer)


def build(context: ToolContext) -> Iterable[Tool]:
    """The factory behind the entry point `flights_lookup`."""
    del context  # the tables lie beside this module: nothing to connect to
    return [FlightsLookup()]
