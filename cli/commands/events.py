"""`events`: what a run does, as it does it."""

from typing import Annotated

import typer

from cli.commands.runs import RunArgument
from cli.connection import open_client
from cli.following import follow


def events(
    ctx: typer.Context,
    run: RunArgument,
    *,
    after: Annotated[str | None, typer.Option(help="Go on after the event with this id.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Write one JSON object a line.")] = False,
) -> None:
    """Follow what a run does, token by token, until it ends."""
    follow(open_client(ctx).runs.handle(run), after=after, json_output=json_output)
