"""JSON shapes of human tasks: what is asked when one is made, given to somebody, handed on or answered."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, field_validator, model_validator

from domain.definition_keywords import duration_s
from domain.model import Value
from domain.people_stores import TaskRow
from domain.tasks import Priority, TaskProjection, TaskRung, TaskTerms

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Duration = Annotated[str, StringConstraints(pattern=r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$", min_length=2, max_length=40)]


class TaskView(TaskProjection):
    """A human task. `run` is None for one of no run, `own` are those that a person made (`created_by`).

    `delivered` is false while the run has not been told the answer; `answer` is what was filled in, shown with one task only.
    """

    run: str | None
    state: str
    resolution: str | None
    completed_by: str | None
    completed_at: str | None
    delivered: bool
    own: bool = False
    created_by: str | None = None
    answer: JsonValue = None


class AssignTo(Value):
    """A reviewer role, or one principal."""

    role: Name | None = None
    principal: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> "AssignTo":
        if (self.role is None) == (self.principal is None):
            raise ValueError("name a role or a principal, and not both")
        return self


class RungBody(Value):
    """A rung of the ladder: so long after the opening, the task goes to this role."""

    after: Duration
    to: AssignTo

    @field_validator("after")
    @classmethod
    def _some_time(cls, after: str) -> str:
        return _checked(after)

    @model_validator(mode="after")
    def _to_a_role(self) -> "RungBody":
        if self.to.role is None:
            raise ValueError("a rung hands the task to a role")
        return self


class TaskBody(Value):
    """A task to make: of no run, or about one. `form` is the JSON Schema of its answer; durations count from now (`24h`, `1h30m`)."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    instructions: Annotated[str, StringConstraints(max_length=20_000)] = ""
    run: str | None = None
    assign: AssignTo | None = None
    priority: Priority = "normal"
    form: dict[str, JsonValue] | None = None
    due: Duration | None = None
    escalate: Annotated[list[RungBody], Field(max_length=20)] = []

    @field_validator("due")
    @classmethod
    def _some_time(cls, due: str | None) -> str | None:
        return due if due is None else _checked(due)

    @property
    def terms(self) -> TaskTerms:
        """Who is to answer, and by when."""
        return TaskTerms(
            role=self.assign.role if self.assign else None,
            principal=self.assign.principal if self.assign else None,
            priority=self.priority,
            due_s=None if self.due is None else duration_s(self.due),
            ladder=[TaskRung(after_s=duration_s(rung.after) or 0, role=rung.to.role or "") for rung in self.escalate],
        )


class AssignBody(Value):
    """Who shall have the task: `me`, another principal, a reviewer role, or (`release`) nobody in particular."""

    to: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    role: Name | None = None
    release: bool = False

    @model_validator(mode="after")
    def _one(self) -> "AssignBody":
        if sum((self.to is not None, self.role is not None, self.release)) != 1:
            raise ValueError("say one of: to (`me` or a principal), role, release")
        return self


class EscalateBody(Value):
    """To which role; without one, the next of the task's ladder."""

    role: Name | None = None


class CompletionBody(Value):
    """An answer. A person's work is `completed`, with what its form asks for as `output`.

    An effect `happened` (with its outcome as `output`), `did_not_happen` (it is done anew), or the asking is to end: `give_up`.
    """

    resolution: Literal["completed", "happened", "did_not_happen", "give_up"] = "completed"
    output: JsonValue = None


def task_view(row: TaskRow, answer: JsonValue = None) -> TaskView:
    """Show a task, flat."""
    beside = row.model_dump(exclude={"projection", "output_ref"})
    return TaskView.model_validate({**row.projection.model_dump(), **beside, "answer": answer})


def _checked(text: str) -> str:
    """Return a duration.

    Raises:
        ValueError: it is none, or none above zero.
    """
    if duration_s(text) is None:
        raise ValueError("a duration is digits and units, largest first, such as 1h30m, up to 366 days")
    return text
