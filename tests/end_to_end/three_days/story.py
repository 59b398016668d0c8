"""What the scenario does and what it expects: claims with their runs, how each shall end, and whom its ledger shall name."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from standfast_client.models import Approval
from standfast_client.verify import LedgerEntry
from tests.end_to_end.three_days.house import House
from tests.end_to_end.three_days.payouts import KINDS, bundle

T = TypeVar("T")
PATIENCE_S = 30


async def until(look: Callable[[], Awaitable[T | None]], *, what: str) -> T:
    """Ask again until there is an answer that is neither None nor False, and return it.

    Raises:
        AssertionError: there was none in time.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await look()
                if found is not None and found is not False:
                    return found
                await asyncio.sleep(0.03)  # the pause between two looks; the condition decides
    except TimeoutError as late:
        raise AssertionError(f"waited {PATIENCE_S} s in vain: {what}") from late


@dataclass
class Claim:
    """One claim, its run and its approval. `paid` and `ends` are what the script expects; `by` names who approved, sorted."""

    name: str
    kind: str
    amount: int
    run: str
    approval: str = ""
    digest: str = ""
    ends: str = ""
    code: str | None = None
    paid: int | None = None
    by: tuple[str, ...] = ()
    via: str = ""
    for_whom: str | None = None


@dataclass
class Story:
    """The claims so far, and what was refused on the way: (claim, who, code)."""

    house: House
    friday: date
    claims: dict[str, Claim] = field(default_factory=dict[str, Claim])
    hook_secret: str = ""
    refused: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    async def register(self) -> None:
        """Register every kind of payout."""
        for kind in KINDS:
            await self.house.people.clients["dev"].definitions.register(bundle(kind, bank_url=self.house.bank.caller.url))

    async def ask(self, kind: str, *names: str) -> list[Claim]:
        """Start a run for each claim, and wait until every one has asked its question."""
        asked = await asyncio.gather(*(self._start(kind, name, len(self.claims) + place) for place, name in enumerate(names)))
        self.claims |= {claim.name: claim for claim in asked}
        await asyncio.gather(*(self.fresh(claim) for claim in asked))
        return asked

    async def _start(self, kind: str, name: str, place: int) -> Claim:
        amount = 1_000_000 * (100 + place) + place
        run = await self.house.people.clients["olga"].runs.start(f"payout-{kind}", {"claim": name, "amount": amount})
        return Claim(name, kind, amount, run.id)

    async def fresh(self, claim: Claim) -> Approval:
        """Return a claim's approval as the inbox shows it now, once it does, and remember its digest."""
        reader = self.house.people.clients["audra"]

        async def look() -> Approval | None:
            if claim.approval:
                return await reader.approvals.get(claim.approval)
            listed = await reader.approvals.list(state=None, limit=1000)
            return next((each for each in listed if each.run == claim.run), None)

        found = await until(look, what=f"the approval of {claim.name}")
        claim.approval, claim.digest = found.approval, found.digest
        return found

    async def goes_to(self, day: int, hour: str) -> None:
        """Let time pass until an hour of a day: 0 is the Friday."""
        await self.house.go_to(self.house.time.clock.at(day, hour, since=self.friday))

    async def closed(self, claim: Claim) -> Approval:
        """Return a claim's approval once it is closed."""

        async def look() -> Approval | None:
            found = await self.house.people.clients["audra"].approvals.get(claim.approval)
            return None if found.state == "open" else found

        return await until(look, what=f"the end of the approval of {claim.name}")

    async def facts(self, claim: Claim, kind: str) -> list[LedgerEntry]:
        """Return the entries of a kind in a claim's ledger."""
        return [entry for entry in await self.house.people.clients["audra"].runs.handle(claim.run).ledger() if entry.kind == kind]

    async def sealed(self, claim: Claim) -> None:
        """Wait until every entry of a claim's ledger stands in the signed log."""
        ledger = self.house.people.clients["audra"].ledger

        async def look() -> bool:
            return len(await ledger.inclusion(claim.run)) == len(await ledger.entries(claim.run))

        await until(look, what=f"the sealing of {claim.name}")

    def approved(self, claim: Claim, *by: str, via: str, paid: int | None = None, for_whom: str | None = None) -> None:
        """Note that a claim shall be paid, by default as it was asked, and in whose place somebody decided."""
        claim.for_whom = for_whom
        claim.ends, claim.paid, claim.by, claim.via = "succeeded", claim.amount if paid is None else paid, tuple(sorted(by)), via

    def failed(self, claim: Claim, code: str, *, by: Iterable[str] = (), via: str = "") -> None:
        """Note that a claim shall end unpaid."""
        claim.ends, claim.code, claim.paid, claim.by, claim.via = "failed", code, None, tuple(sorted(by)), via
