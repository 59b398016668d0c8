"""`erase erasures retention`: erase data subjects, keep and purge content by term, hold it."""

from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.removal_views import HOLD_COLUMNS, REMOVAL_COLUMNS, RULE_COLUMNS, hold_row, plan_lines, removal_fields, removal_row, rule_row
from cli.screen import note, say, show_fields, show_json, show_table
from standfast_client import Removal, RemovalPlan

SubjectArgument = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="The name its runs were started with, a pseudonym (sub_…), or a run that has none.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")]
Confirm = Annotated[bool, typer.Option("--confirm", help="Do it; nothing brings it back.")]


def erase(
    ctx: typer.Context,
    subject: SubjectArgument,
    *,
    dry_run: DryRun = False,
    confirm: Confirm = False,
    anonymise: Annotated[bool, typer.Option("--anonymise", help="Replace the pseudonym too, by one nobody can derive.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Erase a data subject: destroy its key, remove the content of its runs; their ledgers still verify."""
    _choose(dry_run=dry_run, confirm=confirm)
    client = open_client(ctx)
    if dry_run:
        _show_plan(client.erasures.plan(subject), json_output=json_output)
    else:
        _show_removal(client.erasures.erase(subject, anonymise=anonymise), json_output=json_output)


def erasures(
    ctx: typer.Context,
    erasure: Annotated[str | None, typer.Argument(metavar="[ERASURE]", help="Show this one with its certificate.")] = None,
    *,
    limit: Annotated[int, typer.Option(help="At most so many, the oldest first.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """List erasures and purges, or show one."""
    client = open_client(ctx)
    if erasure is not None:
        _show_removal(client.erasures.get(erasure), json_output=json_output)
        return
    listed = client.erasures.list(limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(REMOVAL_COLUMNS, [removal_row(each) for each in listed], nothing="nothing was removed")


def retention(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """Show how long content is kept, and the legal holds that stand."""
    if ctx.invoked_subcommand is not None:
        return
    found = open_client(ctx).retention.get()
    if json_output:
        show_json(found)
        return
    show_table(RULE_COLUMNS, [rule_row(each) for each in found.rules], nothing="no rule: content is kept for ever")
    show_table(HOLD_COLUMNS, [hold_row(each) for each in found.holds], nothing="no legal hold")


def set_rule(
    ctx: typer.Context,
    *,
    days: Annotated[int | None, typer.Option("--days", help="How long closed runs keep their content.", min=1, max=36500)] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Remove the rule.")] = False,
    definition: Annotated[str | None, typer.Option(help="Of this definition; else of every one without a rule of its own.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Set how long closed runs keep their content.

    Raises:
        typer.BadParameter: Neither or both of --days and --forever are given.
    """
    if (days is None) == (not forever):
        raise typer.BadParameter("give either --days N or --forever")
    found = open_client(ctx).retention.set_rule(definition, days)
    if json_output:
        show_json(found)
    else:
        show_table(RULE_COLUMNS, [rule_row(each) for each in found.rules], nothing="no rule: content is kept for ever")


def purge(
    ctx: typer.Context,
    *,
    run: Annotated[str | None, typer.Option(help="Only this run; refused inside its term.")] = None,
    dry_run: DryRun = False,
    confirm: Confirm = False,
    json_output: JsonOption = False,
) -> None:
    """Remove the content of runs whose term is over."""
    _choose(dry_run=dry_run, confirm=confirm)
    client = open_client(ctx)
    if dry_run:
        _show_plan(client.retention.purge_plan(run), json_output=json_output)
        return
    removal = client.retention.purge(run)
    if removal is not None:
        _show_removal(removal, json_output=json_output)
    elif json_output:
        show_json(None)
    else:
        say("nothing is over its term")


def hold(
    ctx: typer.Context,
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="run, subject, definition or tenant.")],
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Which one; left out for the tenant.")] = "",
    *,
    reason: Annotated[str, typer.Option(help="Why; kept encrypted.")],
    json_output: JsonOption = False,
) -> None:
    """Place a legal hold: nothing in its scope is erased or purged while it stands."""
    placed = open_client(ctx).retention.hold(scope, name, reason=reason)
    show_json(placed) if json_output else say(placed.hold)


def release(
    ctx: typer.Context,
    held: Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id: hld_ and 26 characters.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Release a legal hold."""
    released = open_client(ctx).retention.release(held)
    show_json(released) if json_output else say(f"{released.hold}: released")


def _choose(*, dry_run: bool, confirm: bool) -> None:
    """Refuse to guess.

    Raises:
        typer.BadParameter: Neither or both are given.
    """
    if dry_run == confirm:
        raise typer.BadParameter("give either --dry-run, which shows what would go, or --confirm, which removes it for good")


def _show_plan(plan: RemovalPlan, *, json_output: bool) -> None:
    if json_output:
        show_json(plan)
        return
    for line in plan_lines(plan):
        say(line)


def _show_removal(removal: Removal, *, json_output: bool) -> None:
    if json_output:
        show_json(removal)
        return
    show_fields(removal_fields(removal))
    if removal.completed_at is None:
        note(f"objects and Temporal histories still go: `standfast erasures {removal.erasure}` shows when nothing is left")
