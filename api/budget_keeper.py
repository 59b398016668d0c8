"""Brings back what dead attempts and idle runs hold of budgets, and tells of passed thresholds (JOURNAL §3).

Part of the sweeper's round; several gateways may do it at once. An event is told to the run's ledger first, then to subscribers, then
marked: a crash between tells it again, so subscribers know events by their id.
"""

import logging

from pydantic import JsonValue

from api.deps import GatewayDeps, instant
from domain.budget_stores import BudgetEvent
from domain.errors import NotFound, Unavailable
from domain.ledger import Kind

log = logging.getLogger(__name__)

IDLE_MS = 60_000
"""A run that reserved nothing for this long gives back what it was granted: longer than nearly every model call."""

BATCH = 100


async def keep_budgets(deps: GatewayDeps, tenant: str) -> None:
    """Look at one tenant's budgets once."""
    back = await deps.money.budgets.bring_back(tenant, idle_ms=IDLE_MS)
    if back:
        log.info("%s runs gave back what they held of budgets", back)
    for event in await deps.money.budgets.untold(tenant, limit=BATCH):
        await _tell(deps, tenant, event)


async def _tell(deps: GatewayDeps, tenant: str, event: BudgetEvent) -> None:
    data: dict[str, JsonValue] = {
        "event": event.event,
        "scope": event.scope,
        "name": event.name,
        "unit": event.unit.value,
        "threshold": event.threshold,
        "basis": str(event.basis),
        "spent": str(event.spent),
    }
    at = instant(deps.now())
    try:
        await deps.runs.append_entry(tenant, event.run, kind=Kind.BUDGET_PASSED, principal="platform", at=at, data=data)
        for subscriber in deps.money.subscribers:
            await subscriber.budget_passed(tenant, event)
    except Unavailable as error:
        log.warning("a passed threshold waits to be told: %s", error.detail)
        return
    except NotFound:
        log.warning("the run %s that passed a threshold is gone", event.run)
    await deps.money.budgets.mark_told(tenant, event.event)
