"""The sweeper and the reconciler: they heal what a crash left between PostgreSQL and Temporal (JOURNAL §8, §9).

Each round looks at every tenant: accepted runs that never started, decisions and task answers that were stored and not yet taken,
and open runs that Temporal has ended without workflow code. Every step is idempotent, so several gateways may sweep at once.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from api.completions import deliver_completion
from api.decisions import deliver_decision
from api.deps import GatewayDeps, instant
from api.starting import start_accepted
from domain.errors import InvalidDefinition, NotFound, ProjectionTooLarge, ReferenceMissing, Unavailable
from domain.runs import RunStatus
from domain.stores import RunRow

log = logging.getLogger(__name__)

START_AFTER_S = 5.0
"""An accepted run is left this long to the request that accepted it."""

START_WINDOW = timedelta(hours=24)
"""Older accepted runs are not started any more: they expire."""

IDLE_AFTER_S = 15.0
"""An open run that was quiet this long is compared with Temporal."""

BATCH = 100

NEVER_STARTS = (NotFound, InvalidDefinition, ReferenceMissing, ProjectionTooLarge)
"""What no later round can mend: the accepted run expires. Anything else is tried again."""

ENDED = {
    "terminated": RunStatus.TERMINATED,
    "timed_out": RunStatus.TIMED_OUT,
    "failed": RunStatus.FAILED,
    "canceled": RunStatus.CANCELLED,
    "completed": RunStatus.DEAD,
}
"""What a closed Temporal run makes of a row that is still open: its last flush never came."""


class Sweeper:
    """One per gateway process; `run` goes round until it is cancelled."""

    def __init__(self, deps: GatewayDeps, *, pause_s: float) -> None:
        self._deps = deps
        self._pause_s = pause_s

    async def run(self) -> None:
        """Go round for ever; a round that fails is logged, and the next one tries again."""
        while True:
            try:
                await self.round()
            except Unavailable as error:
                log.warning("the sweeper waits: %s", error.detail)
            except Exception:  # one row that cannot be read must not end the healing of all others
                log.exception("a round of the sweeper broke")
            await asyncio.sleep(self._pause_s)

    async def round(self) -> None:
        """Look at every tenant once."""
        for tenant in await self._deps.runs.tenants():
            await self._start_accepted(tenant)
            await self._deliver_decisions(tenant)
            await self._deliver_answers(tenant)
            await self._reconcile(tenant)

    async def _start_accepted(self, tenant: str) -> None:
        for row in await self._deps.runs.accepted_before(tenant, seconds=START_AFTER_S, limit=BATCH):
            if datetime.fromisoformat(row.created_at) < self._deps.now() - START_WINDOW:
                await self._close(row, RunStatus.EXPIRED, "start_expired")
                continue
            try:
                await start_accepted(self._deps, row)
            except NEVER_STARTS as error:
                await self._close(row, RunStatus.EXPIRED, f"{error.code}: {error.detail}"[:500])

    async def _deliver_decisions(self, tenant: str) -> None:
        for decision in await self._deps.approvals.unsettled_decisions(tenant, older_than_s=self._deps.decision_timeout_s, limit=BATCH):
            delivery = await deliver_decision(self._deps, decision, timeout_s=self._deps.decision_timeout_s)
            log.info("decision %s is %s", decision.decision_id, delivery.state)

    async def _deliver_answers(self, tenant: str) -> None:
        for row, output in await self._deps.tasks.undelivered(tenant, limit=BATCH):
            await deliver_completion(self._deps, tenant, row, output)

    async def _reconcile(self, tenant: str) -> None:
        for row in await self._deps.runs.open_runs(tenant, idle_seconds=IDLE_AFTER_S, limit=BATCH):
            found = await self._deps.temporal.describe(tenant, row.run)
            if found is not None and not found.closed:
                await self._deps.runs.touch(tenant, row.run)
            elif found is None:
                await self._close(row, RunStatus.TERMINATED, "Temporal knows no such run")
            else:
                await self._close(row, ENDED.get(found.status, RunStatus.TERMINATED), f"Temporal ended the run: {found.status}")

    async def _close(self, row: RunRow, status: RunStatus, reason: str) -> None:
        at = instant(datetime.now(UTC))
        if await self._deps.runs.close_externally(row.tenant, row.run, status=status, reason=reason, at=at):
            log.warning("run %s closed from outside: %s (%s)", row.run, status.value, reason)
