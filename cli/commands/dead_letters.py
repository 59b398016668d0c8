"""`dead-letters`: what was given up: list, `show`, `redrive`, `discard`."""

from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.screen import say, show_fields, show_json, show_table
from cli.work_views import DEAD_LETTER_COLUMNS, bulk_line, dead_letter_fields, dead_letter_row

LetterArgument = Annotated[str, typer.Argument(metavar="DEAD_LETTER", help="Its id: dlq_ and 26 characters.")]
Kind = Annotated[str | None, typer.Option(help="run, effect, delivery, schedule or hook.")]
Cause = Annotated[str | None, typer.Option(help="A code, such as tool-failed.")]
Definition = Annotated[str | None, typer.Option(help="A definition's name.")]
Since = Annotated[str | None, typer.Option(help="No earlier last attempt than this instant, RFC 3339.")]
Reason = Annotated[str, typer.Option("-m", "--reason", help="Why; kept with it.")]


def dead_letters(
    ctx: typer.Context,
    *,
    state: Annotated[str, typer.Option(help="open, redriven, discarded or any.")] = "open",
    kind: Kind = None,
    cause: Cause = None,
    definition: Definition = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest first.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """List what was given up."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).dead_letters.list(state=state, kind=kind, cause=cause, definition=definition, since=since, limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(DEAD_LETTER_COLUMNS, [dead_letter_row(each) for each in listed], nothing="no dead letters")


def show(ctx: typer.Context, dead_letter: LetterArgument, *, json_output: JsonOption = False) -> None:
    """Show one dead letter."""
    found = open_client(ctx).dead_letters.get(dead_letter)
    show_json(found) if json_output else show_fields(dead_letter_fields(found))


def redrive(
    ctx: typer.Context,
    dead_letter: Annotated[str | None, typer.Argument(metavar="[DEAD_LETTER]", help="One; else name a filter, or --all.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that are open now.")] = False,
    kind: Kind = None,
    cause: Cause = None,
    definition: Definition = None,
    since: Since = None,
    rate: Annotated[float, typer.Option(help="How many a second, of many.", min=0.01, max=100)] = 1.0,
    reason: Reason = "",
    json_output: JsonOption = False,
) -> None:
    """Try again what was given up: one, or in the background many, by filter or all.

    Raises:
        typer.BadParameter: Neither one nor a filter nor --all is given, or one with any of the others.
    """
    filters = {"kind": kind, "cause": cause, "definition": definition, "since": since}
    many = everything or any(value is not None for value in filters.values())
    if (dead_letter is not None) == many:
        raise typer.BadParameter("name one dead letter, or choose many by --kind, --cause, --definition, --since or --all")
    client = open_client(ctx)
    if dead_letter is not None:
        done = client.dead_letters.redrive(dead_letter, reason=reason)
        show_json(done) if json_output else say(f"{done.dead_letter}: {done.state}")
        return
    begun = client.dead_letters.redrive_many(everything=everything, rate=rate, reason=reason, **filters)
    show_json(begun) if json_output else say(bulk_line(begun))


def progress(
    ctx: typer.Context,
    redrive: Annotated[str, typer.Argument(metavar="REDRIVE", help="Its id: rdv_ and 26 characters.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Show how far a redrive of many is."""
    found = open_client(ctx).dead_letters.redrive_state(redrive)
    show_json(found) if json_output else say(bulk_line(found))


def discard(ctx: typer.Context, dead_letter: LetterArgument, *, reason: Reason, json_output: JsonOption = False) -> None:
    """Close a dead letter for good, with the reason."""
    done = open_client(ctx).dead_letters.discard(dead_letter, reason=reason)
    show_json(done) if json_output else say(f"{done.dead_letter}: {done.state}")
