"""The storage port of human tasks as people work with them: found, made, taken, handed on. Pure: Protocols and values only.

`TaskStore` (domain/people_stores.py) is the other side: a task's answer, and telling its run.
"""

from typing import Literal, Protocol

from pydantic import JsonValue

from domain.model import Value
from domain.people_stores import TaskRow
from domain.stores import Page
from domain.tasks import TaskProjection


class TaskFilter(Value):
    """Filters of the list of tasks.

    `assignee` is a principal; `roles` with it also finds tasks of nobody in particular that are for one of those roles (what is somebody's
    to do). `overdue` narrows to those whose due instant has passed. `due` sorts by the due instant, those without one last.
    """

    state: str | None = None
    kind: str | None = None
    run: str | None = None
    role: str | None = None
    assignee: str | None = None
    roles: tuple[str, ...] = ()
    overdue: bool = False
    sort: Literal["opened", "due"] = "opened"
    limit: int = 50
    cursor: str | None = None


class NewTask(Value):
    """A task that somebody makes: it belongs to no step, and to a run only for those who look at it."""

    tenant: str
    run: str | None = None
    created_by: str
    task: TaskProjection


class TaskDesk(Protocol):
    """Human tasks, from the side of those who work on them. What changes a task of a run is an entry of its ledger."""

    async def page(self, tenant: str, where: TaskFilter) -> Page[TaskRow]:
        """Return one page. Raises: BadRequest for a cursor of another list."""
        ...

    async def make(self, new: NewTask) -> TaskRow:
        """Insert one; the same id again returns the one that is there. Raises: NotFound for an unknown run."""
        ...

    async def assign(
        self, tenant: str, task: str, *, assignee: str | None, role: str | None, by: str, at: str, expected: str | None
    ) -> TaskRow:
        """Give an open task to a person, to a role, or to nobody; `expected` is who had it, so that of two who take it one is told.

        Raises: NotFound, TaskClosed, TaskTaken.
        """
        ...

    async def escalate(self, tenant: str, changed: TaskProjection, *, by: str | None, at: str) -> TaskRow:
        """Keep what an escalation or a passed due instant made of an open task; `by` is a person, None for the ladder.

        Raises: NotFound, TaskClosed.
        """
        ...

    async def answer_of(self, tenant: str, task: str) -> JsonValue:
        """Return what was filled in, None where nothing was. Raises: NotFound, ReferenceMissing."""
        ...

    async def moving(self, tenant: str, *, limit: int) -> list[TaskRow]:
        """Return open tasks that people made whose next moment has come: the ladder of the others is their run's."""
        ...
