"""`/v1/approvals`: the inbox and decisions."""

from enum import Enum

from fastapi import FastAPI
from fastapi.responses import Response

from api.context import Context
from api.deciding import Deciding
from api.deps import GatewayDeps
from api.queries import ApprovalIdInPath, ApprovalList
from api.views import ApprovalView, DecisionBody, DecisionView, approval_view
from domain.stores import Page


class ApprovalRoutes:
    """Approvals over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._deciding = Deciding(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["approvals"]
        app.router.add_api_route("/v1/approvals", self.list_approvals, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/approvals/{approval_id}", self.get_approval, methods=["GET"], tags=tags)
        app.router.add_api_route(
            "/v1/approvals/{approval_id}/decision",
            self.decide_approval,
            methods=["POST"],
            tags=tags,
            responses={202: {"model": DecisionView, "description": "Stored, being delivered"}},
        )

    async def list_approvals(self, where: ApprovalList, context: Context) -> Page[ApprovalView]:
        """List approvals, earliest deadline first. `mine=true` shows what the caller's reviewer roles may decide."""
        roles = context.principal.reviewer_roles if where.mine else None
        page = await self._deps.approvals.page(
            context.principal.tenant, state=where.state, reviewer_roles=roles, limit=where.limit, cursor=where.cursor
        )
        return Page[ApprovalView](items=tuple(approval_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_approval(self, approval_id: ApprovalIdInPath, context: Context) -> ApprovalView:
        """Show one approval: the calls that will run, argument for argument, and the digest a decision must name."""
        return approval_view(await self._deps.approvals.get(context.principal.tenant, approval_id))

    async def decide_approval(
        self, approval_id: ApprovalIdInPath, body: DecisionBody, context: Context, response: Response
    ) -> DecisionView:
        """Approve or reject. 200 when the run took the decision, 202 when it is stored and still being delivered."""
        shown = await self._deciding.decide(context, approval=approval_id, body=body)
        response.status_code = 200 if shown.state == "accepted" else 202
        return shown
