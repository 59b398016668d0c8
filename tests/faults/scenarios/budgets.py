"""S15: parallel steps race for the last unit of a budget, and workers die between reserve and settle (`tests/faults/budget_race.py`)."""

import asyncio

from tests.faults.budget_race import run_race
from tests.faults.harness.report import Finding, Order


async def run_budgets(order: Order) -> Finding:
    """Run S15."""
    return await asyncio.to_thread(run_race, order)
