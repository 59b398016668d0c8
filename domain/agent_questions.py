"""The tool `human.ask`: an agent's question to people is a human task, for whose answer the loop waits. Pure."""

from typing import Final, cast

from pydantic import JsonValue

from domain.errors import RunCancelled
from domain.ledger import Kind
from domain.program import AgentStep
from domain.recorder import Recorder
from domain.state import AgentCall, Answered, AskPerson, Failed, Outcome
from domain.tasks import HUMAN, TaskProjection
from domain.visible_text import visible_lines

HUMAN_ASK: Final = "human.ask"
TOO_LARGE: Final = "the question is too large to be shown to a person: shorten it"
NOBODY: Final = "nobody answered in time; go on without an answer, or say that you cannot."


def ask_person(recorder: Recorder, step: AgentStep, *, call: str, arguments: dict[str, JsonValue]) -> AskPerson:
    """Ask the shell to put an agent's question before people; `call` is its place in the turn."""
    record = recorder.state.steps[step.path]
    task = recorder.new_id("tsk", f"{step.path}/{call}")
    recorder.fact(Kind.TASK_OPENED, step=step.path, call=call, data={"task": task, "role": None, "assignee": None, "due": None})
    return AskPerson(
        id=recorder.command_id(step.path, f"{call}.task"),
        step=step.path,
        visit=record.visit,
        task=TaskProjection(
            task=task,
            kind=HUMAN,
            step=step.path,
            visit=record.visit,
            call=call,
            title=visible_lines(str(arguments.get("question", ""))),
            detail=visible_lines(f"The agent {step.path} asks. {arguments.get('details') or ''}".rstrip()),
            opened_at=recorder.tick.now,
            form=_form(arguments.get("choices")),
        ),
        deadline=record.deadline,
        summary=f"{step.path}: a question to people",
    )


def take_answer(recorder: Recorder, step: AgentStep, call: AgentCall, asked: AskPerson, outcome: Outcome) -> None:
    """Tell the call what a person said, or that nobody did."""
    call.open = False
    if isinstance(outcome, Answered) and outcome.resolution == "completed":
        recorder.fact(
            Kind.TASK_COMPLETED, step=step.path, call=asked.task.call, principal=outcome.by or None, data={"task": asked.task.task}
        )
        call.result = outcome.ref
        if outcome.ref is None:
            call.error = "the answer was empty"
    elif isinstance(outcome, Failed):
        call.error = f"{RunCancelled.code}: {outcome.failure.detail}"
    else:
        call.error = NOBODY


def _form(choices: JsonValue) -> dict[str, JsonValue]:
    """Return what a person fills in: a text, or one of the choices."""
    answer: dict[str, JsonValue] = {"type": "string", "minLength": 1, "maxLength": 10_000}
    if isinstance(choices, list) and choices:
        answer = {"enum": cast("list[JsonValue]", [str(choice) for choice in choices])}
    return {"type": "object", "properties": {"answer": answer}, "required": ["answer"], "additionalProperties": False}
