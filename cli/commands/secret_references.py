"""`secrets`: where the values of tools' secrets lie; no value passes this command."""

from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.mcp_views import SECRET_COLUMNS, secret_row
from cli.screen import say, show_json, show_table

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The secret's name, as tools declare it.")]
EnvironmentOption = Annotated[str, typer.Option(help="development, test or production.")]


def secrets(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List names of secrets and where their values lie."""
    if ctx.invoked_subcommand is None:
        list_secrets(ctx, json_output=json_output)


def list_secrets(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List names of secrets and where their values lie."""
    listed = open_client(ctx).secrets.list()
    if json_output:
        show_json(listed)
    else:
        show_table(SECRET_COLUMNS, [secret_row(each) for each in listed], nothing="no secret")


def set_reference(
    ctx: typer.Context,
    name: NameArgument,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="env:NAME, file:/path or vault:MOUNT/PATH#KEY.")],
    *,
    environment: EnvironmentOption = "production",
    json_output: JsonOption = False,
) -> None:
    """Say where a secret's value lies in one environment; never give the value itself."""
    row = open_client(ctx, default_role="admin").secrets.set_reference(name, reference, environment=environment)
    if json_output:
        show_json(row)
    else:
        say(f"{row.name} lies at {row.reference} in {row.environment}")


def remove(
    ctx: typer.Context, name: NameArgument, *, environment: EnvironmentOption = "production", json_output: JsonOption = False
) -> None:
    """Take a name away; its value stays where it lies."""
    removed = open_client(ctx, default_role="admin").secrets.remove(name, environment=environment)
    if json_output:
        show_json(removed)
    else:
        say(f"{removed.name} is gone from {removed.environment}")
