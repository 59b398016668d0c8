"""`budgets` and `costs`: limits, passed thresholds, sums, invoices, estimates, prices."""

from enum import StrEnum
from typing import Annotated

import typer
from pydantic import JsonValue

from cli import money_views as shown
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.inputs import read_json, read_object
from cli.screen import note, say, show_fields, show_json, show_table
from standfast_client import Budget


class Scope(StrEnum):
    """What a budget bounds."""

    TENANT = "tenant"
    DEFINITION = "definition"
    RUN = "run"


class GroupBy(StrEnum):
    """By what costs are summed up."""

    DAY = "day"
    RUN = "run"
    STEP = "step"
    AGENT = "agent"
    DEFINITION = "definition"
    MODEL = "model"
    TENANT = "tenant"


class Period(StrEnum):
    """How long spending counts."""

    TOTAL = "total"
    DAY = "day"
    MONTH = "month"


ScopeArgument = Annotated[Scope, typer.Argument(help="What it bounds.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The tenant, the definition's name, or the run's id.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Write CSV.")]


def budgets(
    ctx: typer.Context,
    *,
    run: Annotated[str | None, typer.Option(help="Show this run and its steps instead.")] = None,
    json_output: JsonOption = False,
) -> None:
    """List budgets with what is reserved, spent and left."""
    if ctx.invoked_subcommand is not None:
        return
    client = open_client(ctx)
    _show(client.budgets.list(scope="step", name=run) if run else client.budgets.list(), json_output=json_output)


def set_budget(
    ctx: typer.Context,
    scope: ScopeArgument,
    name: NameArgument,
    *,
    usd: Annotated[str | None, typer.Option(help="Dollars at most, such as 25.00; none takes the limit away.")] = None,
    tokens: Annotated[str | None, typer.Option(help="Tokens at most, in and out; or none.")] = None,
    seconds: Annotated[str | None, typer.Option(help="Seconds at most that calls take; or none.")] = None,
    soft_usd: Annotated[str | None, typer.Option(help="Dollars from which on it is told, and nothing is refused.")] = None,
    period: Annotated[Period, typer.Option(help="How long spending counts; days and months are those of UTC.")] = Period.TOTAL,
    threshold: Annotated[list[int] | None, typer.Option(help="Percent at which it is told; may be repeated. Else 50, 80, 100.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Set limits; units that are not named stay as they are.

    Raises:
        typer.BadParameter: No unit is named, or an amount is none.
    """
    dollars = {"--usd": usd, "--soft-usd": soft_usd}
    limits: dict[str, JsonValue] = {}
    if usd is not None or soft_usd is not None:
        limits["usd_micros"] = {"hard": shown.micros(usd, "--usd"), "soft": shown.micros(soft_usd, "--soft-usd")}
    if tokens is not None:
        limits["tokens"] = {"hard": shown.amount(tokens, "--tokens")}
    if seconds is not None:
        whole = shown.amount(seconds, "--seconds")
        limits["ms"] = {"hard": None if whole is None else 1000 * whole}
    if not limits:
        raise typer.BadParameter(f"name a limit: {', '.join([*dollars, '--tokens', '--seconds'])}")
    more: dict[str, JsonValue] = {"period": period.value}
    if threshold:
        more["thresholds"] = [*threshold]
    _show(open_client(ctx).budgets.set(scope.value, name, limits | more), json_output=json_output)


def clear(ctx: typer.Context, scope: ScopeArgument, name: NameArgument, *, json_output: JsonOption = False) -> None:
    """Take every limit away; what was spent stays counted."""
    _show(open_client(ctx).budgets.clear(scope.value, name), json_output=json_output)


def events(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option(help="At most so many, the newest first.", min=1)] = 50,
    json_output: JsonOption = False,
) -> None:
    """List the thresholds that spending has passed."""
    listed = open_client(ctx).budgets.events(limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(shown.EVENT_COLUMNS, [shown.event_row(one) for one in listed], nothing="no threshold was passed")


def costs(
    ctx: typer.Context,
    *,
    by: Annotated[GroupBy, typer.Option(help="By what to sum up.")] = GroupBy.DAY,
    since: Annotated[str | None, typer.Option(help="From this instant on, such as 2026-11-01T00:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant.")] = None,
    csv: CsvOption = False,
    json_output: JsonOption = False,
) -> None:
    """Sum up what was settled."""
    if ctx.invoked_subcommand is not None:
        return
    client = open_client(ctx)
    if csv:
        say(client.costs.csv(by=by.value, since=since, until=until).rstrip())
        return
    found = client.costs.list(by=by.value, since=since, until=until)
    if json_output:
        show_json(found)
        return
    columns = (by.value.upper(), *shown.COST_COLUMNS)
    show_table(columns, [shown.cost_row(group) for group in found.items], nothing="nothing was settled")
    note(shown.total_text(found))


def invoice(
    ctx: typer.Context,
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-11, in UTC.")],
    *,
    csv: CsvOption = False,
    json_output: JsonOption = False,
) -> None:
    """Show what a month cost; a closed month never changes."""
    client = open_client(ctx)
    if csv:
        say(client.costs.invoice_csv(month).rstrip())
        return
    found = client.costs.invoice(month)
    if json_output:
        show_json(found)
        return
    show_table(shown.INVOICE_COLUMNS, [shown.invoice_row(line) for line in found.lines], nothing="nothing was settled in that month")
    note(shown.invoice_text(found))


def estimate(
    ctx: typer.Context,
    definition: Annotated[str | None, typer.Argument(metavar="[DEFINITION]", help="A definition, as name or name@range.")] = None,
    *,
    run_input: Annotated[str | None, typer.Option("--input", help="What it would be given: a file, JSON text, or -.")] = None,
    config: Annotated[str | None, typer.Option(help="Its config: a file, JSON text, or -.")] = None,
    model: Annotated[str | None, typer.Option(help="Estimate one call of this model instead.")] = None,
    max_output_tokens: Annotated[int, typer.Option(help="The longest answer of that call.", min=1)] = 4096,
    json_output: JsonOption = False,
) -> None:
    """Say what a run of a definition, or one model call, will probably cost.

    Raises:
        typer.BadParameter: Neither or both are named.
    """
    if (definition is None) == (model is None):
        raise typer.BadParameter("name a definition, or a model with --model, and not both")
    given = read_json(run_input, "--input") if run_input is not None else None
    client = open_client(ctx)
    if definition is not None:
        found = client.costs.estimate(definition, given, config=read_object(config, "--config") if config is not None else None)
    else:
        found = client.costs.estimate_prompt(model or "", input=given, max_output_tokens=max_output_tokens)
    show_json(found) if json_output else show_fields(shown.estimate_fields(found))


def prices(
    ctx: typer.Context,
    model: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]", help="Models as provider/name; else your own prices.")] = None,
    *,
    json_output: JsonOption = False,
) -> None:
    """Show what models cost per million tokens."""
    listed = open_client(ctx).costs.prices(model or [])
    if json_output:
        show_json(listed)
    else:
        show_table(shown.PRICE_COLUMNS, [shown.price_row(one) for one in listed], nothing="no price is known")


def _show(listed: list[Budget], *, json_output: bool) -> None:
    if json_output:
        show_json(listed)
    else:
        show_table(shown.BUDGET_COLUMNS, [shown.budget_row(one) for one in listed], nothing="no budgets")
