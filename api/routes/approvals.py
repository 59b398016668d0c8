"""`/v1/approvals`: the inbox and decisions."""

from enum import Enum

from fastapi import FastAPI
from fastapi.responses import Response

from api.context import Context
from api.deciding import Deciding
from api.deps import GatewayDeps
from api.inbox_views import (
    DECISIONS_SHOWN,
    ME,
    MESSAGES_SHOWN,
    ApprovalDetailView,
    ApprovalList,
    AssignBody,
    answer_message,
    detail_view,
)
from api.problems import Mistake, Mistaken
from api.queries import ApprovalIdInPath
from api.views import ApprovalView, BatchAnswers, DecisionBatch, DecisionBody, DecisionView, approval_view, run_view
from domain.errors import InvalidInput, NotFound, ReferenceMissing
from domain.people_stores import ApprovalRow
from domain.provider import Message
from domain.stores import Page
from domain.substitutes import reviewer_roles_now


class ApprovalRoutes:
    """Approvals over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._deciding = Deciding(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["approvals"]
        app.router.add_api_route("/v1/approvals", self.list_approvals, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/approvals/decisions", self.decide_approvals, methods=["POST"], tags=tags)
        app.router.add_api_route("/v1/approvals/{approval_id}", self.get_approval, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/approvals/{approval_id}/assign", self.assign_approval, methods=["POST"], tags=tags)
        app.router.add_api_route(
            "/v1/approvals/{approval_id}/decision",
            self.decide_approval,
            methods=["POST"],
            tags=tags,
            responses={202: {"model": DecisionView, "description": "Stored, being delivered"}},
        )

    async def list_approvals(self, where: ApprovalList, context: Context) -> Page[ApprovalView]:
        """List approvals, earliest deadline first. `mine=true` shows what the caller may decide now, `decided_by=me` what they decided."""
        tenant, caller = context.principal.tenant, context.principal
        lent = await self._deps.reviewing.substitutes.represented(tenant, caller.id) if where.mine else []
        page = await self._deps.approvals.page(tenant, where.to_filter(caller, reviewer_roles_now(caller, lent)))
        return Page[ApprovalView](items=tuple(approval_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_approval(self, approval_id: ApprovalIdInPath, context: Context) -> ApprovalDetailView:
        """Show one approval: the calls that will run, argument for argument, where their values come from, and what is behind it."""
        return await self._detail(context.principal.tenant, await self._deps.approvals.get(context.principal.tenant, approval_id))

    async def _detail(self, tenant: str, row: ApprovalRow) -> ApprovalDetailView:
        usage = run_view(await self._deps.runs.get(tenant, row.run)).usage
        reply = await self._reply(tenant, row)
        messages = await self._messages(tenant, row, reply)
        alike = await self._deps.approvals.decided_like(tenant, row, limit=DECISIONS_SHOWN)
        return detail_view(row, usage=usage, messages=messages, alike=alike, reply=reply)

    async def _messages(self, tenant: str, row: ApprovalRow, reply: Message | None) -> list[Message]:
        """Return the last messages behind a question, the answer that ended the conversation included; none when they are erased."""
        conversation = row.projection.conversation
        if conversation is None:
            return []
        said = await self._deps.reviewing.messages.last(tenant, row.run, conversation, limit=MESSAGES_SHOWN)
        return [*said, reply] if said and reply is not None else said

    async def _reply(self, tenant: str, row: ApprovalRow) -> Message | None:
        """Return what the model said last, the call that is asked about included; None when it is erased."""
        answer = row.projection.answer_ref
        if answer is None:
            return None
        try:
            return answer_message(await self._deps.reviewing.payloads.get(tenant, answer))
        except ReferenceMissing:
            return None

    async def assign_approval(self, approval_id: ApprovalIdInPath, body: AssignBody, context: Context) -> ApprovalView:
        """Claim an approval, assign it to somebody, or release it. A hint among colleagues: it gives no authority and takes none.

        Raises:
            Mistaken: there is no such principal.
        """
        tenant, assignee = context.principal.tenant, context.principal.id if body.assignee == ME else body.assignee
        if assignee is not None:
            try:
                await self._deps.keys.principal(tenant, assignee)
            except NotFound as unknown:
                raise Mistaken(InvalidInput(unknown.detail), [Mistake(where="/assignee", detail=unknown.detail)]) from unknown
        row = await self._deps.approvals.assign(
            tenant, approval_id, assignee=assignee, principal=context.principal.id, take_over=body.take_over
        )
        context.kept = True
        return approval_view(row)

    async def decide_approvals(self, body: DecisionBatch, context: Context) -> BatchAnswers:
        """Decide up to 100 approvals; each decision is answered by itself, in their order."""
        return await self._deciding.batch(context, body)

    async def decide_approval(
        self, approval_id: ApprovalIdInPath, body: DecisionBody, context: Context, response: Response
    ) -> DecisionView:
        """Approve, reject, or say something else. 200 when the run took the decision, 202 when it is stored and still being delivered."""
        shown = await self._deciding.decide(context, approval=approval_id, body=body)
        response.status_code = 200 if shown.state == "accepted" else 202
        return shown
