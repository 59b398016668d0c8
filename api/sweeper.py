"""The sweeper and the reconciler: they heal what a crash left between PostgreSQL and Temporal (JOURNAL §8, §9).

Each round looks at every tenant: accepted runs that never started, decisions and task answers that were stored and not yet taken,
and open runs that Temporal has ended without workflow code. Every step is idempotent, so several gateways may sweep at once.

Tenants do not wait for each other: a few are looked at at a time, each for a bounded time, the one looked at longest ago first; what
breaks in one row or one tenant is logged, and the next round tries again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from api.budget_keeper import keep_budgets
from api.completions import deliver_completion
from api.continuing import start_continuation
from api.dead_letters import DeadLetters
from api.decisions import deliver_decision
from api.deps import GatewayDeps, instant
from api.hook_signals import deliver as deliver_hook_signal
from api.starting import start_accepted
from api.tasking import Tasking
from domain.errors import InvalidDefinition, NotFound, ProjectionTooLarge, ReferenceMissing, Unavailable
from domain.people_stores import DecisionRow
from domain.runs import RunStatus
from domain.stores import RunRow

log = logging.getLogger(__name__)

T = TypeVar("T")

START_AFTER_S = 5.0
"""An accepted run is left this long to the request that accepted it."""

START_WINDOW = timedelta(hours=24)
"""Older accepted runs are not started any more: they expire."""

IDLE_AFTER_S = 15.0
"""An open run that was quiet this long is compared with Temporal."""

HOOKS_AFTER_S = 1.0
"""A waiting signal of an inbound webhook is tried this often at most."""

BATCH = 100

TURN_S = 20.0
"""Longest look at one tenant: a few answers of a Temporal that is away (5 s each), or a batch of a healthy one."""

TURNS_AT_ONCE = 4
"""Tenants looked at at the same time; each holds at most four of the pool's connections, and those for a query at a time."""

ROUND_S = 60.0
"""Longest round; tenants it does not reach are the first of the next one."""

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

    def __init__(self, deps: GatewayDeps, *, pause_s: float, turn_s: float = TURN_S, round_s: float = ROUND_S) -> None:
        self._deps = deps
        self._dead_letters = DeadLetters(deps)
        self._tasking = Tasking(deps)
        self._pause_s = pause_s
        self._turn_s = turn_s
        self._round_s = round_s
        self._looked_at: dict[str, float] = {}

    async def run(self) -> None:
        """Go round for ever; a round that fails is logged, and the next one tries again."""
        while True:
            await _logged("a round", self.round)
            await asyncio.sleep(self._pause_s)

    async def round(self) -> None:
        """Look at every tenant once, or at as many as the round's time allows."""
        tenants = sorted(await self._deps.runs.tenants(), key=lambda tenant: self._looked_at.get(tenant, 0.0))
        places = asyncio.Semaphore(TURNS_AT_ONCE)
        turns = [asyncio.create_task(self._turn(tenant, places)) for tenant in tenants]
        if not turns:
            return
        try:
            _, late = await asyncio.wait(turns, timeout=self._round_s)
        finally:
            for turn in turns:
                turn.cancel()
        if late:
            await asyncio.wait(late)
            log.warning("the sweeper did not finish with %d of %d tenants in %g s", len(late), len(turns), self._round_s)

    async def _turn(self, tenant: str, places: asyncio.Semaphore) -> None:
        """Look at one tenant, for a bounded time; the kinds of healing do not wait for each other."""
        kinds = (
            self._start_accepted,
            self._start_continuations,
            self._deliver_decisions,
            self._deliver_answers,
            self._deliver_hook_signals,
            self._reconcile,
            self._keep_budgets,
            self._redrive_dead_letters,
            self._move_tasks,
        )
        async with places:
            self._looked_at[tenant] = time.monotonic()
            try:
                async with asyncio.timeout(self._turn_s):
                    await asyncio.gather(*(_logged(f"tenant {tenant}: {heal.__name__}", partial(heal, tenant)) for heal in kinds))
            except TimeoutError:
                log.warning("the sweeper was not through with tenant %s in %g s", tenant, self._turn_s)

    async def _start_accepted(self, tenant: str) -> None:
        async def start(row: RunRow) -> None:
            if datetime.fromisoformat(row.created_at) < self._deps.now() - START_WINDOW:
                await self._close(row, RunStatus.EXPIRED, "start_expired")
                return
            try:
                await start_accepted(self._deps, row)
            except NEVER_STARTS as error:  # by its title: a detail may quote the input
                await self._close(row, RunStatus.EXPIRED, f"{error.code}: {error.title}")

        await _each(await self._deps.runs.accepted_before(tenant, seconds=START_AFTER_S, limit=BATCH), start)

    async def _start_continuations(self, tenant: str) -> None:
        """Start redrives and forks that a crash left behind; what can never start ends the run again."""

        async def go_on(place: tuple[str, int]) -> None:
            run, epoch = place
            row = await self._deps.runs.get(tenant, run)
            if row.status.closed or (row.epoch or 0) > epoch:
                await self._deps.lineage.mark_started(tenant, run, epoch)
                return
            try:
                await start_continuation(self._deps, tenant, run, epoch)
            except ReferenceMissing as error:
                ended = RunStatus.EXPIRED if row.epoch is None else RunStatus.FAILED
                await self._close(row, ended, f"{error.code}: {error.title}")

        await _each(await self._deps.lineage.unstarted(tenant, seconds=START_AFTER_S, limit=BATCH), go_on)

    async def _deliver_decisions(self, tenant: str) -> None:
        wait_s = self._deps.decision_timeout_s

        async def deliver(decision: DecisionRow) -> None:
            delivery = await deliver_decision(self._deps, decision, timeout_s=wait_s)
            log.info("decision %s is %s", decision.decision_id, delivery.state)

        await _each(await self._deps.approvals.unsettled_decisions(tenant, older_than_s=wait_s, limit=BATCH), deliver)

    async def _deliver_answers(self, tenant: str) -> None:
        answers = await self._deps.tasks.undelivered(tenant, limit=BATCH)
        await _each(answers, lambda answer: deliver_completion(self._deps, tenant, *answer))

    async def _deliver_hook_signals(self, tenant: str) -> None:
        found = await self._deps.hooks.requests.unsettled(tenant, idle_seconds=HOOKS_AFTER_S, limit=BATCH)
        await _each(found, lambda request: deliver_hook_signal(self._deps, request))

    async def _keep_budgets(self, tenant: str) -> None:
        await keep_budgets(self._deps, tenant)

    async def _redrive_dead_letters(self, tenant: str) -> None:
        await self._dead_letters.redrive_due(tenant)

    async def _move_tasks(self, tenant: str) -> None:
        await self._tasking.move(tenant)

    async def _reconcile(self, tenant: str) -> None:
        async def compare(row: RunRow) -> None:
            found = await self._deps.temporal.describe(tenant, row.run)
            if found is not None and not found.closed:
                await self._deps.runs.touch(tenant, row.run)
            elif found is None:
                await self._close(row, RunStatus.TERMINATED, "Temporal knows no such run")
            else:
                await self._close(row, ENDED.get(found.status, RunStatus.TERMINATED), f"Temporal ended the run: {found.status}")

        await _each(await self._deps.runs.open_runs(tenant, idle_seconds=IDLE_AFTER_S, limit=BATCH), compare)

    async def _close(self, row: RunRow, status: RunStatus, reason: str) -> None:
        at = instant(datetime.now(UTC))
        if await self._deps.runs.close_externally(row.tenant, row.run, status=status, reason=reason, at=at, epoch=row.epoch):
            log.warning("run %s closed from outside: %s (%s)", row.run, status.value, reason)


async def _each(rows: Sequence[T], heal: Callable[[T], Awaitable[None]]) -> None:
    """Heal row by row; one that breaks does not keep the others waiting, but a part that is away ends the attempt.

    In no fixed order: a turn that ends in the middle, at a slow row, shall not end there every time.

    Raises:
        Unavailable: of the row that met it.
    """
    for row in random.sample(rows, len(rows)):
        try:
            await heal(row)
        except Unavailable:
            raise
        except Exception:  # its next turn comes with the next round
            log.exception("a row could not be healed")


async def _logged(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do it; a failure is logged, for the next round tries again."""
    try:
        await work()
    except Unavailable as error:
        log.warning("the sweeper waits with %s: %s", what, error.detail)
    except Exception:  # what breaks here must not end the healing of all others
        log.exception("%s of the sweeper broke", what)
