"""The tool `time.now`. What it says is journaled with the call, so that a run that is replayed or repeated reads the same time."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.tools import ToolCall, ToolSpec


class TimeNow:
    """`time.now` 1.0.0 by a clock in UTC."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="time.now",
            version="1.0.0",
            description="Says what time it is: in UTC, and in a time zone such as Europe/Zurich with its weekday.",
            input_schema={
                "type": "object",
                "properties": {"zone": {"type": "string", "maxLength": 64, "description": "an IANA time zone; UTC without it"}},
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("utc", "local", "zone", "weekday")},
                "required": ["utc", "local", "zone", "weekday"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.READ,
            timeout_s=5.0,
            trust="trusted",
            docs="docs/tools-builtin.md#timenow",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Read the clock.

        Raises:
            ToolFailed: there is no such zone.
        """
        zone = str(call.arguments.get("zone") or "UTC")
        try:
            place = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ToolFailed(f"there is no time zone {zone!r}: write one of IANA's, such as Europe/Zurich", where="/zone") from error
        now = self._clock()
        local = now.astimezone(place)
        return {"utc": _text(now).replace("+00:00", "Z"), "local": _text(local), "zone": zone, "weekday": local.strftime("%A")}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
