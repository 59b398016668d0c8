"""`models`: words that stand for models, and what models can do."""

from typing import Annotated

import typer
from pydantic import JsonValue

from cli import model_views as shown
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.screen import clean, say, show_fields, show_json, show_table

AliasArgument = Annotated[str, typer.Argument(metavar="ALIAS", help="A word, such as fast; default is for agents that name no model.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="provider/name.")]


def models(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List the words that definitions may use for models."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).models.list()
    if json_output:
        show_json(listed)
    else:
        show_table(shown.ALIAS_COLUMNS, [shown.alias_row(each) for each in listed], nothing="no aliases")


def set_alias(
    ctx: typer.Context,
    alias: AliasArgument,
    model: ModelArgument,
    *,
    fallback: Annotated[
        list[str] | None, typer.Option(help="Who takes over: MODEL, or MODEL=overload,price,refusal; may be repeated.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Set what a word stands for; runs that have started keep what it stood for."""
    chain: list[JsonValue] = [shown.fallback(text) for text in fallback or []]
    stored = open_client(ctx).models.set(alias, model, fallbacks=chain)
    show_json(stored) if json_output else show_fields(shown.alias_fields(stored))


def remove(ctx: typer.Context, alias: AliasArgument, *, json_output: JsonOption = False) -> None:
    """Take a word away."""
    open_client(ctx).models.remove(alias)
    show_json({"removed": alias}) if json_output else say(clean(f"{alias}: removed"))


def show(ctx: typer.Context, model: ModelArgument, *, json_output: JsonOption = False) -> None:
    """Show what a model can do, as definitions are checked against it."""
    found = open_client(ctx).models.capabilities(model)
    show_json(found) if json_output else show_fields(shown.capability_fields(found))
