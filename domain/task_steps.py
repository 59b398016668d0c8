"""What a `task:` step does to a run's state: it asks a person, and what they fill in is its output. Pure."""

from pydantic import JsonValue

from domain.errors import StandfastError, StepTimedOut
from domain.ledger import Kind
from domain.program import TaskStep
from domain.projection import project
from domain.recorder import Recorder
from domain.state import Answered, AskPerson, Failure, StepStatus
from domain.step_entry import complete_step, fail_step
from domain.tasks import HUMAN, TaskProjection, with_terms
from domain.visible_text import visible_lines


def open_task(recorder: Recorder, step: TaskStep) -> None:
    """Ask the shell to put the task before people.

    Raises:
        ExpressionFailed: title or instructions cannot be rendered.
    """
    task, record = recorder.new_id("tsk", step.path), recorder.state.steps[step.path]
    opened = TaskProjection(
        task=task,
        kind=HUMAN,
        step=step.path,
        visit=record.visit,
        call="task",
        title=visible_lines(_text(recorder.render(step.title))),
        detail=visible_lines(_text(recorder.render(step.instructions))),
        opened_at=recorder.tick.now,
        form=step.form,
    )
    opened = with_terms(opened, step.terms)
    said: dict[str, JsonValue] = {"task": task, "role": opened.role, "assignee": opened.assignee, "due": opened.due}
    recorder.fact(Kind.TASK_OPENED, step=step.path, data=said)
    recorder.command(
        AskPerson(
            id=recorder.command_id(step.path, "task"),
            step=step.path,
            visit=record.visit,
            task=opened,
            deadline=record.deadline,
            summary=recorder.summary(step.summary, step.path),
        )
    )


def take_answer(recorder: Recorder, step: TaskStep, asked: AskPerson, answer: Answered) -> None:
    """Settle the step: by what was filled in, or as it says for when nobody did in time."""
    if answer.resolution == "timed_out":
        if step.on_timeout == "skip":
            recorder.state.steps[step.path].status = StepStatus.SKIPPED
            recorder.fact(Kind.STEP_SKIPPED, step=step.path, data={"task": asked.task.task, "code": StepTimedOut.code})
        else:
            fail_step(recorder, step, Failure(code=StepTimedOut.code, detail=f"nobody completed the task before {asked.deadline}"))
        return
    recorder.fact(Kind.TASK_COMPLETED, step=step.path, principal=answer.by or None, data={"task": asked.task.task})
    try:
        fields = project(answer.output, recorder.program.projections.get(step.path, []))
    except StandfastError as error:
        fail_step(recorder, step, Failure(code=error.code, detail=error.detail, step=step.path))
        return
    complete_step(recorder, step, fields=fields, ref=answer.ref, digest=None)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else str(value)
