"""`/v1/runs/{run_id}/events`: what a run does, while it does it."""

from enum import Enum
from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.responses import Response

from api.context import Context
from api.deps import GatewayDeps
from api.queries import RunIdInPath
from api.streaming import EventStream, Watch, told
from domain.errors import InvalidInput
from domain.streams import Cursor, resumed

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="The id of the last event that came; none to begin anew.")]


class EventRoutes:
    """Streams of runs over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["runs"]
        app.router.add_api_route(
            "/v1/runs/{run_id}/events",
            self.watch_run,
            methods=["GET"],
            tags=tags,
            response_class=Response,  # not the class it returns: FastAPI would take the endpoint for a generator, which cannot refuse
            responses={
                200: {"description": "The events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                204: {"description": "The run has ended, and its end was told"},
            },
        )

    async def watch_run(self, run_id: RunIdInPath, context: Context, last_event_id: LastEventId = None) -> Response:
        """Follow a run as server-sent events, from its beginning or from the event named by Last-Event-ID, until it ends.

        `entry` is a ledger entry, and with an answer of a model its text; `delta` a piece of an answer that is on its way; `reset` takes
        back the deltas of an attempt; `end` tells the run's status. A stream may be cut at any time: come again with the last id.

        Raises:
            NotFound: no such run.
            InvalidInput: the Last-Event-ID is none, or of another run.
        """
        deps, tenant = self._deps.streams, context.principal.tenant
        cursor = Cursor.parse(last_event_id) if last_event_id else Cursor()
        status, head = await deps.reader.standing(tenant, run_id)
        if cursor.seq > head:
            raise InvalidInput(f"run {run_id} has {head} ledger entries, and the Last-Event-ID names one after them; begin anew without it")
        if cursor.ended and status.closed and cursor.seq == head:
            return Response(status_code=204)
        narrator = await resumed(deps.reader, cursor, tenant=tenant, run=run_id)
        watch = Watch(tenant=tenant, run=run_id, settled_until=0 if last_event_id else head)
        return EventStream(told(deps, watch, narrator), send_s=deps.send_s)
