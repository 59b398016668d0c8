"""S15: parallel steps race for the last unit of a budget, and workers die between reserve and settle (`tests/faults/budget_race.py`)."""

import asyncio
import importlib
import importlib.util

from tests.faults.harness.report import Finding, Order

RACE = "tests.faults.budget_race"


async def run_budgets(order: Order) -> Finding:
    """Run S15."""
    if importlib.util.find_spec(RACE) is None:
        return Finding(broken="tests/faults/budget_race.py is not there")
    return await asyncio.to_thread(importlib.import_module(RACE).run_race, order)
