"""What calendars, substitutes and the inbox need beside the run stores."""

from dataclasses import dataclass

from domain.calendars import CalendarStore, Zones
from domain.stores import MessageReader, PayloadStore
from domain.substitutes import SubstituteStore


@dataclass(frozen=True, kw_only=True)
class ReviewingDeps:
    """The ports."""

    calendars: CalendarStore
    zones: Zones
    substitutes: SubstituteStore
    messages: MessageReader
    payloads: PayloadStore
