"""JSON shapes, CSV and query parameters of budgets, costs, prices and estimates."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime, Field, JsonValue, StringConstraints, model_validator

from api.queries import Cursor, Limit
from domain.budget import AMOUNT_MAX, THRESHOLDS, Period, Scope, Unit
from domain.budget_stores import BudgetLimit, BudgetRow
from domain.costs import CostGroup, GroupBy, Invoice
from domain.errors import NotFound
from domain.model import Value
from domain.provider import ModelPricing

Amount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Threshold = Annotated[int, Field(ge=1, le=1000)]
SettableScope = Literal["tenant", "definition", "run"]
CSV_TYPE = "text/csv"


class LimitBody(Value):
    """One limit; null is none. A hard limit refuses, a soft one only tells."""

    hard: Amount | None = None
    soft: Amount | None = None


class BudgetBody(Value):
    """Limits by unit: micro-USD, tokens, and milliseconds that effects take. Units that are left out stay as they are."""

    usd_micros: LimitBody | None = None
    tokens: LimitBody | None = None
    ms: LimitBody | None = None
    period: Period = "total"
    thresholds: Annotated[tuple[Threshold, ...], Field(max_length=20)] = THRESHOLDS

    def limits(self) -> list[BudgetLimit]:
        """Return the limits that are named."""
        named = [(unit, getattr(self, unit.value)) for unit in Unit]
        return [
            BudgetLimit(unit=unit, hard=limit.hard, soft=limit.soft, period=self.period, thresholds=tuple(sorted(set(self.thresholds))))
            for unit, limit in named
            if isinstance(limit, LimitBody)
        ]


class BudgetView(BudgetRow):
    """A budget in one unit; `left` is what the next call may still reserve, null without a hard limit."""

    left: int | None


class BudgetList(Value):
    """Budgets of a tenant, its definitions, or one run with its steps."""

    items: tuple[BudgetView, ...]


class CostList(Value):
    """Sums by group. `truncated` says that groups beyond `limit` are missing; `total_usd_micros` sums what is shown."""

    by: GroupBy
    since: str | None
    until: str | None
    items: tuple[CostGroup, ...]
    total_usd_micros: int
    truncated: bool


class PriceList(Value):
    """Prices in micro-USD per million tokens; `unknown` are models that were asked for and have none."""

    items: tuple[ModelPricing, ...]
    unknown: tuple[str, ...] = ()


class PromptToEstimate(Value):
    """A model call: what it is told, asked and given, and how long its answer may be."""

    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*/\S+$", max_length=200)]
    instructions: str = ""
    input: JsonValue = None
    tools: tuple[dict[str, JsonValue], ...] = ()
    output_schema: dict[str, JsonValue] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 4096


class EstimateBody(Value):
    """What to estimate: one model call, or a run of a registered definition (`name` or `name@range`)."""

    prompt: PromptToEstimate | None = None
    definition: str | None = None
    input: JsonValue = Field(default_factory=dict)
    config: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _one_of_both(self) -> "EstimateBody":
        if (self.prompt is None) == (self.definition is None):
            raise ValueError("name a prompt or a definition, and not both")
        return self


class BudgetQuery(Value):
    """Narrows the list; runs and their steps are shown only for a named run (`scope=step` with the run's id gives both)."""

    scope: Scope | None = None
    name: str | None = None


class EventQuery(Value):
    """One page of passed thresholds."""

    limit: Limit = 50
    cursor: Cursor | None = None


class CostsQuery(Value):
    """What to sum up; instants are RFC 3339, `until` is exclusive."""

    by: GroupBy = "day"
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    run: str | None = None
    definition: str | None = None
    model: str | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    format: Literal["json", "csv"] | None = None


class InvoiceQuery(Value):
    """The month, in UTC."""

    month: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    format: Literal["json", "csv"] | None = None


class PriceQuery(Value):
    """Models to price, and when; without any, the operator's own prices."""

    model: Annotated[list[str], Field(max_length=50)] = []
    at: AwareDatetime | None = None


def _scope_in_path(scope: Annotated[str, Path(description="tenant, definition or run")]) -> SettableScope:
    match scope:
        case "tenant" | "definition" | "run":
            return scope
        case _:
            raise NotFound(f"there are no budgets of scope {scope}: it is tenant, definition or run")


ScopeInPath = Annotated[SettableScope, Depends(_scope_in_path)]
BudgetsWanted = Annotated[BudgetQuery, Query()]
EventPage = Annotated[EventQuery, Query()]
CostsWanted = Annotated[CostsQuery, Query()]
InvoiceWanted = Annotated[InvoiceQuery, Query()]
PricesWanted = Annotated[PriceQuery, Query()]


def budget_view(row: BudgetRow, *, tenant: str) -> BudgetView:
    """Show a budget; the tenant's own carries the tenant's name."""
    left = None if row.hard is None else max(row.hard - row.spent - row.reserved, 0)
    return BudgetView.model_validate({**row.model_dump(), "name": tenant if row.scope == "tenant" else row.name, "left": left})


def instant_text(given: datetime | None) -> str | None:
    """Return an instant as the stores take it."""
    return None if given is None else given.isoformat()


def costs_csv(groups: Sequence[CostGroup]) -> str:
    """Return groups as CSV (RFC 4180)."""
    return _csv(tuple(CostGroup.model_fields), [tuple(group.model_dump().values()) for group in groups])


def invoice_csv(invoice: Invoice) -> str:
    """Return an invoice as CSV (RFC 4180); its last line is the total."""
    columns = ("tenant", "month", "definition", "subject", "calls", "input_tokens", "output_tokens", "cost_usd_micros", "currency")
    lines = [(invoice.tenant, invoice.month, *line.model_dump().values(), invoice.currency) for line in invoice.lines]
    total = (invoice.tenant, invoice.month, "", "total", "", "", "", invoice.total_usd_micros, invoice.currency)
    return _csv(columns, [*lines, total])


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Cells that a spreadsheet would take for a formula get a quote before them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell for cell in row] for row in rows])
    return text.getvalue()
