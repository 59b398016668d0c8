"""`sagas compensate`: what a run's sagas have done, and having it undone."""

from typing import Annotated

import typer

from cli import saga_views
from cli.commands.runs import JsonOption, RunArgument
from cli.connection import open_client
from cli.screen import note, say, show_json, show_table


def sagas(ctx: typer.Context, run: RunArgument, *, json_output: JsonOption = False) -> None:
    """Show the state of each saga of a run and of each of its steps."""
    found = open_client(ctx).runs.handle(run).sagas()
    if json_output:
        show_json(found)
    else:
        show_table(saga_views.COLUMNS, saga_views.rows(found), nothing="the run's definition has no sagas")


def compensate(
    ctx: typer.Context,
    run: RunArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; the run shows it, and its ledger keeps it sealed.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Have a run undo what its open sagas did, now; it then ends as failed."""
    found = open_client(ctx).runs.handle(run).compensate(reason)
    if json_output:
        show_json(found)
        return
    say(f"{found.run}: asked to undo what its open sagas did")
    note(f"watch it with `standfast sagas {found.run}`")
