"""`calendars` and `substitutes`: working hours, and who decides in whose place."""

from typing import Annotated

import typer

from cli import inbox_views as shown
from cli.commands.runs import JsonOption
from cli.connection import REVIEWER_ROLE, open_client
from cli.inputs import read_object
from cli.screen import clean, say, show_fields, show_json, show_table
from standfast_client import Calendar, Substitution

Name = Annotated[str, typer.Argument(help="The calendar's name.")]
SubstitutionArgument = Annotated[str, typer.Argument(metavar="SUBSTITUTION", help="Its id, sbs_ and 26 characters.")]


def calendars(
    ctx: typer.Context, *, limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50, json_output: JsonOption = False
) -> None:
    """List the working-hours calendars in use."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).calendars.list(limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(shown.CALENDAR_COLUMNS, [shown.calendar_row(each) for each in listed], nothing="no calendars")


def show(
    ctx: typer.Context,
    name: Name,
    *,
    version: Annotated[int | None, typer.Option(help="An older version, or one of a retired calendar.", min=1)] = None,
    json_output: JsonOption = False,
) -> None:
    """Show a calendar with its holidays."""
    _show_calendar(open_client(ctx).calendars.get(name, version=version), json_output=json_output)


def put(
    ctx: typer.Context,
    name: Name,
    content: Annotated[str, typer.Argument(metavar="FILE", help="A JSON file with zone, hours and holidays; JSON text; or -.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Store a calendar's next version; open approvals keep the deadlines they have."""
    _show_calendar(open_client(ctx).calendars.put(name, read_object(content, "FILE")), json_output=json_output)


def retire(ctx: typer.Context, name: Name, *, json_output: JsonOption = False) -> None:
    """Take a calendar out of use; its versions stay readable by number."""
    open_client(ctx).calendars.retire(name)
    show_json({"retired": name}) if json_output else say(clean(f"{name}: retired"))


def instants(
    ctx: typer.Context,
    name: Name,
    start: Annotated[str, typer.Argument(metavar="FROM", help="An instant with its offset, such as 2026-06-05T16:00:00+02:00.")],
    hours: Annotated[list[float], typer.Argument(metavar="HOURS", help="Hours of working time after it; 0 is the next working instant.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Say when so many hours of working time will have passed."""
    found = open_client(ctx).calendars.instants(name, start, [3600 * each for each in hours])
    if json_output:
        show_json(found)
    else:
        for each, instant in zip(hours, found.instants, strict=True):
            say(clean(f"{each:g} h  {instant}"))


def substitutes(
    ctx: typer.Context,
    *,
    principal: Annotated[str | None, typer.Option(help="Only of this principal, on either side.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over or were ended.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many, the latest start first.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """List who decides in whose place."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx, default_role=REVIEWER_ROLE).substitutes.list(principal=principal, standing=not every, limit=limit)
    _show_substitutes(listed, json_output=json_output)


def set_substitute(
    ctx: typer.Context,
    substitute: Annotated[str, typer.Argument(help="The principal who decides meanwhile.")],
    until: Annotated[str, typer.Argument(help="The instant it ends, such as 2026-12-24T18:00:00+01:00.")],
    *,
    since: Annotated[str | None, typer.Option("--from", help="The instant it begins; else now.")] = None,
    reviewer: Annotated[str | None, typer.Option("--for", help="In whose place; else yours. Only admins name somebody else.")] = None,
    reviewers: Annotated[list[str] | None, typer.Option(help="Only with this reviewer role; may be given several times.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Name a substitute for yourself."""
    client = open_client(ctx, default_role=REVIEWER_ROLE)
    made = client.substitutes.set(substitute, until, since=since, reviewer=reviewer, roles=reviewers or [])
    _show_substitutes([made], json_output=json_output)


def end(ctx: typer.Context, substitution: SubstitutionArgument, *, json_output: JsonOption = False) -> None:
    """End a substitution now."""
    _show_substitutes([open_client(ctx, default_role=REVIEWER_ROLE).substitutes.end(substitution)], json_output=json_output)


def _show_calendar(calendar: Calendar, *, json_output: bool) -> None:
    show_json(calendar) if json_output else show_fields(shown.calendar_fields(calendar))


def _show_substitutes(listed: list[Substitution], *, json_output: bool) -> None:
    if json_output:
        show_json(listed)
    else:
        show_table(shown.SUBSTITUTE_COLUMNS, [shown.substitute_row(each) for each in listed], nothing="no substitutes")
