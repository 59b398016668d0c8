"""Loops of the worker process that go round all tenants, each under a lease per tenant: the sealer, the relay and their kin."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Protocol

from domain.errors import Unavailable

log = logging.getLogger(__name__)


class LeaseStore(Protocol):
    """Where the leases of one kind of work stand, one per tenant."""

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the tenant's lease; return its epoch, or None while another holds it."""
        ...

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Give the lease back, unless another has it by now. Raises: Unavailable."""
        ...


class HeldLeases:
    """The leases of one process; `holder` names this process and no other, `lease_s` is how long a dead one keeps others out."""

    def __init__(self, store: LeaseStore, *, holder: str, lease_s: float) -> None:
        self._store = store
        self._holder = holder
        self._lease_s = lease_s
        self._epochs: dict[str, int] = {}

    async def claim(self, tenant: str) -> int | None:
        """Take or keep a tenant's lease; return its epoch, or None while another holds it."""
        epoch = await self._store.claim(tenant, holder=self._holder, lease_s=self._lease_s)
        if epoch is None:
            self._epochs.pop(tenant, None)
        else:
            self._epochs[tenant] = epoch
        return epoch

    def lost(self, tenant: str) -> None:
        """Forget a lease that another took over."""
        self._epochs.pop(tenant, None)

    async def release(self) -> None:
        """Give all of them back; what cannot be given back now ends by itself."""
        for tenant, epoch in self._epochs.items():
            try:
                await self._store.release(tenant, epoch=epoch)
            except Unavailable as error:
                log.warning("leases end by themselves: %s", error.detail)
                return


@asynccontextmanager
async def beside(rounds: Coroutine[object, object, None], stop: asyncio.Event) -> AsyncGenerator[None]:
    """Run a loop beside what the block does; after it `stop` is set, and what is under way is finished."""
    running = asyncio.create_task(rounds)
    try:
        yield
    finally:
        stop.set()
        await running


async def go_round(name: str, one_round: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event, *, pause_s: float) -> None:
    """Do `one_round` every `pause_s` seconds until `stop` is set; a round that fails is logged, and the next one tries again."""
    while not stop.is_set():
        try:
            await one_round(stop)
        except Unavailable as error:
            log.warning("the %s waits: %s", name, error.detail)
        except Exception:  # what cannot be read must not end the work for all
            log.exception("a round of the %s broke", name)
        try:
            await asyncio.wait_for(stop.wait(), pause_s)
        except TimeoutError:
            continue
