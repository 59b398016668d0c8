"""`/v1/tasks`: what only a person can answer, such as whether an effect in doubt happened."""

from contextlib import suppress
from enum import Enum

from fastapi import FastAPI
from fastapi.responses import Response

from api.context import Context
from api.deps import GatewayDeps
from api.queries import TaskIdInPath, TaskList
from api.task_views import AssignBody, CompletionBody, EscalateBody, TaskBody, TaskView, task_view
from api.tasking import Tasking
from domain.errors import ReferenceMissing
from domain.stores import Page
from domain.task_stores import TaskFilter
from domain.tasks import HUMAN


class TaskRoutes:
    """Human tasks over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._tasking = Tasking(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["tasks"]
        app.router.add_api_route("/v1/tasks", self.list_tasks, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/tasks", self.make_task, methods=["POST"], tags=tags, status_code=201)
        app.router.add_api_route("/v1/tasks/{task_id}", self.get_task, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/tasks/{task_id}/assign", self.assign_task, methods=["POST"], tags=tags)
        app.router.add_api_route("/v1/tasks/{task_id}/escalate", self.escalate_task, methods=["POST"], tags=tags)
        app.router.add_api_route(
            "/v1/tasks/{task_id}/complete",
            self.complete_task,
            methods=["POST"],
            tags=tags,
            responses={202: {"model": TaskView, "description": "Stored, being delivered"}},
        )

    async def list_tasks(self, where: TaskList, context: Context) -> Page[TaskView]:
        """List human tasks, oldest first or by their due instants. `mine` are the caller's, and those for their reviewer roles."""
        principal = context.principal
        given = where.model_dump(include={"state", "kind", "run", "role", "assignee", "overdue", "sort", "limit", "cursor"})
        mine = {"assignee": principal.id, "roles": principal.reviewer_roles} if where.mine else {}
        page = await self._deps.task_desk.page(principal.tenant, TaskFilter.model_validate({**given, **mine}))
        return Page[TaskView](items=tuple(task_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_task(self, task_id: TaskIdInPath, context: Context) -> TaskView:
        """Show one task, with what was filled in."""
        tenant = context.principal.tenant
        row = await self._deps.tasks.get(tenant, task_id)
        answer = None
        if row.state == "completed" and row.projection.kind == HUMAN:
            with suppress(ReferenceMissing):
                answer = await self._deps.task_desk.answer_of(tenant, task_id)
        return task_view(row, answer)

    async def make_task(self, body: TaskBody, context: Context) -> TaskView:
        """Make a task: of no run, or about one, whose ledger then tells of it."""
        return task_view(await self._tasking.make(context, body))

    async def assign_task(self, task_id: TaskIdInPath, body: AssignBody, context: Context) -> TaskView:
        """Take a task (`me`), give it to somebody or to a role, or release it."""
        return task_view(await self._tasking.assign(context, task_id, body))

    async def escalate_task(self, task_id: TaskIdInPath, context: Context, body: EscalateBody | None = None) -> TaskView:
        """Hand a task on: to a role, or to the next of its ladder."""
        return task_view(await self._tasking.escalate(context, task_id, body.role if body else None))

    async def complete_task(self, task_id: TaskIdInPath, body: CompletionBody, context: Context, response: Response) -> TaskView:
        """Answer a task. 200 when the run was told, 202 when the answer is stored and still being delivered."""
        row, told = await self._tasking.complete(context, task_id, body)
        if not told:
            response.status_code = 202
        return task_view(row)
