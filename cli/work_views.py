"""What people see of human tasks and dead letters: rows and fields. Pure: nothing is written here."""

from cli.views import Fields, compact, moment
from standfast_client import BulkRedrive, DeadLetter, Task

TASK_COLUMNS = ("TASK", "KIND", "STATE", "TITLE", "FOR", "DUE", "RUN")
DEAD_LETTER_COLUMNS = ("DEAD LETTER", "KIND", "CAUSE", "SUBJECT", "ATTEMPTS", "LAST", "STATE")


def task_row(task: Task) -> tuple[str, ...]:
    """Return a row of the list of tasks."""
    return (task.task, task.kind, task.state, task.title, _whose(task), _due(task), task.run or "")


def task_fields(task: Task) -> Fields:
    """Return everything about one task."""
    stages = [f"{stage.role} from {moment(stage.at)}" for stage in task.stages[task.level :]]
    return [
        ("task", task.task),
        ("run", task.run),
        ("kind", task.kind),
        ("step", f"{task.step} (visit {task.visit}, call {task.call})" if task.step else None),
        ("title", task.title),
        ("detail", task.detail),
        ("for", _whose(task)),
        ("priority", None if task.priority == "normal" else task.priority),
        ("due", _due(task)),
        ("escalates to", ", ".join(stages)),
        ("form", compact(dict(task.form)) if task.form is not None else None),
        ("state", task.state),
        ("made by", task.created_by),
        ("resolution", task.resolution),
        ("answer", None if task.answer is None else compact(task.answer)),
        ("completed by", task.completed_by),
        ("told to the run", None if task.own else "yes" if task.delivered else "not yet"),
    ]


def _whose(task: Task) -> str:
    return task.assignee or (f"role {task.role}" if task.role else "anybody")


def _due(task: Task) -> str:
    return f"{moment(task.due)}{' (overdue)' if task.breached_at else ''}" if task.due else ""


def dead_letter_row(letter: DeadLetter) -> tuple[str, ...]:
    """Return a row of the list of dead letters."""
    return (letter.dead_letter, letter.kind, letter.cause, letter.subject, str(letter.attempts), moment(letter.last_at), letter.state)


def dead_letter_fields(letter: DeadLetter) -> Fields:
    """Return everything about one dead letter."""
    return [
        ("dead letter", letter.dead_letter),
        ("kind", letter.kind),
        ("subject", letter.subject),
        ("run", letter.run),
        ("definition", letter.definition),
        ("step", letter.step),
        ("cause", letter.cause),
        ("detail", letter.detail),
        ("attempts", str(letter.attempts)),
        ("first attempt", moment(letter.first_at)),
        ("last attempt", moment(letter.last_at)),
        ("payload", letter.payload_ref),
        ("state", letter.state),
        ("last redrive", f"refused: {letter.refused}" if letter.refused else None),
        ("closed by", letter.by),
        ("reason", letter.reason),
        ("closed", moment(letter.closed_at)),
    ]


def bulk_line(bulk: BulkRedrive) -> str:
    """Return how far a redrive of many is."""
    state = "finished" if bulk.finished_at else f"{bulk.left} left, {bulk.rate:g} a second"
    return f"{bulk.redrive}: {bulk.redriven} redriven, {bulk.refused} refused, {state}"
