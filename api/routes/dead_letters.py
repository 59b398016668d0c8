"""`/v1/dead-letters`: what was given up, until somebody redrives or discards it."""

from enum import Enum

from fastapi import FastAPI

from api.context import Context
from api.dead_letter_views import (
    BulkRedriveBody,
    BulkRedriveView,
    DeadLetterIdInPath,
    DeadLetterList,
    DeadLetterView,
    DiscardBody,
    RedriveIdInPath,
    RedriveLetterBody,
    utc,
)
from api.dead_letters import DeadLetters
from api.deps import GatewayDeps, instant
from domain.dead_letters import BulkRedrive, DeadLetter, DeadLetterFilter
from domain.stores import Page


class DeadLetterRoutes:
    """Dead letters over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._letters = deps.dead_letters.letters
        self._redriving = DeadLetters(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["dead letters"]
        add, one = app.router.add_api_route, "/v1/dead-letters/{dead_letter_id}"
        add("/v1/dead-letters", self.list_dead_letters, methods=["GET"], tags=tags)
        add("/v1/dead-letters/redrive", self.redrive_dead_letters, methods=["POST"], tags=tags, status_code=202)
        add("/v1/dead-letters/redrives/{redrive_id}", self.get_redrive, methods=["GET"], tags=tags)
        add(one, self.get_dead_letter, methods=["GET"], tags=tags)
        add(f"{one}/redrive", self.redrive_dead_letter, methods=["POST"], tags=tags)
        add(f"{one}/discard", self.discard_dead_letter, methods=["POST"], tags=tags)

    async def list_dead_letters(self, where: DeadLetterList, context: Context) -> Page[DeadLetterView]:
        """List dead letters, newest last attempt first; open ones unless `state` says otherwise."""
        given = where.model_dump(include={"kind", "cause", "definition", "run", "limit", "cursor"})
        wanted = DeadLetterFilter(**given, state=None if where.state == "any" else where.state, since=utc(where.since))
        page = await self._letters.page(context.principal.tenant, wanted)
        return Page[DeadLetterView](items=tuple(_view(letter) for letter in page.items), next_cursor=page.next_cursor)

    async def get_dead_letter(self, dead_letter_id: DeadLetterIdInPath, context: Context) -> DeadLetterView:
        """Show one dead letter."""
        return _view(await self._letters.get(context.principal.tenant, dead_letter_id))

    async def redrive_dead_letter(
        self, dead_letter_id: DeadLetterIdInPath, context: Context, body: RedriveLetterBody | None = None
    ) -> DeadLetterView:
        """Try again what was given up: a run from its failed step, an effect with its run, a delivery by a new attempt."""
        reason = (body.reason if body else "") or None
        letter = await self._redriving.redrive(context.principal.tenant, dead_letter_id, by=context.principal.id, reason=reason)
        context.kept = True
        return _view(letter)

    async def redrive_dead_letters(self, body: BulkRedriveBody, context: Context) -> BulkRedriveView:
        """Redrive many in the background, `rate` a second: those open now that fit the filter, or all. Each is tried once."""
        bulk = BulkRedrive(
            tenant=context.principal.tenant,
            redrive=self._deps.new_id("rdv"),
            kind=body.kind,
            cause=body.cause,
            definition=body.definition,
            since=utc(body.since),
            rate=body.rate,
            reason=body.reason or None,
            requested_by=context.principal.id,
        )
        begun = await self._deps.dead_letters.bulk.begin(bulk)
        context.kept = True
        return _bulk_view(begun)

    async def get_redrive(self, redrive_id: RedriveIdInPath, context: Context) -> BulkRedriveView:
        """Show how far a redrive of many is."""
        return _bulk_view(await self._deps.dead_letters.bulk.get(context.principal.tenant, redrive_id))

    async def discard_dead_letter(self, dead_letter_id: DeadLetterIdInPath, body: DiscardBody, context: Context) -> DeadLetterView:
        """Close a dead letter for good; the reason is kept, and the run's ledger says who did it."""
        principal = context.principal
        letter = await self._letters.discard(
            principal.tenant, dead_letter_id, by=principal.id, reason=body.reason, at=instant(self._deps.now())
        )
        context.kept = True
        return _view(letter)


def _view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView.model_validate(letter.model_dump(include=set(DeadLetterView.model_fields)))


def _bulk_view(bulk: BulkRedrive) -> BulkRedriveView:
    return BulkRedriveView.model_validate(bulk.model_dump(include=set(BulkRedriveView.model_fields)))
