"""What people see of budgets, costs and estimates: rows, fields and lines. Pure."""

from decimal import Decimal, InvalidOperation

import typer

from cli.views import Fields, dollars, moment
from standfast_client import Budget, BudgetEvent, CostGroup, Costs, Estimate, Invoice, Price
from standfast_client.money import Interval, InvoiceLine

BUDGET_COLUMNS = ("SCOPE", "NAME", "UNIT", "PERIOD", "HARD", "SOFT", "RESERVED", "SPENT", "LEFT")
EVENT_COLUMNS = ("WHEN", "SCOPE", "NAME", "PASSED", "SPENT", "OF", "RUN")
COST_COLUMNS = ("CALLS", "TOKENS IN", "TOKENS OUT", "COST")
INVOICE_COLUMNS = ("DEFINITION", "MODEL OR TOOL", "CALLS", "TOKENS IN", "TOKENS OUT", "COST")
PRICE_COLUMNS = ("MODEL", "IN PER MILLION", "OUT PER MILLION", "SOURCE", "FROM")
UNITS = {"usd_micros": "dollars", "tokens": "tokens", "ms": "seconds"}


def micros(text: str | None, option: str) -> int | None:
    """Return dollars as micro-USD; None for none.

    Raises:
        typer.BadParameter: it is no amount, or finer than a micro-USD.
    """
    if text is None or text == "none":
        return None
    try:
        found = Decimal(text) * 1_000_000
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found < 0 or found != found.to_integral_value():
        raise typer.BadParameter(f"{option} {text}: give dollars with at most six decimals, such as 25.00, or none")
    return int(found)


def amount(text: str, option: str) -> int | None:
    """Return a whole number; None for `none`.

    Raises:
        typer.BadParameter: it is none of both.
    """
    if text == "none":
        return None
    if not text.isdecimal():
        raise typer.BadParameter(f"{option} {text}: give a whole number, or none")
    return int(text)


def measured(value: int | None, unit: str) -> str:
    """Return an amount in its unit; a dash for none."""
    if value is None:
        return "-"
    if unit == "usd_micros":
        return dollars(value)
    return f"{value / 1000:g}" if unit == "ms" else str(value)


def budget_row(one: Budget) -> tuple[str, ...]:
    """Return the row of a budget."""
    amounts = (one.hard, one.soft, one.reserved, one.spent, one.left)
    return (one.scope, one.name, UNITS.get(one.unit, one.unit), one.period, *(measured(value, one.unit) for value in amounts))


def event_row(one: BudgetEvent) -> tuple[str, ...]:
    """Return the row of a passed threshold."""
    spent, basis = measured(one.spent, one.unit), measured(one.basis, one.unit)
    return (moment(one.at), one.scope, one.name, f"{one.threshold} %", spent, basis, one.run)


def cost_row(group: CostGroup) -> tuple[str, ...]:
    """Return the row of a group."""
    return (group.key, str(group.calls), str(group.input_tokens), str(group.output_tokens), dollars(group.cost_usd_micros))


def total_text(found: Costs) -> str:
    """Return the line below the table."""
    return f"{dollars(found.total_usd_micros)} in all" + ("; there are more groups than shown" if found.truncated else "")


def invoice_row(line: InvoiceLine) -> tuple[str, ...]:
    """Return the row of an invoice's line."""
    used = (str(line.calls), str(line.input_tokens), str(line.output_tokens))
    return (line.definition, line.subject, *used, dollars(line.cost_usd_micros))


def invoice_text(found: Invoice) -> str:
    """Return the line below an invoice."""
    return f"{found.tenant}, {found.month}: {dollars(found.total_usd_micros)}" + ("" if found.closed else "; the month is not over")


def estimate_fields(found: Estimate) -> Fields:
    """Return the fields of an estimate."""
    learned = {"settled_runs": "settled runs", "settled_calls": "settled calls"}.get(found.basis, "broad defaults: too little was settled")
    return [
        ("cost", "unknown" if found.usd_micros is None else _interval(found.usd_micros, "usd_micros")),
        ("tokens", _interval(found.tokens, "tokens")),
        ("at worst", f"{measured(found.worst_usd_micros, 'usd_micros')}, {found.worst_tokens} tokens"),
        ("learned from", f"{learned} ({found.samples})"),
        ("without a price", ", ".join(found.unpriced)),
    ]


def _interval(found: Interval, unit: str) -> str:
    return f"{measured(found.expected, unit)}, {measured(found.low, unit)} to {measured(found.high, unit)} for nine of ten"


def price_row(one: Price) -> tuple[str, ...]:
    """Return the row of a price."""
    per_million = (dollars(one.input_usd_micros_per_million), dollars(one.output_usd_micros_per_million))
    return (one.model, *per_million, one.source, moment(one.effective_from) or "always")
