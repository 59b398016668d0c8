"""`/v1/budgets`: what a tenant, its definitions and its runs may use, and the thresholds that were passed."""

from enum import Enum

from fastapi import FastAPI

from api.context import Context
from api.deps import GatewayDeps
from api.money_views import BudgetBody, BudgetList, BudgetsWanted, BudgetView, EventPage, ScopeInPath, SettableScope, budget_view
from api.problems import Mistake, Mistaken
from domain.budget import Unit
from domain.budget_stores import BudgetEvent, BudgetLimit
from domain.errors import InvalidInput, NotFound
from domain.ids import parse_id
from domain.stores import Page


class BudgetRoutes:
    """Budgets over HTTP. The platform's own limits are an operator's setting and stand in no tenant's list."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["budgets"]
        add = app.router.add_api_route
        add("/v1/budgets", self.list_budgets, methods=["GET"], tags=tags)
        add("/v1/budgets/events", self.list_budget_events, methods=["GET"], tags=tags)
        add("/v1/budgets/{scope}/{name}", self.get_budget, methods=["GET"], tags=tags)
        add("/v1/budgets/{scope}/{name}", self.set_budget, methods=["PUT"], tags=tags)
        add("/v1/budgets/{scope}/{name}", self.clear_budget, methods=["DELETE"], tags=tags)

    async def list_budgets(self, where: BudgetsWanted, context: Context) -> BudgetList:
        """List budgets with what is reserved and spent; those of a run only when it is named."""
        tenant = context.principal.tenant
        name = "" if where.scope == "tenant" else where.name
        rows = await self._deps.money.budgets.budgets(tenant, scope=where.scope, name=name)
        return BudgetList(items=tuple(budget_view(row, tenant=tenant) for row in rows))

    async def list_budget_events(self, where: EventPage, context: Context) -> Page[BudgetEvent]:
        """List the thresholds that spending has passed, newest first."""
        return await self._deps.money.budgets.events(context.principal.tenant, limit=where.limit, cursor=where.cursor)

    async def get_budget(self, scope: ScopeInPath, name: str, context: Context) -> BudgetList:
        """Show the budgets of one tenant, definition or run.

        Raises:
            NotFound: nothing limits it and nothing was spent.
        """
        tenant = context.principal.tenant
        rows = await self._deps.money.budgets.budgets(tenant, scope=scope, name=_stored_name(scope, name, tenant))
        if not rows:
            raise NotFound(f"there is no budget of {scope} {name} here")
        return BudgetList(items=tuple(budget_view(row, tenant=tenant) for row in rows))

    async def set_budget(self, scope: ScopeInPath, name: str, body: BudgetBody, context: Context) -> BudgetList:
        """Set limits. A lower one holds at once for every call that has not begun; what has begun is not stopped.

        Raises:
            Mistaken: no unit is named, or a run's budget has a period.
            NotFound: there is no such definition or run.
        """
        limits = body.limits()
        if not limits:
            raise Mistaken(*_mistake("/", "no unit is named", '{"usd_micros": {"hard": 5000000}}'))
        if scope == "run" and body.period != "total":
            raise Mistaken(*_mistake("/period", "a run's budget counts the whole run", '"total"'))
        context.kept = True
        return BudgetList(items=await self._set(scope, name, limits, context.principal.tenant))

    async def clear_budget(self, scope: ScopeInPath, name: str, context: Context) -> BudgetList:
        """Take every limit away; what was spent stays counted."""
        context.kept = True
        return BudgetList(items=await self._set(scope, name, [BudgetLimit(unit=unit) for unit in Unit], context.principal.tenant))

    async def _set(self, scope: SettableScope, name: str, limits: list[BudgetLimit], tenant: str) -> tuple[BudgetView, ...]:
        rows = await self._deps.money.budgets.set_limits(tenant, scope, _stored_name(scope, name, tenant), limits)
        return tuple(budget_view(row, tenant=tenant) for row in rows)


def _stored_name(scope: SettableScope, name: str, tenant: str) -> str:
    """The name under which a budget is stored.

    Raises:
        NotFound: another tenant's. InvalidId: a run's id is none.
    """
    if scope == "tenant":
        if name != tenant:
            raise NotFound(f"there is no budget of tenant {name} here")
        return ""
    return parse_id(name, "run") if scope == "run" else name


def _mistake(where: str, detail: str, instead: str) -> tuple[InvalidInput, list[Mistake]]:
    return InvalidInput(detail), [Mistake(where=where, detail=detail, instead=instead)]
