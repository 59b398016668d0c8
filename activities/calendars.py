"""The activity that turns working time into instants: workflow code sees instants only (JOURNAL §10, DESIGN §15)."""

from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from temporalio import activity

from activities.failures import FailureDetails, application_error
from activities.requests import RESOLVE_CALENDAR, CalendarRequest
from domain.calendars import CalendarStore, Zones, calendar_reference, resolve
from domain.envelope import Envelope, Receipt
from domain.errors import InvalidInput, StandfastError


class CalendarActivities:
    """Resolves offsets of working time."""

    def __init__(self, *, calendars: CalendarStore, zones: Zones) -> None:
        self._calendars = calendars
        self._zones = zones

    @activity.defn(name=RESOLVE_CALENDAR)
    async def resolve_calendar(self, envelope: Envelope) -> Receipt:
        """Return `{instants, calendar, edition}` in the receipt's fields; instants are RFC 3339 UTC in the request's order.

        `calendar` names the version used and `edition` the time zones' rules, so that a reader can compute them again.

        Raises:
            ApplicationError: of NotFound or InvalidInput, final; of Unavailable, retried.
        """
        try:
            return Receipt(fields=await self._resolved(envelope.tenant, CalendarRequest.model_validate(envelope.request)))
        except StandfastError as error:
            failure = application_error(error, FailureDetails(detail=error.detail, attempt=activity.info().attempt))
            raise failure from error

    async def _resolved(self, tenant: str, request: CalendarRequest) -> dict[str, JsonValue]:
        name, version = calendar_reference(request.calendar)
        stored = await self._calendars.get(tenant, name, version)
        offsets = [timedelta(seconds=offset) for offset in request.offsets_s]
        zone = self._zones.zone(stored.calendar.zone)
        instants = resolve(stored.calendar, zone, _instant(request.since), offsets)
        return {
            "instants": [each.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") for each in instants],
            "calendar": f"{stored.name}@{stored.version}",
            "edition": self._zones.edition,
        }


def _instant(text: str) -> datetime:
    """Return an RFC 3339 instant.

    Raises:
        InvalidInput: it is none, or has no offset.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput(f"{text[:40]!r} is no instant: working time is counted from an RFC 3339 time with its offset")
    return found
