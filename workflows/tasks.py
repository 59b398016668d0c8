"""Waiting for people who are no reviewers: the human tasks of one run, and the answers to them. Deterministic."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.requests import CompletionRequest
from domain.completion import TaskCompletion
from domain.errors import Forbidden
from domain.ids import format_id
from domain.runs import Projection, RunStatus, TaskClosure, TaskProjection
from workflows.couriers import DOUBTS_TOLD, Courier, now_text
from workflows.refusals import demand, refuse


class Tasks:
    """The open tasks of one run.

    Args:
        courier: Carries what the inbox shall know.
        resting: Says what the run waits for, given what it is when it waits for nothing.
        cancelled: Whether the run is cancelled.
    """

    def __init__(self, courier: Courier, *, resting: Callable[[RunStatus], Projection], cancelled: Callable[[], bool]) -> None:
        self._courier = courier
        self._resting = resting
        self._cancelled = cancelled
        self._doubts: dict[str, TaskProjection] = {}
        self._completions: dict[str, TaskCompletion] = {}

    async def ask(
        self, kind: str, *, step: str, visit: int, call: str, detail: str, back_to: RunStatus, until_cancelled: bool
    ) -> TaskCompletion | None:
        """Open a human task and wait for its answer; None when the run is cancelled meanwhile and `until_cancelled` is set."""
        task = format_id("tsk", workflow.uuid4().bytes)
        row = TaskProjection(
            task=task, kind=kind, step=step, visit=visit, call=call, title=f"{step}: {kind}", detail=detail, opened_at=now_text()
        )
        self._doubts[task] = row
        await self._courier.flush(_doubtful(row).model_copy(update={"open_task": row}), f"{step}: ask a person")
        await workflow.wait_condition(lambda: task in self._completions or (until_cancelled and self._cancelled()))
        answer = self._completions.get(task)
        by, said = (answer.principal, answer.resolution) if answer else ("", "withdrawn")
        closure = TaskClosure(task=task, resolution=said, completed_by=by, completed_at=now_text())
        del self._doubts[task]
        await self._courier.flush(self._resting(back_to).model_copy(update={"close_task": closure}), f"{step}: answered")
        return answer

    def waiting(self) -> Projection | None:
        """Say what the run waits for: the first task that is open; None when none is."""
        return next((_doubtful(doubt) for doubt in self._doubts.values()), None)

    async def complete(self, completion: TaskCompletion) -> None:
        """Take an answer that the gateway attests; the first one counts, one for a task that is not open is dropped.

        Raises:
            ApplicationError: not attested.
        """
        doubt = self._doubts.get(completion.task)
        if doubt is None or completion.task in self._completions:
            return
        if workflow.patched(DOUBTS_TOLD):
            try:
                live = await self._courier.check_completion(CompletionRequest(completion=completion), doubt.step)
            except ActivityError:
                refuse(Forbidden("the answer's attestation could not be checked"))
            demand(live)
        self._completions.setdefault(completion.task, completion)


def _doubtful(task: TaskProjection) -> Projection:
    return Projection(status=RunStatus.IN_DOUBT, reason=task.kind, waits_for=f"{task.step}: a person's answer to task {task.task}")
