"""`/v1/erasures` and `/v1/retention`: erase data subjects, keep and purge content by term, hold it."""

from enum import Enum

from fastapi import FastAPI
from fastapi.responses import Response

from api.context import Context
from api.deps import GatewayDeps, instant
from api.problems import Mistake, Mistaken
from api.queries import ErasureIdInPath, ErasureList, HoldIdInPath
from api.residue import ResidueRemover
from api.subject_views import ErasureBody, HoldBody, PlanView, PurgeBody, PurgeNothing, RemovalView, RetentionView, RuleBody
from domain.errors import InvalidInput
from domain.ids import parse_id
from domain.stores import Page
from domain.subjects import LegalHold, PurgeOrder, Removal, RemovalOrder, RemovalPlan


class SubjectRoutes:
    """Erasure and retention over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._subjects = deps.subjects
        self._residue = ResidueRemover(deps.subjects, tenants=deps.runs, now=deps.now)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        erasures: list[str | Enum] = ["erasures"]
        retention: list[str | Enum] = ["retention"]
        going = {202: {"model": RemovalView, "description": "Keys and rows are gone; objects and Temporal histories still go"}}
        add = app.router.add_api_route
        add("/v1/erasures", self.erase_subject, methods=["POST"], tags=erasures, response_model=RemovalView | PlanView, responses={**going})
        add("/v1/erasures", self.list_erasures, methods=["GET"], tags=erasures)
        add("/v1/erasures/{erasure_id}", self.get_erasure, methods=["GET"], tags=erasures)
        add("/v1/retention", self.get_retention, methods=["GET"], tags=retention)
        add("/v1/retention", self.set_retention_rule, methods=["POST"], tags=retention)
        add(
            "/v1/retention/purge",
            self.purge_content,
            methods=["POST"],
            tags=retention,
            response_model=RemovalView | PlanView | PurgeNothing,
            responses={**going},
        )
        add("/v1/retention/holds", self.place_hold, methods=["POST"], tags=retention, status_code=201)
        add("/v1/retention/holds/{hold_id}/release", self.release_hold, methods=["POST"], tags=retention)

    async def erase_subject(self, body: ErasureBody, context: Context, response: Response) -> RemovalView | PlanView:
        """Erase a data subject: its key is destroyed, the content of its runs and their Temporal histories go, their ledgers still verify.

        Refused while one of its runs is open or under a legal hold. `anonymise` also replaces the pseudonym by one that nobody can
        derive. The body is never stored.
        """
        tenant = context.principal.tenant
        subject = self._subjects.pseudonym(tenant, body.subject)
        if body.dry_run:
            return _plan_view(await self._subjects.removals.plan(tenant, subject))
        order = RemovalOrder(
            tenant=tenant,
            subject=subject,
            erasure=self._deps.new_id("era"),
            mode=body.mode,
            replacement=self._deps.new_id("sub") if body.mode == "anonymise" else None,
            principal=context.principal.id,
            at=instant(self._deps.now()),
        )
        removal = await self._subjects.removals.erase(order)
        context.kept = True
        return await self._finished(tenant, removal, response)

    async def _finished(self, tenant: str, removal: Removal, response: Response) -> RemovalView:
        """Clear what is left elsewhere, as far as that can be done now."""
        await self._residue.clear(tenant, erasure=removal.erasure)
        view = await self._view(tenant, removal.erasure)
        response.status_code = 202 if view.completed_at is None else 200
        response.headers["Location"] = f"/v1/erasures/{removal.erasure}"
        return view

    async def _view(self, tenant: str, erasure: str) -> RemovalView:
        removal, certificate = await self._subjects.removals.get(tenant, erasure)
        return RemovalView(**dict(removal), certificate=certificate)

    async def list_erasures(self, where: ErasureList, context: Context) -> Page[Removal]:
        """List erasures, anonymisations and purges, oldest first."""
        return await self._subjects.removals.page(context.principal.tenant, limit=where.limit, cursor=where.cursor)

    async def get_erasure(self, erasure_id: ErasureIdInPath, context: Context) -> RemovalView:
        """Show one removal and where the ledgers of its runs say so."""
        return await self._view(context.principal.tenant, erasure_id)

    async def get_retention(self, context: Context) -> RetentionView:
        """Show the retention rules and the legal holds that stand."""
        tenant = context.principal.tenant
        rules, holds = await self._subjects.retention.rules(tenant), await self._subjects.retention.holds(tenant, standing=True)
        return RetentionView(rules=tuple(rules), holds=tuple(holds))

    async def set_retention_rule(self, body: RuleBody, context: Context) -> RetentionView:
        """Set how long closed runs keep their content; nothing is purged before its term, and nothing at all without a rule."""
        tenant = context.principal.tenant
        await self._subjects.retention.set_rule(tenant, body.definition or "", body.keep_days, principal=context.principal.id)
        context.kept = True
        return await self.get_retention(context)

    async def purge_content(self, body: PurgeBody, context: Context, response: Response) -> RemovalView | PlanView | PurgeNothing:
        """Remove the content of runs whose term is over. For one run inside its term, or under a legal hold, it is refused."""
        tenant = context.principal.tenant
        if body.dry_run:
            return _plan_view(await self._subjects.removals.purge_plan(tenant, run=body.run, limit=body.limit))
        order = PurgeOrder(
            tenant=tenant,
            erasure=self._deps.new_id("era"),
            run=body.run,
            limit=body.limit,
            principal=context.principal.id,
            at=instant(self._deps.now()),
        )
        removal = await self._subjects.removals.purge(order)
        if removal is None:
            return PurgeNothing()
        context.kept = True
        return await self._finished(tenant, removal, response)

    async def place_hold(self, body: HoldBody, context: Context) -> LegalHold:
        """Place a legal hold: nothing in its scope is erased or purged while it stands."""
        tenant = context.principal.tenant
        hold = LegalHold(
            hold=self._deps.new_id("hld"),
            scope=body.scope,
            name=self._held(tenant, body),
            reason=body.reason,
            placed_by=context.principal.id,
            placed_at=instant(self._deps.now()),
        )
        placed = await self._subjects.retention.place_hold(tenant, hold)
        context.kept = True
        return placed

    def _held(self, tenant: str, body: HoldBody) -> str:
        """Return what the hold names.

        Raises:
            InvalidId: a run is named by something else.
            Mistaken: a name is missing, or one is given for the whole tenant.
        """
        if (body.scope == "tenant") != (body.name == ""):
            message = "a hold on the whole tenant has no name" if body.name else f"name the {body.scope} to hold"
            raise Mistaken(InvalidInput(message), [Mistake(where="/name", detail=message)])
        if body.scope == "subject":
            return self._subjects.pseudonym(tenant, body.name)
        return parse_id(body.name, "run") if body.scope == "run" else body.name

    async def release_hold(self, hold_id: HoldIdInPath, context: Context) -> LegalHold:
        """Release a legal hold; a released one stays as it is."""
        released = await self._subjects.retention.release_hold(context.principal.tenant, hold_id, principal=context.principal.id)
        context.kept = True
        return released


def _plan_view(plan: RemovalPlan) -> PlanView:
    return PlanView(allowed=plan.allowed, **dict(plan))
