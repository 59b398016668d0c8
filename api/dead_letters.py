"""Redrives dead letters: one at a request, or many in the sweeper's rounds.

A dead letter is claimed first, so that nothing is redriven twice at a time.
"""

import logging

from api.deps import GatewayDeps, instant
from api.hook_redriving import HookRedriver
from api.redriving import Redriving
from domain.dead_letters import DeadLetter, DeadLetterKind, Redriver
from domain.errors import NotRedrivable, StandfastError, Unavailable

log = logging.getLogger(__name__)

CLAIM_S = 60.0
"""How long a claim holds: after a crash in the middle, the dead letter may be redriven again then."""

MOST_AT_ONCE = 50
"""Dead letters that one round of the sweeper redrives for a tenant."""


class RunRedriver:
    """Redrives the run of a dead letter, from the step that failed."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._redriving = Redriving(deps)

    async def redrive(self, letter: DeadLetter, *, by: str, reason: str | None) -> None:
        """Open its run again.

        Raises:
            NotRedrivable: the run is open, ended well, never began, or would fail again at once.
            NotFound, ReferenceMissing, Unavailable: as `Redriving.redrive`.
        """
        await self._redriving.reopen(letter.tenant, letter.run or letter.subject, by=by, reason=reason or "", kept=lambda: None)


class DeadLetters:
    """Redrives what was given up; each kind by its own redriver."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._runs = RunRedriver(deps)
        self._hooks = HookRedriver(deps)

    def _redriver(self, kind: DeadLetterKind) -> Redriver:
        """Return who redrives that kind.

        Raises:
            NotRedrivable: nobody does.
        """
        if kind in (DeadLetterKind.RUN, DeadLetterKind.EFFECT):
            return self._runs
        if kind is DeadLetterKind.HOOK:
            return self._hooks
        found = self._deps.dead_letters.redrivers.get(kind)
        if found is None:
            raise NotRedrivable(f"nothing here can redrive a dead letter of the kind {kind.value}; discard it, with the reason")
        return found

    async def redrive(self, tenant: str, dead_letter: str, *, by: str, reason: str | None) -> DeadLetter:
        """Redrive one and return it closed.

        Raises:
            NotFound: there is none of that id in the tenant.
            DeadLetterClosed: it was redriven or discarded.
            DeadLetterClaimed: somebody redrives it at this moment.
            StandfastError: what it is about cannot be redriven; it stays open and names the refusal.
        """
        letter = await self._deps.dead_letters.letters.claim(tenant, dead_letter, lease_s=CLAIM_S)
        return await self._claimed(letter, by=by, reason=reason)

    async def _claimed(self, letter: DeadLetter, *, by: str, reason: str | None) -> DeadLetter:
        store = self._deps.dead_letters.letters
        try:
            await self._redriver(letter.kind).redrive(letter, by=by, reason=reason)
        except Unavailable:
            await store.release(letter.tenant, letter.dead_letter)
            raise
        except StandfastError as error:
            await store.release(letter.tenant, letter.dead_letter, refused=error.code)
            raise
        return await store.mark_redriven(letter.tenant, letter.dead_letter, by=by, reason=reason, at=instant(self._deps.now()))

    async def redrive_due(self, tenant: str) -> None:
        """Redrive what is due of the tenant's redrives of many; one that is refused keeps no other waiting.

        Raises:
            Unavailable: a part is away; the next round goes on.
        """
        taken = await self._deps.dead_letters.bulk.take(tenant, lease_s=CLAIM_S, most=MOST_AT_ONCE)
        if taken is None:
            return
        bulk, letters = taken
        for place, letter in enumerate(letters):
            try:
                await self._claimed(letter, by=bulk.requested_by, reason=bulk.reason)
            except Unavailable:
                for unread in letters[place + 1 :]:
                    await self._deps.dead_letters.letters.release(tenant, unread.dead_letter)
                raise
            except StandfastError as error:
                log.info("dead letter %s was not redriven: %s", letter.dead_letter, error.code)
