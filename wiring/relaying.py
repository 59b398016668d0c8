"""The relay's loop in the worker process: ledger entries become delivery rows, delivery rows become workflows (docs/webhooks.md).

Every worker runs one; a lease per tenant lets one of them work for it at a time. A crash anywhere loses nothing: cursors move in the
transaction that writes the rows, and a row whose workflow may not exist is started again under the same id.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain.deliveries import DELIVERY_WORKFLOW, Audience, DeliveryInput, Schedule
from domain.delivery_stores import RELAY_ENTRIES_MAX, RelayStore
from domain.errors import Unavailable
from domain.events import Event, events_of
from wiring.leased_rounds import HeldLeases, beside, go_round

log = logging.getLogger(__name__)

LEASE_S = 15.0
"""How long a dead relay keeps others out; each transaction renews it."""

KEEP_DAYS = 30.0
"""How long a delivery and its log are kept after it was delivered or discarded."""

FORGET_EVERY_S = 3600.0

OVERDUE_S = 120.0
"""An attempt so late waits for a worker, or its workflow was ended from outside; starting that again is right for both."""

RESUME_EVERY_S = 60.0

STARTS_MAX = 200
"""Most workflows started in one go."""

RPC_TIMEOUT = timedelta(seconds=10)

Start = Callable[[DeliveryInput], Awaitable[None]]
"""Start a delivery's workflow; already started is success. Raises: Unavailable."""


@dataclass(frozen=True, kw_only=True)
class RelayParts:
    """What a relay works with. `tenants` lists all tenants; `holder` names this process and no other."""

    tenants: Callable[[], Awaitable[list[str]]]
    store: RelayStore
    audiences: Sequence[Audience]
    start: Start
    holder: str
    pause_s: float
    schedule: Schedule = field(default_factory=Schedule)
    lease_s: float = LEASE_S
    keep_days: float = KEEP_DAYS
    entries_max: int = RELAY_ENTRIES_MAX
    overdue_s: float = OVERDUE_S
    resume_every_s: float = RESUME_EVERY_S


class Relay:
    """One per worker process."""

    def __init__(self, parts: RelayParts) -> None:
        self._parts = parts
        self._leases = HeldLeases(parts.store, holder=parts.holder, lease_s=parts.lease_s)
        self._forgot_at: dict[str, float] = {}
        self._resumed: dict[str, tuple[float, str]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set, then give the leases back; a round that fails is logged, and the next one tries again."""
        await go_round("relay", self.round, stop, pause_s=self._parts.pause_s)
        await self._leases.release()

    async def round(self, stop: asyncio.Event | None = None) -> None:
        """Tell what is new in every tenant, and start what waits; a tenant that fails keeps no other from its turn.

        Raises:
            Unavailable: PostgreSQL or Temporal does not answer; the next tenant would fare no better.
        """
        for tenant in await self._parts.tenants():
            if stop is not None and stop.is_set():
                return
            try:
                await self._serve(tenant, stop)
            except Unavailable:
                raise
            except Exception:
                log.exception("nothing is relayed for tenant %s now", tenant)

    async def _serve(self, tenant: str, stop: asyncio.Event | None) -> None:
        parts = self._parts
        now = time.monotonic()
        resumed_at, after = self._resumed.setdefault(tenant, (now, ""))
        look = now - resumed_at >= parts.resume_every_s
        if not await parts.store.waiting(tenant) and not look:
            return
        epoch = await self._leases.claim(tenant)
        if epoch is None:
            return
        while stop is None or not stop.is_set():
            more = await self._tell(tenant, epoch)
            started = await self._start(tenant)
            if not more and started < STARTS_MAX:
                break
        if look:
            self._resumed[tenant] = (now, await self._resume(tenant, after))
        await self._forget(tenant)

    async def _tell(self, tenant: str, epoch: int) -> bool:
        """Write one portion of deliveries; return whether there is more."""
        parts = self._parts
        unread = await parts.store.unread(tenant, limit=parts.entries_max)
        if not unread.cursors:
            return False
        events: list[Event] = [event for entry in unread.entries for event in events_of(entry)]
        deliveries = [one for audience in parts.audiences for one in await audience.recipients(tenant, events)] if events else []
        if not await parts.store.relay(tenant, epoch=epoch, lease_s=parts.lease_s, deliveries=deliveries, cursors=unread.cursors):
            log.warning("another relay took over tenant %s", tenant)
            self._leases.lost(tenant)
            return False
        return unread.more

    async def _start(self, tenant: str) -> int:
        """Start what may start; return how many."""
        found = await self._parts.store.startable(tenant, limit=STARTS_MAX)
        if found:
            await asyncio.gather(*(self._parts.start(one.model_copy(update={"schedule": self._parts.schedule})) for one in found))
            await self._parts.store.started(tenant, found)
        return len(found)

    async def _resume(self, tenant: str, after: str) -> str:
        """Start some of what is overdue, by id from `after` on: a workflow that lives is left alone. Return where to go on."""
        parts = self._parts
        found = await parts.store.overdue(tenant, after=after, seconds=parts.overdue_s, limit=STARTS_MAX)
        await asyncio.gather(*(parts.start(one.model_copy(update={"schedule": parts.schedule})) for one in found))
        return found[-1].delivery if len(found) == STARTS_MAX else ""

    async def _forget(self, tenant: str) -> None:
        """Once an hour, remove what is long over."""
        now = time.monotonic()
        if now - self._forgot_at.get(tenant, -FORGET_EVERY_S) >= FORGET_EVERY_S:
            self._forgot_at[tenant] = now
            while await self._parts.store.forget(tenant, days=self._parts.keep_days):
                continue


def starter(client: Client, bind_tenant: Callable[[str, str], None], *, task_queue: str) -> Start:
    """Return what starts deliveries' workflows; `bind_tenant` tells the payload codec whose a workflow is."""

    async def start(delivery: DeliveryInput) -> None:
        """Start one, unless it runs; one that ended before its delivery did begins anew. The fairness key is the tenant.

        Raises:
            Unavailable: Temporal does not answer.
        """
        bind_tenant(delivery.workflow_id, delivery.tenant)
        try:
            await client.start_workflow(
                DELIVERY_WORKFLOW,
                delivery,
                id=delivery.workflow_id,
                task_queue=task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=f"{delivery.channel} {delivery.endpoint}",
                priority=Priority(fairness_key=delivery.tenant),
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise Unavailable(f"Temporal did not start a delivery: {error.message}") from error

    return start


@asynccontextmanager
async def relaying(parts: RelayParts, stop: asyncio.Event) -> AsyncGenerator[None]:
    """Run this process's relay beside what the block does; after `stop` the portion under way is finished and the leases are given back."""
    async with beside(Relay(parts).run(stop), stop):
        yield
