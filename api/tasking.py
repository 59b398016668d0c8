"""What people do with human tasks: make, take, hand on, answer; and what time does with those that people made."""

from pydantic import JsonValue

from api.completions import deliver_completion
from api.context import RequestContext
from api.deps import GatewayDeps, instant
from api.problems import Mistake, Mistaken
from api.task_views import AssignBody, CompletionBody, TaskBody
from domain.errors import Forbidden, InvalidInput, NotFound, TaskClosed, Unavailable
from domain.people_stores import TaskRow
from domain.principals import Principal, Role
from domain.schemas import check_schema, validate
from domain.task_stores import NewTask
from domain.tasks import HUMAN, TaskProjection, advanced, escalated, refusal, with_terms

MOVED_AT_ONCE = 100
"""Tasks that one round of the sweeper moves for a tenant."""

LEADERS = frozenset({Role.OPERATOR, Role.ADMIN})
"""Who may give a task to somebody else, whoever has it."""

FORM_BYTES_MAX = 64 * 1024
"""Largest answer: it travels to its run in a signal."""


class Tasking:
    """Works on tasks for the routes and the sweeper."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    async def make(self, context: RequestContext, body: TaskBody) -> TaskRow:
        """Make a task of no step.

        Raises:
            NotFound: there is no such run.
            Mistaken: the form is no usable schema, or nobody is of the name it is assigned to.
        """
        principal = context.principal
        if body.form is not None:
            self._check_form(body.form)
        if body.assign is not None and body.assign.principal is not None:
            await self._known(principal.tenant, body.assign.principal, "/assign/principal")
        bare = TaskProjection(
            task=self._deps.new_id("tsk"),
            kind=HUMAN,
            step="",
            visit=0,
            call="",
            title=body.title,
            detail=body.instructions,
            opened_at=instant(self._deps.now()),
            form=body.form,
        )
        new = NewTask(tenant=principal.tenant, run=body.run, created_by=principal.id, task=with_terms(bare, body.terms))
        row = await self._deps.task_desk.make(new)
        context.kept = True
        return row

    def _check_form(self, form: dict[str, JsonValue]) -> None:
        try:
            check_schema(form)
        except InvalidInput as error:
            raise Mistaken(error, [Mistake(where=f"/form{error.where or ''}", detail=error.detail)]) from error

    async def _known(self, tenant: str, principal: str, where: str) -> None:
        try:
            await self._deps.keys.principal(tenant, principal)
        except NotFound as error:
            detail = f"there is no principal {principal[:60]!r}"
            raise Mistaken(InvalidInput(detail), [Mistake(where=where, detail=detail, instead="me, or an id prn_…")]) from error

    async def assign(self, context: RequestContext, task: str, body: AssignBody) -> TaskRow:
        """Give a task to the caller, to another person, to a role, or back to nobody.

        Raises:
            NotFound: no such task.
            Forbidden: the caller may not.
            TaskTaken: somebody else took it meanwhile.
            TaskClosed: it is answered.
            Mistaken: nobody is of that name.
        """
        principal = context.principal
        row = await self._open(principal.tenant, task)
        had = row.projection.assignee
        assignee = principal.id if body.to == "me" else body.to
        if principal.role not in LEADERS:
            self._may(principal, row)
            if assignee not in (None, principal.id):
                raise Forbidden("only an operator or admin may give a task to somebody else; take it yourself with `me`, or release it")
        if assignee is not None and assignee != principal.id:
            await self._known(principal.tenant, assignee, "/to")
        given = await self._deps.task_desk.assign(
            principal.tenant, task, assignee=assignee, role=body.role, by=principal.id, at=instant(self._deps.now()), expected=had
        )
        context.kept = True
        return given

    async def escalate(self, context: RequestContext, task: str, role: str | None) -> TaskRow:
        """Hand a task on, to a role or to the next of its ladder.

        Raises:
            NotFound: no such task.
            Forbidden: the caller may not.
            TaskClosed: it is answered.
            Mistaken: no role is named, and its ladder has no further one.
        """
        principal = context.principal
        row = await self._open(principal.tenant, task)
        if principal.role not in LEADERS:
            self._may(principal, row)
        left = row.projection.stages[row.projection.level :]
        if role is None and not left:
            detail = "its ladder has no further role: name one"
            raise Mistaken(InvalidInput(detail), [Mistake(where="/role", detail=detail)])
        changed = escalated(row.projection, role or left[0].role)
        given = await self._deps.task_desk.escalate(principal.tenant, changed, by=principal.id, at=instant(self._deps.now()))
        context.kept = True
        return given

    async def complete(self, context: RequestContext, task: str, body: CompletionBody) -> tuple[TaskRow, bool]:
        """Store an answer and tell the run; False when that is still to come.

        Raises:
            NotFound: no such task.
            Forbidden: the task is somebody else's.
            TaskClosed: it is answered.
            Mistaken: the answer does not fit the task, or its form.
        """
        principal = context.principal
        row = await self._deps.tasks.get(principal.tenant, task)
        self._may(principal, row)
        _check_answer(row, body)
        at = instant(self._deps.now())
        said = {"resolution": body.resolution, "output": body.output}
        done = await self._deps.tasks.complete(principal.tenant, task, **said, principal=principal.id, at=at)  # pyright: ignore[reportArgumentType] - its own keywords
        context.kept = True
        try:
            await deliver_completion(self._deps, principal.tenant, done, body.output)
        except Unavailable:
            return done, False
        return done.model_copy(update={"delivered": True}), True

    async def move(self, tenant: str) -> None:
        """Play the moments that have come of tasks that people made: overdue, handed on."""
        now = instant(self._deps.now())
        for row in await self._deps.task_desk.moving(tenant, limit=MOVED_AT_ONCE):
            task = row.projection
            try:
                while (changed := advanced(task, now)) is not None:
                    task = (await self._deps.task_desk.escalate(tenant, changed, by=None, at=now)).projection
                    if task.level > changed.level:
                        break
            except TaskClosed:
                continue  # answered at this moment

    async def _open(self, tenant: str, task: str) -> TaskRow:
        row = await self._deps.tasks.get(tenant, task)
        if row.state != "open":
            raise TaskClosed(f"the task {task} is already closed")
        return row

    def _may(self, principal: Principal, row: TaskRow) -> None:
        refused = refusal(row.projection, principal)
        if refused is not None:
            raise refused


def _check_answer(row: TaskRow, body: CompletionBody) -> None:
    """Refuse an answer of another kind than the task's, or one that breaks its form.

    Raises:
        Mistaken: it names the place.
    """
    human = row.projection.kind == HUMAN
    if human != (body.resolution == "completed"):
        fitting = "completed" if human else "happened, did_not_happen or give_up"
        detail = f"a task of the kind {row.projection.kind} is answered with {fitting}, not with {body.resolution!r}"
        raise Mistaken(InvalidInput(detail), [Mistake(where="/resolution", detail=detail, instead=fitting)])
    if not human:
        if body.resolution != "happened" and body.output is not None:
            error = InvalidInput(f"an output belongs to the resolution 'happened' only, not to {body.resolution!r}")
            raise Mistaken(error, [Mistake(where="/output", detail="not allowed with this resolution", instead="leave it out")])
        return
    if row.projection.form is None:
        if body.output is not None:
            error = InvalidInput("this task has no form, so that nothing is filled in")
            raise Mistaken(error, [Mistake(where="/output", detail="the task has no form", instead="leave it out")])
        return
    found = [message.partition(": ") for message in validate(row.projection.form, body.output)]
    mistakes = [Mistake(where="/output" + (place if place.startswith("/") else ""), detail=what or place) for place, _, what in found]
    if mistakes:
        raise Mistaken(
            InvalidInput("the answer does not fit the task's form: " + "; ".join(f"{m.where}: {m.detail}" for m in mistakes)), mistakes
        )
