"""A fake desk of human tasks, honest to the docstrings of `domain/task_stores.py`."""

from pydantic import JsonValue

from domain.errors import NotFound, TaskClosed, TaskTaken
from domain.ledger import EntryBody, Kind
from domain.people_stores import TaskRow
from domain.stores import Page
from domain.task_stores import NewTask, TaskFilter
from domain.tasks import TaskProjection, next_moment
from tests.fakes_database import MemoryDatabase, paged

LAST = "9999"
"""Sorts behind every due instant."""


class FakeTaskDesk:
    """TaskDesk in memory, over the same tasks as `FakeTaskStore`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def page(self, tenant: str, where: TaskFilter) -> Page[TaskRow]:
        """Return one page."""
        rows = [row for (owner, _), row in self._database.tasks.items() if owner == tenant and self._fits(row, where)]

        def key(row: TaskRow) -> tuple[str, str]:
            task = row.projection
            return (task.due or LAST) if where.sort == "due" else task.opened_at, task.task

        return paged(rows, key=key, limit=where.limit, cursor=where.cursor)

    def _fits(self, row: TaskRow, where: TaskFilter) -> bool:
        task = row.projection
        wanted = ((where.state, row.state), (where.kind, task.kind), (where.run, row.run), (where.role, task.role))
        mine = where.assignee in (None, task.assignee) or (task.assignee is None and task.role in where.roles)
        late = row.state == "open" and task.due is not None and task.due <= self._database.now()
        return mine and all(asked in (None, there) for asked, there in wanted) and (late or not where.overdue)

    async def make(self, new: NewTask) -> TaskRow:
        """Insert it once."""
        if new.run is not None:
            self._database.run(new.tenant, new.run)
        place = (new.tenant, new.task.task)
        if place not in self._database.tasks:
            self._database.tasks[place] = TaskRow(run=new.run, projection=new.task, state="open", own=True, created_by=new.created_by)
            self._note(new.tenant, self._database.tasks[place], Kind.TASK_MADE, by=new.created_by)
        return self._database.tasks[place]

    async def assign(
        self, tenant: str, task: str, *, assignee: str | None, role: str | None, by: str, at: str, expected: str | None
    ) -> TaskRow:
        """Give it to somebody."""
        del at
        row = self._open(tenant, task)
        if row.projection.assignee != expected:
            raise TaskTaken(f"the task {task} has been given to somebody else meanwhile: look at it again")
        changed = row.projection.model_copy(update={"assignee": assignee, "role": role or row.projection.role})
        return self._keep(tenant, row, changed, Kind.TASK_ASSIGNED, by=by)

    async def escalate(self, tenant: str, changed: TaskProjection, *, by: str | None, at: str) -> TaskRow:
        """Keep what it became."""
        del at
        row = self._open(tenant, changed.task)
        if row.projection.level > changed.level:
            return row
        handed_on = changed.level > row.projection.level
        kind = Kind.TASK_BREACHED if not handed_on else Kind.TASK_HANDED_ON if by else Kind.TASK_ESCALATED
        return self._keep(tenant, row, changed, kind, by=by or "platform")

    async def answer_of(self, tenant: str, task: str) -> JsonValue:
        """Return what was filled in."""
        self._row(tenant, task)
        return self._database.task_outputs.get((tenant, task))

    async def moving(self, tenant: str, *, limit: int) -> list[TaskRow]:
        """Return what has to move."""
        rows = [row for (owner, _), row in self._database.tasks.items() if owner == tenant and row.own and row.state == "open"]
        return [row for row in rows if (next_moment(row.projection) or LAST) <= self._database.now()][:limit]

    def _row(self, tenant: str, task: str) -> TaskRow:
        if (tenant, task) not in self._database.tasks:
            raise NotFound(f"there is no task {task}")
        return self._database.tasks[tenant, task]

    def _open(self, tenant: str, task: str) -> TaskRow:
        row = self._row(tenant, task)
        if row.state != "open":
            raise TaskClosed(f"the task {task} is already closed")
        return row

    def _keep(self, tenant: str, row: TaskRow, changed: TaskProjection, kind: Kind, *, by: str) -> TaskRow:
        kept = row.model_copy(update={"projection": changed})
        self._database.tasks[tenant, changed.task] = kept
        self._note(tenant, kept, kind, by=by)
        return kept

    def _note(self, tenant: str, row: TaskRow, kind: Kind, *, by: str) -> None:
        if row.run is None:
            return
        run, task = self._database.run(tenant, row.run), row.projection
        body = EntryBody(
            kind=kind,
            at=self._database.now(),
            principal=by,
            correlation_id=run.correlation_id,
            epoch=run.epoch or 0,
            step=task.step or None,
            visit=task.visit or None,
            data={"task": task.task},
        )
        self._database.append(tenant, row.run, body)
