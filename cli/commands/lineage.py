"""`runs show redrive fork compare`: one run, run it again, try it otherwise, and see the difference."""

from typing import Annotated

import typer

from cli import lineage_views, views
from cli.commands.runs import JsonOption, RunArgument
from cli.connection import open_client
from cli.inputs import read_object
from cli.screen import clean, note, say, show_fields, show_json

OtherArgument = Annotated[str, typer.Argument(metavar="OTHER", help="The id of the other run.")]


def show(ctx: typer.Context, run: RunArgument, *, json_output: JsonOption = False) -> None:
    """Show one run with all its fields; `standfast runs RUN` does the same."""
    found = open_client(ctx).runs.get(run)
    show_json(found) if json_output else show_fields([*views.run_fields(found), *lineage_views.lineage_fields(found)])


def redrive(
    ctx: typer.Context,
    run: RunArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; the run shows it, and its ledger keeps it sealed.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Let a run that ended badly go on from the step that failed; what it did stays done."""
    found = open_client(ctx).runs.handle(run).redrive(reason)
    if json_output:
        show_json(found)
        return
    say(f"{found.run}: goes on at {found.step or 'its end'} in epoch {found.epoch}; {lineage_views.kept_text(found.kept)}")
    note(f"follow it with `standfast result {found.run}`")


def fork(
    ctx: typer.Context,
    run: RunArgument,
    *,
    at: Annotated[str, typer.Option(help="The step to go on at, such as settle.pay; what came before is kept.")],
    instructions: Annotated[str | None, typer.Option(help="Another prompt for the agent of that step.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model for the agent of that step.")] = None,
    arguments: Annotated[str | None, typer.Option(help="Other arguments for the call of that step: a file or a JSON object.")] = None,
    config: Annotated[str | None, typer.Option(help="Values laid over the run's config: a file or a JSON object.")] = None,
    allow_effects: Annotated[bool, typer.Option("--allow-effects", help="Do what changes the world, instead of simulating it.")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key and options always mean the same fork.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Start a new run that goes on at a step of this one; what changes the world is simulated."""
    handle = (
        open_client(ctx)
        .runs.handle(run)
        .fork(
            at,
            instructions=instructions,
            model=model,
            arguments=read_object(arguments, "--arguments") if arguments is not None else None,
            config=read_object(config, "--config") if config is not None else None,
            allow_effects=allow_effects,
            idempotency_key=idempotency_key,
        )
    )
    if json_output:
        show_json({"run": handle.id})
        return
    say(handle.id)
    note(f"see the difference with `standfast runs compare {run} {handle.id}`")


def compare(ctx: typer.Context, run: RunArgument, other: OtherArgument, *, json_output: JsonOption = False) -> None:
    """Compare two runs: outcome, tokens, cost, step by step."""
    found = open_client(ctx).runs.handle(run).compare(other)
    if json_output:
        show_json(found)
        return
    for line in lineage_views.comparison_lines(found):
        say(clean(line))
