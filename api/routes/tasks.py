"""`/v1/tasks`: what only a person can answer, such as whether an effect in doubt happened."""

from enum import Enum

from fastapi import FastAPI
from fastapi.responses import Response

from api.completions import deliver_completion
from api.context import Context
from api.deps import GatewayDeps, instant
from api.problems import Mistake, Mistaken
from api.queries import TaskIdInPath, TaskList
from api.views import CompletionBody, TaskView, task_view
from domain.errors import InvalidInput, Unavailable
from domain.stores import Page


class TaskRoutes:
    """Human tasks over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["tasks"]
        app.router.add_api_route("/v1/tasks", self.list_tasks, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/tasks/{task_id}", self.get_task, methods=["GET"], tags=tags)
        app.router.add_api_route(
            "/v1/tasks/{task_id}/complete",
            self.complete_task,
            methods=["POST"],
            tags=tags,
            responses={202: {"model": TaskView, "description": "Stored, being delivered"}},
        )

    async def list_tasks(self, where: TaskList, context: Context) -> Page[TaskView]:
        """List human tasks, oldest first."""
        page = await self._deps.tasks.page(context.principal.tenant, state=where.state, limit=where.limit, cursor=where.cursor)
        return Page[TaskView](items=tuple(task_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_task(self, task_id: TaskIdInPath, context: Context) -> TaskView:
        """Show one task."""
        return task_view(await self._deps.tasks.get(context.principal.tenant, task_id))

    async def complete_task(self, task_id: TaskIdInPath, body: CompletionBody, context: Context, response: Response) -> TaskView:
        """Answer a task. 200 when the run was told, 202 when the answer is stored and still being delivered.

        Raises:
            NotFound: no such task.
            TaskClosed: it is answered.
            Mistaken: an output with another resolution.
        """
        if body.resolution != "happened" and body.output is not None:
            raise Mistaken(
                InvalidInput(f"an output belongs to the resolution 'happened' only, not to {body.resolution!r}"),
                [Mistake(where="/output", detail="not allowed with this resolution", instead="leave it out")],
            )
        principal = context.principal
        row = await self._deps.tasks.complete(
            principal.tenant,
            task_id,
            resolution=body.resolution,
            output=body.output,
            principal=principal.id,
            at=instant(self._deps.now()),
        )
        context.kept = True
        try:
            await deliver_completion(self._deps, principal.tenant, row, body.output)
        except Unavailable:
            response.status_code = 202
            return task_view(row)
        return task_view(row.model_copy(update={"delivered": True}))
