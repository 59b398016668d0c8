"""What calendars and substitutes need beside the run stores."""

from dataclasses import dataclass

from domain.calendars import CalendarStore, Zones
from domain.substitutes import SubstituteStore


@dataclass(frozen=True, kw_only=True)
class ReviewingDeps:
    """The ports."""

    calendars: CalendarStore
    zones: Zones
    substitutes: SubstituteStore
