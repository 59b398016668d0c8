"""`tools`: which there are, who may call them, and who did."""

from pathlib import Path
from typing import Annotated

import typer

from cli import tool_views as shown
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.inputs import read_text
from cli.screen import clean, say, show_fields, show_json, show_table
from standfast_client import Tool

Name = Annotated[str, typer.Argument(metavar="TOOL", help="A tool's name.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Its version, such as 1.0.0.")]
Reason = Annotated[str, typer.Option("-m", "--reason", help="Why; kept with it.")]
Limit = Annotated[int, typer.Option(help="At most so many, the latest first.", min=1)]
OneTool = Annotated[str | None, typer.Option(help="Only of this tool.")]


def tools(
    ctx: typer.Context,
    *,
    retired: Annotated[bool, typer.Option("--all", help="Also those that are out of use.")] = False,
    json_output: JsonOption = False,
) -> None:
    """List the tools that definitions may name."""
    if ctx.invoked_subcommand is not None:
        return
    _show_list(open_client(ctx).tools.list(retired=retired), json_output=json_output)


def show(
    ctx: typer.Context,
    name: Name,
    *,
    version: Annotated[str | None, typer.Option(help="A version or a range, such as ^1; else the highest.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Show a tool: what it takes and gives, where it goes, and what was said of it."""
    _show(open_client(ctx).tools.get(name, version), json_output=json_output)


def register(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Declarations, YAML or JSON, one tool each.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Register tools by their declarations, all or none."""
    declared = {str(file): read_text(str(file), "FILE") for file in files}
    _show_list(list(open_client(ctx).tools.register(declared)), json_output=json_output)


def import_openapi(
    ctx: typer.Context,
    document: Annotated[str, typer.Argument(metavar="FILE", help="An OpenAPI 3 document, YAML or JSON; - for standard input.")],
    *,
    base_url: Annotated[str | None, typer.Option(help="Stands for the document's server.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Stands before each tool's name; else the document's title.")] = None,
    version: Annotated[str, typer.Option(help="The tools' version.")] = "1.0.0",
    check_answers: Annotated[bool, typer.Option("--check-answers", help="Answers must fit the document's schemas.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be registered.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Make a tool of each operation of an OpenAPI document: GET and HEAD read, all others write and are never repeated on their own."""
    text = read_text(document, "FILE")
    imported = open_client(ctx).tools.import_openapi(
        text, base_url=base_url, prefix=prefix, version=version, check_answers=check_answers, dry_run=dry_run
    )
    if json_output:
        show_json(imported)
        return
    _show_list(imported.tools, json_output=False)
    for one in imported.skipped:
        say(clean(f"left out: {one.operation}: {one.reason}"))
    secrets = sorted({name for tool in imported.tools for name in tool.secrets})
    if secrets:
        say(clean(f"secrets to set: {', '.join(secrets)}"))


def quarantine(ctx: typer.Context, name: Name, version: Version, *, reason: Reason, json_output: JsonOption = False) -> None:
    """Hold a version back: nobody calls it until it is released."""
    _show(open_client(ctx).tools.quarantine(name, version, reason=reason), json_output=json_output)


def release(ctx: typer.Context, name: Name, version: Version, *, reason: Reason, json_output: JsonOption = False) -> None:
    """Let a quarantined or retired version be called again."""
    _show(open_client(ctx).tools.release(name, version, reason=reason), json_output=json_output)


def retire(ctx: typer.Context, name: Name, version: Version, *, reason: Reason, json_output: JsonOption = False) -> None:
    """Take a version out of use; runs that have it go on."""
    _show(open_client(ctx).tools.retire(name, version, reason=reason), json_output=json_output)


def grants(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List who may call which tools; what no grant names is open."""
    listed = open_client(ctx).tools.grants()
    if json_output:
        show_json(list(listed))
    else:
        show_table(shown.GRANT_COLUMNS, [shown.grant_row(each) for each in listed], nothing="no grants: every tool is open")


def grant(
    ctx: typer.Context,
    patterns: Annotated[list[str], typer.Argument(metavar="TOOL…", help="Names, name.* for all below it, or *.")],
    *,
    agent: Annotated[list[str] | None, typer.Option(help="An agent, name/*, or steps; may be given several times; else any.")] = None,
    to: Annotated[list[str] | None, typer.Option(help="A platform or reviewer role; may be given several times; else any.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Let nobody: it only closes the tools.")] = False,
    reason: Reason = "",
    json_output: JsonOption = False,
) -> None:
    """Let agents call tools in runs of people with a role; all others may not call these any more."""
    agents, roles = ([], []) if nobody else (agent or ["*"], to or ["*"])
    made = open_client(ctx).tools.grant(*patterns, agents=agents, roles=roles, reason=reason)
    show_json(made) if json_output else show_table(shown.GRANT_COLUMNS, [shown.grant_row(made)], nothing="")


def revoke(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Its id: tgr_ and 26 characters.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Take a grant back at once; its tools stay closed."""
    gone = open_client(ctx).tools.revoke(grant)
    show_json(gone) if json_output else show_table(shown.GRANT_COLUMNS, [shown.grant_row(gone)], nothing="")


def calls(
    ctx: typer.Context,
    *,
    tool: OneTool = None,
    run: Annotated[str | None, typer.Option(help="Only of this run.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only by this agent.")] = None,
    principal: Annotated[str | None, typer.Option(help="Only in runs of this principal.")] = None,
    verdict: Annotated[str | None, typer.Option(help="allowed, failed, denied, quarantined, refused, simulated or in_doubt.")] = None,
    since: Annotated[str | None, typer.Option(help="From this instant on, RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant.")] = None,
    limit: Limit = 50,
    json_output: JsonOption = False,
) -> None:
    """List who called what, from the ledgers."""
    listed = open_client(ctx).tools.calls(
        tool=tool, run=run, agent=agent, principal=principal, verdict=verdict, since=since, until=until, limit=limit
    )
    if json_output:
        show_json(list(listed))
    else:
        show_table(shown.CALL_COLUMNS, [shown.call_row(each) for each in listed], nothing="no calls")


def anomalies(ctx: typer.Context, *, tool: OneTool = None, limit: Limit = 50, json_output: JsonOption = False) -> None:
    """List calls that were unlike the usual ones."""
    listed = open_client(ctx).tools.anomalies(tool=tool, limit=limit)
    if json_output:
        show_json(list(listed))
    else:
        show_table(shown.ANOMALY_COLUMNS, [shown.anomaly_row(each) for each in listed], nothing="nothing unusual")


def _show(tool: Tool, *, json_output: bool) -> None:
    show_json(tool) if json_output else show_fields(shown.tool_fields(tool))


def _show_list(listed: list[Tool], *, json_output: bool) -> None:
    if json_output:
        show_json(listed)
    else:
        show_table(shown.TOOL_COLUMNS, [shown.tool_row(each) for each in listed], nothing="no tools")
