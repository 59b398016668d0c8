"""`/v1/substitutes`: who decides in a reviewer's place, and when."""

from enum import Enum

from fastapi import FastAPI

from api.context import Context, RequestContext
from api.deps import GatewayDeps, instant
from api.problems import Mistake, Mistaken
from api.reviewing_views import SubstituteBody, SubstituteList, SubstitutionIdInPath
from domain.errors import Forbidden, InvalidInput, NotFound
from domain.principals import Principal, Role
from domain.stores import Page
from domain.substitutes import DECIDING, LENGTH_MAX, Substitution


class SubstituteRoutes:
    """Substitutes over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._substitutes = deps.reviewing.substitutes

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["substitutes"]
        add = app.router.add_api_route
        add("/v1/substitutes", self.list_substitutes, methods=["GET"], tags=tags)
        add("/v1/substitutes", self.set_substitute, methods=["POST"], tags=tags, status_code=201)
        add("/v1/substitutes/{substitution_id}", self.get_substitute, methods=["GET"], tags=tags)
        add("/v1/substitutes/{substitution_id}/end", self.end_substitute, methods=["POST"], tags=tags)

    async def list_substitutes(self, where: SubstituteList, context: Context) -> Page[Substitution]:
        """List substitutions, latest start first."""
        return await self._substitutes.page(
            context.principal.tenant, principal=where.principal, standing=where.standing, limit=where.limit, cursor=where.cursor
        )

    async def get_substitute(self, substitution_id: SubstitutionIdInPath, context: Context) -> Substitution:
        """Show one substitution."""
        return await self._substitutes.get(context.principal.tenant, substitution_id)

    async def set_substitute(self, body: SubstituteBody, context: Context) -> Substitution:
        """Name a substitute: reviewers for themselves, admins for anybody.

        A substitute decides with the roles the reviewer has at that moment, and each decision says in whose place. Requesters gain nothing
        by it: neither they nor anybody in their place can decide what they asked for.

        Raises:
            Forbidden: a substitute for somebody else, and the caller is no admin.
            Mistaken: the times, or the two persons, make no sense.
        """
        reviewer = body.reviewer or context.principal.id
        if reviewer != context.principal.id and context.principal.role is not Role.ADMIN:
            raise Forbidden("reviewers name substitutes for themselves; an admin names them for others")
        await self._require(context, reviewer, "/reviewer")
        await self._require(context, body.substitute, "/substitute")
        stored = await self._substitutes.add(context.principal.tenant, self._checked(body, context, reviewer))
        context.kept = True
        return stored

    async def _require(self, context: RequestContext, principal: str, where: str) -> Principal:
        """Return a principal that may decide approvals.

        Raises:
            Mistaken: there is none of that id, or their platform role does not decide.
        """
        try:
            found = await self._deps.keys.principal(context.principal.tenant, principal)
        except NotFound as unknown:
            raise Mistaken(*_mistake(where, unknown.detail)) from unknown
        if found.role not in DECIDING:
            raise Mistaken(*_mistake(where, f"{principal} has the platform role {found.role.value}, which decides no approvals"))
        return found

    def _checked(self, body: SubstituteBody, context: RequestContext, reviewer: str) -> Substitution:
        now = self._deps.now()
        since = body.since or now
        if reviewer == body.substitute:
            raise Mistaken(*_mistake("/substitute", "a substitute is somebody else than the reviewer"))
        if body.until <= now:
            raise Mistaken(*_mistake("/to", f"it would be over already: it is {instant(now)}"))
        if not since < body.until <= since + LENGTH_MAX:
            raise Mistaken(*_mistake("/to", f"a substitution ends after it begins, and within {LENGTH_MAX.days} days"))
        return Substitution(
            substitution=self._deps.new_id("sbs"),
            reviewer=reviewer,
            substitute=body.substitute,
            roles=body.roles,
            since=instant(since),
            until=instant(body.until),
            set_by=context.principal.id,
            created_at=instant(now),
        )

    async def end_substitute(self, substitution_id: SubstitutionIdInPath, context: Context) -> Substitution:
        """End a substitution now: the reviewer, the substitute, or an admin. Decisions that were taken stay.

        Raises:
            Forbidden: somebody else.
        """
        row = await self._substitutes.get(context.principal.tenant, substitution_id)
        if context.principal.role is not Role.ADMIN and context.principal.id not in (row.reviewer, row.substitute):
            raise Forbidden("a substitution is ended by its reviewer, its substitute, or an admin")
        ended = await self._substitutes.end(context.principal.tenant, substitution_id, principal=context.principal.id)
        context.kept = True
        return ended


def _mistake(where: str, detail: str) -> tuple[InvalidInput, list[Mistake]]:
    return InvalidInput(detail), [Mistake(where=where, detail=detail)]
