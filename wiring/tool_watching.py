"""The watch over tool calls, a loop in every worker process; a lease per tenant lets one of them look at its calls (docs/tools.md)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.tool_watching import CALLS_MAX, ToolWatchStore, WatchMode, look_at
from wiring.leased_rounds import HeldLeases, beside, go_round

log = logging.getLogger(__name__)

LEASE_S = 30.0
"""How long a dead watcher keeps others out; a round renews it."""
PAUSE_S = 5.0
"""Between rounds: an unusual call is found within a minute also when its watcher was killed (lease and two rounds)."""


@dataclass(frozen=True, kw_only=True)
class ToolWatchParts:
    """What the watch works with. `tenants` lists all tenants; `holder` names this process and no other."""

    tenants: Callable[[], Awaitable[list[str]]]
    store: ToolWatchStore
    holder: str
    mode: WatchMode
    pause_s: float = PAUSE_S
    lease_s: float = LEASE_S
    calls_max: int = CALLS_MAX


class ToolWatcher:
    """One per worker process."""

    def __init__(self, parts: ToolWatchParts) -> None:
        self._parts = parts
        self._leases = HeldLeases(parts.store, holder=parts.holder, lease_s=parts.lease_s)

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set, then give the leases back."""
        if self._parts.mode == "off":
            return
        await go_round("watch over tool calls", self.round, stop, pause_s=self._parts.pause_s)
        await self._leases.release()

    async def round(self, stop: asyncio.Event | None = None) -> None:
        """Look at what was called since, in every tenant."""
        for tenant in await self._parts.tenants():
            more = await self._parts.store.waiting(tenant)
            while more and (stop is None or not stop.is_set()):
                more = await self._look(tenant)

    async def _look(self, tenant: str) -> bool:
        """Look at some calls; return whether there are more to look at."""
        store = self._parts.store
        epoch = await self._leases.claim(tenant)
        if epoch is None:
            return False
        unwatched = await store.unwatched(tenant, limit=self._parts.calls_max)
        if not unwatched.calls:
            return False
        baselines = await store.baselines(tenant, {(call.tool, call.version) for call in unwatched.calls})
        # In a thread: two thousand calls take a while to look at, and other loops of this process wait.
        found = await asyncio.to_thread(look_at, unwatched.calls, baselines, mode=self._parts.mode)
        if not await store.watched(tenant, epoch=epoch, txid=unwatched.txid, baselines=baselines, found=found):
            self._leases.lost(tenant)
            return False
        for one in found:
            said = "it is in quarantine now" if one.quarantined else "reported only"
            log.warning("an unusual call of %s %s (tenant %s, %s): %s; %s", one.tool, one.version, tenant, one.run, one.detail, said)
        return unwatched.more


@asynccontextmanager
async def watching_tools(parts: ToolWatchParts, stop: asyncio.Event) -> AsyncGenerator[None]:
    """Run this process's watch beside what the block does."""
    async with beside(ToolWatcher(parts).run(stop), stop):
        yield
