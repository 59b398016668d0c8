"""Waiting for people who are no reviewers: the human tasks of one run, and the answers to them. Deterministic."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.requests import CompletionRequest
from domain.completion import TaskCompletion
from domain.errors import Forbidden
from domain.ids import format_id
from domain.ledger import Kind
from domain.runs import Projection, RunStatus, TaskClosure
from domain.state import Answered, AskPerson
from domain.tasks import HUMAN, TaskProjection, advanced, next_moment, with_terms
from workflows.couriers import DOUBTS_TOLD, Courier, brief, now_text
from workflows.enquiries import Enquiries
from workflows.refusals import demand, refuse

TASKS_TOLD = "tasks-told"
"""A run that began before tasks were facts tells of none: its facts are numbered without them."""


class Note(Protocol):
    """Notes a fact."""

    def __call__(self, kind: Kind, *, step: str | None, principal: str | None, said: dict[str, JsonValue]) -> None:
        """Note it."""
        ...


class Tasks:
    """The open tasks of one run.

    Args:
        courier: Carries what the inbox shall know.
        resting: Says what the run waits for, given what it is when it waits for nothing.
        cancelled: Whether the run is cancelled.
        note: Notes a fact.
    """

    def __init__(self, courier: Courier, *, resting: Callable[[RunStatus], Projection], cancelled: Callable[[], bool], note: Note) -> None:
        self._courier = courier
        self._enquiries = Enquiries(courier)
        self._resting = resting
        self._cancelled = cancelled
        self._note = note
        self._open: dict[str, TaskProjection] = {}
        self._completions: dict[str, TaskCompletion] = {}

    async def ask(
        self, kind: str, *, step: str, visit: int, call: str, detail: str, back_to: RunStatus, until_cancelled: bool
    ) -> TaskCompletion | None:
        """Open a question about an effect and wait for its answer; None when the run is cancelled first and `until_cancelled` is set."""
        task = format_id("tsk", workflow.uuid4().bytes)
        row = TaskProjection(
            task=task, kind=kind, step=step, visit=visit, call=call, title=f"{step}: {kind}", detail=detail, opened_at=now_text()
        )
        row = with_terms(row, self._courier.program.doubts)
        if workflow.patched(TASKS_TOLD):
            self._tell(Kind.TASK_OPENED, row, {"kind": kind, "role": row.role, "due": row.due})
        await self._put(row, f"{step}: ask a person")
        await self._answer(row, ended=lambda: until_cancelled and self._cancelled())
        answer = self._completions.get(task)
        await self._close(row, answer, answer.resolution if answer else "withdrawn", back_to)
        return answer

    async def ask_person(self, command: AskPerson, *, stopped: Callable[[], bool]) -> Answered | None:
        """Put a step's task before people and wait: for what they fill in, or for its deadline; None when it is stopped before."""
        row = command.task
        await self._put(row, f"{command.summary}: ask {row.assignee or row.role or 'a person'}")
        in_time = await self._answer(row, ended=stopped, deadline=command.deadline)
        answer = self._completions.get(row.task)
        if answer is not None:
            await self._close(row, answer, "completed", RunStatus.RUNNING)
            return Answered(command=command.id, resolution="completed", output=answer.output, ref=answer.ref, by=answer.principal)
        await self._close(row, None, "withdrawn" if in_time else "timed_out", RunStatus.RUNNING)
        return None if in_time else Answered(command=command.id, resolution="timed_out")

    async def _answer(self, row: TaskProjection, *, ended: Callable[[], bool], deadline: str | None = None) -> bool:
        """Wait for an answer, and play the task's moments meanwhile; False when its deadline has come first."""
        task = row.task
        while True:
            moment = min((m for m in (next_moment(row), deadline) if m is not None), key=datetime.fromisoformat, default=None)
            try:
                await workflow.wait_condition(
                    lambda: task in self._completions or ended(),
                    timeout=None if moment is None else _left(moment),
                    timeout_summary=brief(f"{row.step}: the task's next moment"),
                )
            except TimeoutError:
                changed = advanced(row, now_text())
                if changed is not None:
                    row = await self._changed(row, changed)
                elif deadline is not None and datetime.fromisoformat(deadline) <= workflow.now():
                    return False
            else:
                return True

    async def _changed(self, row: TaskProjection, changed: TaskProjection) -> TaskProjection:
        """Tell that a task is overdue, or was handed on."""
        if changed.level > row.level:
            self._tell(Kind.TASK_ESCALATED, row, {"role": changed.role, "level": changed.level})
        else:
            self._tell(Kind.TASK_BREACHED, row, {"due": changed.due})
        self._open[row.task] = changed
        await self._courier.flush(Projection(open_task=changed), f"{row.step}: {'escalate' if changed.level > row.level else 'overdue'}")
        return changed

    def _tell(self, kind: Kind, row: TaskProjection, said: dict[str, JsonValue]) -> None:
        self._note(kind, step=row.step or None, principal=None, said={"task": row.task, **said})

    async def _put(self, row: TaskProjection, summary: str) -> None:
        self._open[row.task] = row
        await self._courier.flush(_waiting(row).model_copy(update={"open_task": row}), summary)

    async def _close(self, row: TaskProjection, answer: TaskCompletion | None, said: str, back_to: RunStatus) -> None:
        by = answer.principal if answer else ""
        closure = TaskClosure(task=row.task, resolution=said, completed_by=by, completed_at=now_text())
        del self._open[row.task]
        await self._courier.flush(self._resting(back_to).model_copy(update={"close_task": closure}), f"{row.step}: answered")

    def waiting(self) -> Projection | None:
        """Say what the run waits for: a question about an effect before any other task; None when none is open."""
        doubts_first = sorted(self._open.values(), key=lambda task: task.kind == HUMAN)
        return _waiting(doubts_first[0]) if doubts_first else None

    async def complete(self, completion: TaskCompletion) -> None:
        """Take an answer that the gateway attests; the first one counts, one for a task that is not open is dropped.

        Raises:
            ApplicationError: not attested.
        """
        task = self._open.get(completion.task)
        if task is None or completion.task in self._completions:
            return
        if workflow.patched(DOUBTS_TOLD):
            try:
                live = await self._enquiries.check_completion(CompletionRequest(completion=completion), task.step)
            except ActivityError:
                refuse(Forbidden("the answer's attestation could not be checked"))
            demand(live)
        self._completions.setdefault(completion.task, completion)


def _left(moment: str) -> timedelta:
    return max(datetime.fromisoformat(moment) - workflow.now(), timedelta(milliseconds=1))


def _waiting(task: TaskProjection) -> Projection:
    if task.kind == HUMAN:
        return Projection(
            status=RunStatus.WAITING, waits_for=f"{task.step}: {task.assignee or task.role or 'a person'} to complete task {task.task}"
        )
    return Projection(status=RunStatus.IN_DOUBT, reason=task.kind, waits_for=f"{task.step}: a person's answer to task {task.task}")
