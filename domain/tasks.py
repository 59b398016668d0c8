"""Human tasks: who is to answer, by when, to whom they are escalated, and who may answer. Pure.

A task's moments are placed when it is opened: instants, RFC 3339 UTC. The run's workflow plays them for the tasks of steps and doubts, the
gateway's sweeper for tasks that people made.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, JsonValue

from domain.errors import Forbidden, StandfastError
from domain.model import Wire
from domain.principals import Principal, Role

HUMAN = "human"
"""The kind of a task that is a step of a definition, or that somebody made; the others ask about an effect."""

KINDS = (HUMAN, "in_doubt", "divergent", "failed_compensation")
"""Every kind of human task."""

Priority = Literal["low", "normal", "high", "urgent"]
"""How much a task presses; it orders nothing by itself."""


class TaskRung(Wire):
    """A rung of the escalation ladder: so many seconds after the opening, the task goes to this role."""

    after_s: float = Field(gt=0)
    role: str


class TaskStage(Wire):
    """A rung placed in time."""

    at: str
    role: str


class TaskTerms(Wire):
    """Who is to answer a task, and by when: `due_s` after its opening it is overdue, and `ladder` hands it on."""

    role: str | None = None
    principal: str | None = None
    priority: Priority = "normal"
    due_s: float | None = None
    ladder: list[TaskRung] = []


class TaskProjection(Wire):
    """A human task's row. `kind` is human, in_doubt, divergent or failed_compensation; `detail` is what to do, in words.

    `role` and `assignee` (a principal) are who is to answer; `form` is the JSON Schema of the answer. After `due` it is overdue, since
    `breached_at`; `stages` is its escalation ladder, of which `level` stages have passed. `step` is '' for one of no step.
    """

    task: str
    kind: str
    step: str
    visit: int
    call: str
    title: str
    detail: str
    opened_at: str
    role: str | None = None
    assignee: str | None = None
    priority: Priority = "normal"
    form: dict[str, JsonValue] | None = None
    due: str | None = None
    stages: list[TaskStage] = []
    level: int = 0
    breached_at: str | None = None


def with_terms(task: TaskProjection, terms: TaskTerms | None) -> TaskProjection:
    """Return a task with its terms, placed in time from its opening."""
    if terms is None:
        return task
    ladder = sorted(terms.ladder, key=lambda rung: rung.after_s)
    placed = {
        "role": terms.role,
        "assignee": terms.principal,
        "priority": terms.priority,
        "due": None if terms.due_s is None else _later(task.opened_at, terms.due_s),
        "stages": [TaskStage(at=_later(task.opened_at, rung.after_s), role=rung.role) for rung in ladder],
    }
    return task.model_copy(update=placed)


def next_moment(task: TaskProjection) -> str | None:
    """Return when a task changes by itself the next time: it becomes overdue, or is escalated; None if it does not."""
    due = [task.due] if task.due is not None and task.breached_at is None else []
    stages = [task.stages[task.level].at] if task.level < len(task.stages) else []
    return min(due + stages, key=datetime.fromisoformat, default=None)


def advanced(task: TaskProjection, now: str) -> TaskProjection | None:
    """Return the task as its next moment leaves it; None when that has not come. One call, one moment."""
    moment = next_moment(task)
    if moment is None or datetime.fromisoformat(moment) > datetime.fromisoformat(now):
        return None
    if task.breached_at is None and task.due == moment:
        return task.model_copy(update={"breached_at": moment})
    return escalated(task, task.stages[task.level].role)


def escalated(task: TaskProjection, role: str) -> TaskProjection:
    """Return the task handed to a role: whoever had it has it no more."""
    return task.model_copy(update={"role": role, "assignee": None, "level": task.level + 1})


def refusal(task: TaskProjection, principal: Principal) -> StandfastError | None:
    """Return why this principal may not answer or take a task; None when they may.

    Administrators may always. Questions about effects are for operators; a task of a person is for that person, one of a role for those
    who have it, and one of nobody for operators and approvers.
    """
    if principal.role is Role.ADMIN:
        return None
    if task.assignee is not None:
        return None if principal.id == task.assignee else Forbidden("the task is somebody else's; it has to be released first")
    if task.role is not None:
        return None if task.role in principal.reviewer_roles else Forbidden(f"the task is for the reviewer role {task.role!r}")
    allowed = {Role.OPERATOR, Role.APPROVER} if task.kind == HUMAN else {Role.OPERATOR}
    return None if principal.role in allowed else Forbidden(f"a task of the kind {task.kind} that is nobody's is for an operator")


def play(task: TaskProjection, now: str, tell: Callable[[TaskProjection], None]) -> TaskProjection:
    """Play every moment that has come, and tell of each."""
    while (changed := advanced(task, now)) is not None:
        task = changed
        tell(task)
    return task


def _later(instant: str, seconds: float) -> str:
    return (datetime.fromisoformat(instant) + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")
