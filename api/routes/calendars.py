"""`/v1/calendars`: working hours by name and version, and the instants they give."""

from datetime import timedelta
from enum import Enum

from fastapi import FastAPI
from fastapi.responses import Response

from api.context import Context
from api.deps import GatewayDeps, instant
from api.problems import Mistake, Mistaken
from api.reviewing_views import CalendarInPath, CalendarList, CalendarView, CalendarWanted, InstantsView, InstantsWanted
from domain.calendars import Calendar, StoredCalendar, resolve
from domain.errors import InvalidInput
from domain.stores import Page


class CalendarRoutes:
    """Working-hours calendars over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._ports = deps.reviewing

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["calendars"]
        add = app.router.add_api_route
        add("/v1/calendars", self.list_calendars, methods=["GET"], tags=tags)
        add("/v1/calendars/{name}", self.get_calendar, methods=["GET"], tags=tags)
        add("/v1/calendars/{name}", self.put_calendar, methods=["PUT"], tags=tags)
        add("/v1/calendars/{name}", self.retire_calendar, methods=["DELETE"], tags=tags, status_code=204, response_class=Response)
        add("/v1/calendars/{name}/instants", self.get_instants, methods=["GET"], tags=tags)

    async def list_calendars(self, where: CalendarList, context: Context) -> Page[CalendarView]:
        """List the latest version of each calendar in use, by name."""
        page = await self._ports.calendars.page(context.principal.tenant, limit=where.limit, cursor=where.cursor)
        return Page[CalendarView](items=tuple(_view(each) for each in page.items), next_cursor=page.next_cursor)

    async def get_calendar(self, name: CalendarInPath, where: CalendarWanted, context: Context) -> CalendarView:
        """Show a calendar; an older version, or one of a retired calendar, by its number."""
        return _view(await self._ports.calendars.get(context.principal.tenant, name, where.version))

    async def put_calendar(self, name: CalendarInPath, body: Calendar, context: Context) -> CalendarView:
        """Store a calendar's next version; the one that stands already changes nothing. Open approvals keep the deadlines they have.

        Raises:
            Mistaken: there is no such time zone.
        """
        try:
            self._ports.zones.zone(body.zone)
        except InvalidInput as unknown:
            raise Mistaken(unknown, [Mistake(where="/zone", detail=unknown.detail, instead='"Europe/Berlin"')]) from unknown
        stored = await self._ports.calendars.put(context.principal.tenant, name, body, principal=context.principal.id)
        context.kept = True
        return _view(stored)

    async def retire_calendar(self, name: CalendarInPath, context: Context) -> Response:
        """Take a calendar out of use: approvals that are opened from now on cannot name it, open ones keep their deadlines."""
        await self._ports.calendars.retire(context.principal.tenant, name)
        context.kept = True
        return Response(status_code=204)

    async def get_instants(self, name: CalendarInPath, where: InstantsWanted, context: Context) -> InstantsView:
        """Compute when so much working time will have passed; offset 0 is the next working instant. Approvals compute the same."""
        stored = await self._ports.calendars.get(context.principal.tenant, name, where.version)
        zone = self._ports.zones.zone(stored.calendar.zone)
        found = resolve(stored.calendar, zone, where.since, [timedelta(seconds=offset) for offset in where.offset_s])
        return InstantsView(
            calendar=f"{stored.name}@{stored.version}", edition=self._ports.zones.edition, instants=tuple(instant(each) for each in found)
        )


def _view(stored: StoredCalendar) -> CalendarView:
    return CalendarView(**dict(stored.calendar), **{name: value for name, value in stored if name != "calendar"})
