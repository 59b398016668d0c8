"""Budgets as people see and set them, what they are told, and the ports for it (JOURNAL §3). Pure."""

from typing import Protocol

from pydantic import Field

from domain.budget import AMOUNT_MAX, THRESHOLDS, Period, Scope, Unit
from domain.model import Value
from domain.stores import Page


class BudgetLimit(Value):
    """The limit of one unit. `thresholds` are percents of `soft`, or of `hard` where there is no soft limit."""

    unit: Unit
    hard: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    soft: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    thresholds: tuple[int, ...] = THRESHOLDS
    period: Period = "total"


class BudgetRow(Value):
    """One budget in one unit. `reserved` is granted or held and not yet spent; `spent` counts within the period.

    `name` is '' for the tenant, a definition's name, a run's id, or `run/step.path`.
    """

    scope: Scope
    name: str
    unit: Unit
    hard: int | None
    soft: int | None
    thresholds: tuple[int, ...]
    period: Period
    period_start: str | None
    reserved: int
    spent: int


class BudgetEvent(Value):
    """Spending passed a threshold: `spent` of `basis`, the limit it is measured by. `run` is the run that passed it."""

    event: str
    at: str
    scope: Scope
    name: str
    unit: Unit
    threshold: int
    basis: int
    spent: int
    run: str


class BudgetStore(Protocol):
    """Budgets as people see and set them; the journal reserves and settles."""

    async def set_limits(self, tenant: str, scope: Scope, name: str, limits: list[BudgetLimit]) -> list[BudgetRow]:
        """Set limits of a tenant (name ''), definition or run; units not named stay. Raises: NotFound for an unknown run or definition."""
        ...

    async def budgets(self, tenant: str, *, scope: Scope | None = None, name: str | None = None) -> list[BudgetRow]:
        """Return budgets by scope, name and unit; runs and their steps only when a run is named."""
        ...

    async def events(self, tenant: str, *, limit: int, cursor: str | None) -> Page[BudgetEvent]:
        """Return what was passed, newest first."""
        ...

    async def untold(self, tenant: str, *, limit: int) -> list[BudgetEvent]:
        """Return events that nobody was told yet, oldest first."""
        ...

    async def mark_told(self, tenant: str, event: str) -> None:
        """Remember that an event was told."""
        ...

    async def bring_back(self, tenant: str, *, idle_ms: int) -> int:
        """Bring back what dead attempts and idle runs hold; return how many runs gave something back."""
        ...


class BudgetSubscriber(Protocol):
    """Who is told when spending passes a threshold, such as webhook subscriptions."""

    async def budget_passed(self, tenant: str, event: BudgetEvent) -> None:
        """Tell it; may come twice for the same event. Raises: Unavailable (it is told again)."""
        ...
