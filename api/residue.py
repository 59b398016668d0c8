"""Clears what a removal leaves in other systems, objects and Temporal histories, and objects that a crash left without a row.

Every step is idempotent and ends with a mark in the run's row and ledger, so a crash or an outage only delays it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Protocol

from api.deps import instant
from api.subject_deps import SubjectDeps
from domain.errors import StandfastError, Unavailable
from domain.objects import StoredObject
from domain.subjects import Residue

log = logging.getLogger(__name__)

BATCH = 100

ORPHAN_AGE_S = 3600.0
"""An object without a row is left alone this long: its row may be on its way, and no transaction lives an hour."""

ORPHAN_PAUSE_S = 3600.0
"""Pause between two looks through the whole object store."""


class Tenants(Protocol):
    """Where tenants are listed; a RunStore is one."""

    async def tenants(self) -> list[str]:
        """Return all tenant ids."""
        ...


class ResidueRemover:
    """Clears residues; the erasure route asks for one removal's, the sweeper for all."""

    def __init__(self, deps: SubjectDeps, *, tenants: Tenants, now: Callable[[], datetime]) -> None:
        self._deps = deps
        self._tenants = tenants
        self._now = now

    async def run(self, *, pause_s: float) -> None:
        """Go round for ever; what fails is logged, and the next round tries again."""
        looked_at = float("-inf")
        while True:
            try:
                for tenant in await self._tenants.tenants():
                    await self.clear(tenant)
                if asyncio.get_running_loop().time() - looked_at > ORPHAN_PAUSE_S:
                    looked_at = asyncio.get_running_loop().time()
                    await self.sweep_orphans()
            except Unavailable as error:
                log.warning("what removals left waits: %s", error.detail)
            except Exception:  # what breaks here must not end the clearing of everything else
                log.exception("a round of clearing what removals left broke")
            await asyncio.sleep(pause_s)

    async def clear(self, tenant: str, *, erasure: str | None = None) -> None:
        """Clear residues of a tenant, or of one of its removals; one that cannot be cleared now stays for the next round."""
        for residue in await self._deps.removals.residues(tenant, limit=BATCH):
            if erasure in (None, residue.erasure):
                try:
                    await self._clear_one(tenant, residue)
                except StandfastError as error:
                    log.warning("what is left of run %s waits: %s", residue.run, error.detail)

    async def _clear_one(self, tenant: str, residue: Residue) -> None:
        """Count, then delete: the route that erases and the sweepers of all gateways may do it at once, and again after a crash."""
        paths: list[str] = []
        if self._deps.objects is not None:
            paths = [found.path async for found in self._deps.objects.under(f"{tenant}/{residue.run}")]
        histories = await self._deps.histories.count(tenant, residue.run)
        await self._deps.removals.counted(tenant, residue, objects=len(paths), histories=histories)
        if self._deps.objects is not None:
            await self._deps.objects.delete(paths)
        await self._deps.histories.delete(tenant, residue.run)
        await self._deps.removals.cleared(tenant, residue, at=instant(self._now()))

    async def sweep_orphans(self, *, age_s: float = ORPHAN_AGE_S) -> int:
        """Delete old objects that no row names, and return how many: a crash came between object and row, or the row was not kept."""
        if self._deps.objects is None:
            return 0
        gone = 0
        for tenant in await self._tenants.tenants():
            async for batch in _batches(self._deps.objects.under(tenant)):
                old = {found.path.rpartition("/")[2]: found.path for found in batch if found.age_s > age_s}
                known = await self._deps.removals.known_refs(tenant, list(old)) if old else set[str]()
                orphans = [path for ref, path in old.items() if ref not in known]
                await self._deps.objects.delete(orphans)
                gone += len(orphans)
        return gone


async def _batches(objects: AsyncIterator[StoredObject]) -> AsyncIterator[list[StoredObject]]:
    batch: list[StoredObject] = []
    async for found in objects:
        batch.append(found)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
