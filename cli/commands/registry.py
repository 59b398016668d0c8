"""`register definitions`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import views
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.screen import show_json, show_table


def register(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with definition, prompts and schemas, or one YAML file.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Register the definitions of a bundle; the same content again changes nothing."""
    registered = open_client(ctx).definitions.register(path)
    if json_output:
        show_json(registered)
    else:
        show_table(views.DEFINITION_COLUMNS, [views.definition_row(each) for each in registered], nothing="nothing was registered")


def definitions(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List every registered version."""
    listed = open_client(ctx).definitions.list()
    if json_output:
        show_json(listed)
    else:
        show_table(
            views.DEFINITION_COLUMNS,
            [views.definition_row(each) for each in listed],
            nothing="no definitions; `standfast register DIR` adds some",
        )
