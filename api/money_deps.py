"""What budgets, costs and prices need beside the run stores."""

from dataclasses import dataclass

from domain.budget_stores import BudgetStore, BudgetSubscriber
from domain.costs import CostStore
from domain.provider import PriceBook


@dataclass(frozen=True, kw_only=True)
class MoneyDeps:
    """The ports; `subscribers` are told of passed thresholds after the ledger."""

    budgets: BudgetStore
    costs: CostStore
    prices: PriceBook
    subscribers: tuple[BudgetSubscriber, ...] = ()
