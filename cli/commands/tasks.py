"""`tasks`: list, `show`, `make`, `take`, `assign`, `release`, `escalate`, `complete`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.inputs import read_json, read_object
from cli.screen import say, show_fields, show_json, show_table
from cli.work_views import TASK_COLUMNS, task_fields, task_row
from standfast_client import Task

TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="The task's id: tsk_ and 26 characters.")]


class Resolution(StrEnum):
    """The answers there are."""

    COMPLETED = "completed"
    HAPPENED = "happened"
    DID_NOT_HAPPEN = "did_not_happen"
    GIVE_UP = "give_up"


class Kind(StrEnum):
    """The kinds of tasks."""

    HUMAN = "human"
    IN_DOUBT = "in_doubt"
    DIVERGENT = "divergent"
    FAILED_COMPENSATION = "failed_compensation"


class Order(StrEnum):
    """How tasks are sorted."""

    OPENED = "opened"
    DUE = "due"


class Priority(StrEnum):
    """How much a task presses."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


def tasks(
    ctx: typer.Context,
    *,
    state: Annotated[str, typer.Option(help="open, completed, closed_late, or all.")] = "open",
    kind: Annotated[Kind | None, typer.Option(help="Only of this kind.")] = None,
    run: Annotated[str | None, typer.Option(help="Only of this run.")] = None,
    role: Annotated[str | None, typer.Option("--for-role", help="Only for this reviewer role.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only of this principal.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Yours, and those for a reviewer role of yours.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that are overdue.")] = False,
    sort: Annotated[Order, typer.Option(help="By their opening, or by when they are due.")] = Order.OPENED,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """List work for people, and questions about effects whose outcome is unknown or wrong."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).tasks.list(
        state=None if state == "all" else state,
        kind=kind.value if kind else None,
        run=run,
        role=role,
        assignee=assignee,
        mine=mine,
        overdue=overdue,
        order=sort.value,
        limit=limit,
    )
    if json_output:
        show_json(listed)
    else:
        show_table(TASK_COLUMNS, [task_row(each) for each in listed], nothing="no tasks")


def show(ctx: typer.Context, task: TaskArgument, *, json_output: JsonOption = False) -> None:
    """Show one task."""
    found = open_client(ctx).tasks.get(task)
    show_json(found) if json_output else show_fields(task_fields(found))


def make(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is about, in a few words.")],
    *,
    instructions: Annotated[str, typer.Option(help="What to do.")] = "",
    run: Annotated[str | None, typer.Option(help="The run it is about.")] = None,
    for_role: Annotated[str | None, typer.Option("--for-role", help="The reviewer role it is for.")] = None,
    for_principal: Annotated[str | None, typer.Option("--for", help="The principal it is for.")] = None,
    priority: Annotated[Priority, typer.Option(help="How much it presses.")] = Priority.NORMAL,
    form: Annotated[str | None, typer.Option(help="The JSON Schema of the answer: a file, JSON text, or -.")] = None,
    due: Annotated[str | None, typer.Option(help="After how long it is overdue, such as 24h.")] = None,
    escalate: Annotated[list[str] | None, typer.Option(help="DURATION=ROLE: from then on that role has it; may be given often.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Make a task, of no run or about one.

    Raises:
        typer.BadParameter: A rung of --escalate is no DURATION=ROLE.
    """
    rungs = [rung.partition("=") for rung in escalate or []]
    if any(not after or not role for after, _, role in rungs):
        raise typer.BadParameter("--escalate is DURATION=ROLE, such as 12h=claims-lead")
    made = open_client(ctx).tasks.make(
        title,
        instructions=instructions,
        run=run,
        role=for_role,
        principal=for_principal,
        priority=priority.value,
        form=None if form is None else dict(read_object(form, "--form")),
        due=due,
        escalate=[(after, role) for after, _, role in rungs],
    )
    show_json(made) if json_output else say(f"{made.task}: made")


def take(ctx: typer.Context, task: TaskArgument, *, json_output: JsonOption = False) -> None:
    """Take a task: it is yours until you release it."""
    _told(open_client(ctx).tasks.assign(task), "yours", json_output=json_output)


def assign(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    to: Annotated[str | None, typer.Option(help="The principal.")] = None,
    to_role: Annotated[str | None, typer.Option("--to-role", help="The reviewer role.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Give a task to a principal or to a reviewer role.

    Raises:
        typer.BadParameter: Neither or both are named.
    """
    if (to is None) == (to_role is None):
        raise typer.BadParameter("name --to or --to-role")
    found = open_client(ctx).tasks.assign(task, to, role=to_role)
    _told(found, f"for {found.assignee or found.role}", json_output=json_output)


def release(ctx: typer.Context, task: TaskArgument, *, json_output: JsonOption = False) -> None:
    """Give a task back."""
    _told(open_client(ctx).tasks.assign(task, None), "released", json_output=json_output)


def escalate(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    to_role: Annotated[str | None, typer.Option("--to-role", help="To this role; else the next of its ladder.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Hand a task on."""
    found = open_client(ctx).tasks.escalate(task, role=to_role)
    _told(found, f"for {found.role}", json_output=json_output)


def complete(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    resolution: Annotated[Resolution, typer.Option(help="completed is for work; of an effect: did it happen?")] = Resolution.COMPLETED,
    output: Annotated[str | None, typer.Option(help="What its form asks for, or what the effect gave: a file, JSON text, or -.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Answer a task.

    Raises:
        typer.BadParameter: An output is given although it did not happen.
    """
    if output is not None and resolution not in (Resolution.COMPLETED, Resolution.HAPPENED):
        raise typer.BadParameter("--output belongs to --resolution completed and happened only")
    value = read_json(output, "--output") if output is not None else None
    found = open_client(ctx).tasks.complete(task, resolution.value, output=value)
    told = "done" if found.own else "the run was told" if found.delivered else "the run will be told"
    _told(found, f"{found.resolution or resolution.value}; {told}", json_output=json_output)


def _told(task: Task, what: str, *, json_output: bool) -> None:
    show_json(task) if json_output else say(f"{task.task}: {what}")
