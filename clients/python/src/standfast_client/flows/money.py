"""Budgets, costs, estimates and prices."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, Parameter, delete, get, parse, plain, post, put
from standfast_client.flows.paging import paged
from standfast_client.models import JsonInput, Received
from standfast_client.money import Budget, BudgetEvent, Costs, Estimate, Invoice, Price


class _Budgets(Received):
    items: list[Budget]


class _Prices(Received):
    items: list[Price]


def budgets(link: Link, *, scope: str | None, name: str | None) -> Flow[list[Budget]]:
    """Read budgets."""
    return parse((yield from link.ask(get("/budgets", scope=scope, name=name))), _Budgets).items


def set_budget(link: Link, scope: str, name: str, limits: Mapping[str, JsonInput], *, idempotency_key: str | None) -> Flow[list[Budget]]:
    """Set limits: unit → {hard, soft}, and `period` and `thresholds`."""
    body: dict[str, JsonValue] = {key: plain(value) for key, value in limits.items()}
    return parse((yield from link.ask(put(_path(scope, name), body, idempotency_key=idempotency_key))), _Budgets).items


def clear_budget(link: Link, scope: str, name: str, *, idempotency_key: str | None) -> Flow[list[Budget]]:
    """Take limits away."""
    return parse((yield from link.ask(delete(_path(scope, name), idempotency_key=idempotency_key))), _Budgets).items


def events(link: Link, *, limit: int) -> Flow[list[BudgetEvent]]:
    """Read passed thresholds, newest first."""
    return (yield from paged(link, "/budgets/events", BudgetEvent, limit))


def costs(link: Link, **query: Parameter) -> Flow[Costs]:
    """Read sums."""
    return parse((yield from link.ask(get("/costs", **query))), Costs)


def invoice(link: Link, month: str) -> Flow[Invoice]:
    """Read a month."""
    return parse((yield from link.ask(get("/costs/invoice", month=month))), Invoice)


def as_csv(link: Link, path: str, **query: Parameter) -> Flow[str]:
    """Read sums or a month as CSV."""
    return (yield from link.ask(get(path, format="csv", **query))).content.decode()


def estimate(link: Link, body: Mapping[str, JsonInput]) -> Flow[Estimate]:
    """Ask what something will probably cost."""
    asked: dict[str, JsonValue] = {key: plain(value) for key, value in body.items()}
    return parse((yield from link.ask(post("/costs/estimate", asked, idempotency_key=None))), Estimate)


def prices(link: Link, models: Sequence[str], *, at: str | None) -> Flow[list[Price]]:
    """Read prices."""
    return parse((yield from link.ask(get("/prices", model=list(models) or None, at=at))), _Prices).items


def _path(scope: str, name: str) -> str:
    return f"/budgets/{quote(scope, safe='')}/{quote(name, safe='')}"
