"""`tasks`: list, `show`, `complete`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli import views
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.inputs import read_json
from cli.screen import say, show_fields, show_json, show_table

TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="The task's id: tsk_ and 26 characters.")]


class Resolution(StrEnum):
    """The answers there are."""

    HAPPENED = "happened"
    DID_NOT_HAPPEN = "did_not_happen"
    GIVE_UP = "give_up"


def tasks(
    ctx: typer.Context,
    *,
    state: Annotated[str, typer.Option(help="open, completed, closed_late, or all.")] = "open",
    limit: Annotated[int, typer.Option(help="At most so many, the oldest first.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """List questions about effects whose outcome is unknown or wrong."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).tasks.list(state=None if state == "all" else state, limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(views.TASK_COLUMNS, [views.task_row(each) for each in listed], nothing="no tasks")


def show(ctx: typer.Context, task: TaskArgument, *, json_output: JsonOption = False) -> None:
    """Show one task."""
    found = open_client(ctx).tasks.get(task)
    show_json(found) if json_output else show_fields(views.task_fields(found))


def complete(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    resolution: Annotated[Resolution, typer.Option(help="Did it happen? give_up fails the step.")],
    output: Annotated[str | None, typer.Option(help="What it gave back, when it happened: a file, JSON text, or -.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Answer a task.

    Raises:
        typer.BadParameter: An output is given although it did not happen.
    """
    if output is not None and resolution is not Resolution.HAPPENED:
        raise typer.BadParameter("--output belongs to --resolution happened only")
    value = read_json(output, "--output") if output is not None else None
    found = open_client(ctx).tasks.complete(task, resolution.value, output=value)
    if json_output:
        show_json(found)
    else:
        say(f"{found.task}: {found.resolution or resolution.value}; {'the run was told' if found.delivered else 'the run will be told'}")
