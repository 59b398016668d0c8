"""`run runs result cancel trace`."""

from typing import Annotated

import typer
from pydantic import JsonValue

from cli import views
from cli.connection import open_client
from cli.following import follow as follow_events
from cli.inputs import read_json, read_object
from cli.screen import clean, note, on_terminal, say, show_json, show_table
from standfast_client import Run, RunHandle

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id: run_ and 26 characters.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
TimeoutOption = Annotated[float | None, typer.Option("--timeout", help="Stop waiting after so many seconds; the run goes on.", min=0)]


def run(
    ctx: typer.Context,
    definition: Annotated[str, typer.Argument(metavar="DEFINITION", help="Name of a registered definition, or name@range.")],
    *,
    given: Annotated[str, typer.Option("--input", "-i", help="The input: a file, JSON text, or - for standard input.")] = "{}",
    config: Annotated[str | None, typer.Option(help="Values instead of the definition's defaults: a file or a JSON object.")] = None,
    subject: Annotated[str | None, typer.Option(help="Whose data the run holds, for a later erasure; kept as a pseudonym.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show progress until the run has ended, then its result.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show what it does, token by token, to its end; then its result.")] = False,
    timeout: TimeoutOption = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key and input always mean the same run.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Start a run.

    Raises:
        typer.BadParameter: Two options that contradict each other.
    """
    value = read_json(given, "--input")
    values = read_object(config, "--config") if config is not None else None
    if follow and timeout is not None:
        raise typer.BadParameter("--follow shows a run to its end: leave --timeout out, or give --wait instead")
    handle = open_client(ctx).runs.start(definition, value, config=values, subject=subject, idempotency_key=idempotency_key)
    if follow:
        note(handle.id)
        follow_events(handle, json_output=json_output, aside=True)
        _show_result(handle, timeout, json_output=json_output)
    elif wait:
        _follow(handle, timeout, json_output=json_output)
    elif json_output:
        show_json({"run": handle.id})
    else:
        say(handle.id)
        note(f"follow it with `standfast runs {handle.id}`, or `standfast result {handle.id}`")


def runs(
    ctx: typer.Context,
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only runs in this status; may be given several times.")] = None,
    definition: Annotated[str | None, typer.Option(help="Only runs of this definition.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many runs, the newest first.", min=1)] = 20,
    json_output: JsonOption = False,
) -> None:
    """List runs, or show one: `standfast runs RUN`."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).runs.list(status=status or None, definition=definition, limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(views.RUN_COLUMNS, [views.run_row(each) for each in listed], nothing="no runs")


def result(ctx: typer.Context, run: RunArgument, *, timeout: TimeoutOption = None, json_output: JsonOption = False) -> None:
    """Wait until a run has ended and write its result, which is JSON."""
    del json_output  # the result is JSON in either case
    handle = open_client(ctx).runs.handle(run)
    outcome: JsonValue = handle.result(timeout)
    _mark_scripted(handle)
    show_json(outcome)


def cancel(
    ctx: typer.Context,
    run: RunArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Ask a run to stop; what it did is undone first."""
    found = open_client(ctx).runs.handle(run).cancel(reason)
    if json_output:
        show_json(found)
    else:
        say(f"{found.run}: cancel requested; it is {found.status} now")


def trace(ctx: typer.Context, run: RunArgument, *, json_output: JsonOption = False) -> None:
    """Show what a run did, as a tree."""
    found = open_client(ctx).runs.handle(run).trace()
    if json_output:
        show_json(found)
        return
    for line in views.trace_lines(found):
        say(clean(line))


def _follow(handle: RunHandle, timeout: float | None, *, json_output: bool) -> None:
    """Say each change on standard error, then write the result.

    Raises:
        RunFailedError, WaitTimedOutError: As the client does.
    """
    if not json_output:
        note(handle.id)
        for state in handle.watch(timeout):
            note(clean(f"  {views.progress_line(state)}"))
            _advise(state)
    _show_result(handle, timeout, json_output=json_output)


def _show_result(handle: RunHandle, timeout: float | None, *, json_output: bool) -> None:
    outcome: JsonValue = handle.result(timeout)
    _mark_scripted(handle)
    show_json({"run": handle.id, "result": outcome} if json_output else outcome)


def _mark_scripted(handle: RunHandle) -> None:
    """Say so when a run's output comes from a scripted model."""
    if views.is_scripted(handle.read().usage.model):
        note(views.SCRIPTED_NOTICE)


def _advise(state: Run) -> None:
    if state.status == "waiting" and on_terminal():
        note(f"  (`standfast approvals` shows what waits; `standfast approve {state.run}` decides)")
