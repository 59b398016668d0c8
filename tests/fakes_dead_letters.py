"""A fake list of dead letters, honest to the docstrings of `domain/dead_letters.py`."""

from domain.dead_letters import BulkRedrive, DeadLetter, DeadLetterFilter, NewDeadLetter
from domain.errors import DeadLetterClaimed, DeadLetterClosed, NotFound
from domain.ledger import EntryBody, Kind
from domain.stores import Page
from tests.fakes_database import MemoryDatabase, paged


class FakeDeadLetterStore:
    """DeadLetterStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.letters: dict[tuple[str, str], DeadLetter] = {}
        self.added_at: dict[tuple[str, str], str] = {}
        self._claimed: dict[tuple[str, str], float] = {}

    async def add(self, letter: NewDeadLetter) -> str:
        """Insert, or leave the one that is there."""
        self.letters.setdefault((letter.tenant, letter.id), DeadLetter(**letter.model_dump(), dead_letter=letter.id))
        self.added_at.setdefault((letter.tenant, letter.id), self._database.now())
        return letter.id

    async def page(self, tenant: str, where: DeadLetterFilter) -> Page[DeadLetter]:
        """Return one page, newest last attempt first."""
        rows = [letter for (owner, _), letter in self.letters.items() if owner == tenant and _fits(letter, where)]
        return paged(
            rows, key=lambda letter: (letter.last_at, letter.dead_letter), limit=where.limit, cursor=where.cursor, newest_first=True
        )

    async def get(self, tenant: str, dead_letter: str) -> DeadLetter:
        """Return the row."""
        if (tenant, dead_letter) not in self.letters:
            raise NotFound(f"there is no dead letter {dead_letter}")
        return self.letters[tenant, dead_letter]

    async def claim(self, tenant: str, dead_letter: str, *, lease_s: float) -> DeadLetter:
        """Claim it until the lease ends."""
        letter = await self.get(tenant, dead_letter)
        self._refuse(letter)
        self._claimed[tenant, dead_letter] = self._database.time.timestamp() + lease_s
        return letter

    async def release(self, tenant: str, dead_letter: str, *, refused: str | None = None) -> None:
        """Give the claim back."""
        self._claimed.pop((tenant, dead_letter), None)
        await self._change(tenant, dead_letter, refused=refused)

    async def forget_refusal(self, letter: DeadLetter) -> None:
        """A redrive of many tries it anew."""
        await self._change(letter.tenant, letter.dead_letter, refused=None)

    def is_claimed(self, letter: DeadLetter) -> bool:
        """Whether its claim holds."""
        return self._claimed.get((letter.tenant, letter.dead_letter), 0) > self._database.time.timestamp()

    async def mark_redriven(self, tenant: str, dead_letter: str, *, by: str, reason: str | None, at: str) -> DeadLetter:
        """Close it once."""
        letter = await self.get(tenant, dead_letter)
        if letter.state == "open":
            closed = {"state": "redriven", "by": by, "reason": reason, "closed_at": self._database.now(), "refused": None}
            letter = await self._change(tenant, dead_letter, **closed)
            self._note(letter, Kind.DEAD_LETTER_REDRIVEN, at)
        return letter

    async def discard(self, tenant: str, dead_letter: str, *, by: str, reason: str, at: str) -> DeadLetter:
        """Close it for good."""
        self._refuse(await self.get(tenant, dead_letter))
        letter = await self._change(tenant, dead_letter, state="discarded", by=by, reason=reason, closed_at=self._database.now())
        self._note(letter, Kind.DEAD_LETTER_DISCARDED, at)
        return letter

    def open_of(self, tenant: str, run: str) -> str | None:
        """Return an open dead letter of a run."""
        found = (letter for (owner, _), letter in self.letters.items() if owner == tenant and letter.run == run and letter.state == "open")
        return next((letter.dead_letter for letter in found), None)

    async def _change(self, tenant: str, dead_letter: str, **changes: object) -> DeadLetter:
        letter = (await self.get(tenant, dead_letter)).model_copy(update=changes)
        self.letters[tenant, dead_letter] = letter
        return letter

    def _refuse(self, letter: DeadLetter) -> None:
        if letter.state != "open":
            raise DeadLetterClosed(f"the dead letter {letter.dead_letter} was {letter.state} by {letter.by}")
        if self.is_claimed(letter):
            raise DeadLetterClaimed(f"the dead letter {letter.dead_letter} is being redriven at this moment", retry_after_s=1)

    def _note(self, letter: DeadLetter, kind: Kind, at: str) -> None:
        if letter.run is None or (letter.tenant, letter.run) not in self._database.runs:
            return
        row = self._database.run(letter.tenant, letter.run)
        body = EntryBody(
            kind=kind,
            at=at,
            principal=letter.by or "platform",
            correlation_id=row.correlation_id,
            epoch=row.epoch or 0,
            data={"dead_letter": letter.dead_letter},
        )
        self._database.append(letter.tenant, letter.run, body)


def _fits(letter: DeadLetter, where: DeadLetterFilter) -> bool:
    wanted = ((where.state, letter.state), (where.kind, letter.kind), (where.cause, letter.cause))
    more = ((where.definition, letter.definition), (where.run, letter.run))
    return all(asked in (None, there) for asked, there in (*wanted, *more)) and (where.since is None or letter.last_at >= where.since)


class FakeBulkRedriveStore:
    """BulkRedriveStore in memory; each `take` lets a second pass for its rate."""

    def __init__(self, database: MemoryDatabase, letters: FakeDeadLetterStore) -> None:
        self._database = database
        self._letters = letters
        self._orders: dict[tuple[str, str], BulkRedrive] = {}
        self._next: dict[str, float] = {}
        self._tried: dict[str, set[str]] = {}

    async def begin(self, bulk: BulkRedrive) -> BulkRedrive:
        """Insert it once."""
        self._orders.setdefault((bulk.tenant, bulk.redrive), bulk.model_copy(update={"requested_at": self._database.now()}))
        self._next.setdefault(bulk.redrive, self._database.time.timestamp())
        self._tried.setdefault(bulk.redrive, set())
        return await self.get(bulk.tenant, bulk.redrive)

    async def get(self, tenant: str, redrive: str) -> BulkRedrive:
        """Return it, counted."""
        if (tenant, redrive) not in self._orders:
            raise NotFound(f"there is no redrive {redrive}")
        order = self._orders[tenant, redrive]
        if order.finished_at is not None:
            return order
        tried = [self._letters.letters[tenant, name] for name in self._tried[redrive]]
        counts = {
            "redriven": sum(letter.state == "redriven" for letter in tried),
            "refused": sum(letter.refused is not None for letter in tried),
            "left": len(self._left(order)),
        }
        return order.model_copy(update=counts)

    async def take(self, tenant: str, *, lease_s: float, most: int) -> tuple[BulkRedrive, list[DeadLetter]] | None:
        """Claim what is due."""
        now = self._database.time.timestamp()
        due = [o for (owner, _), o in self._orders.items() if owner == tenant and o.finished_at is None and self._next[o.redrive] <= now]
        if not due:
            return None
        order = min(due, key=lambda each: self._next[each.redrive])
        places = min(most, int(order.rate * min(now - self._next[order.redrive], 10)) + 1)
        free = [letter for letter in self._left(order) if not self._letters.is_claimed(letter)][:places]
        taken = [await self._letters.claim(tenant, letter.dead_letter, lease_s=lease_s) for letter in free]
        for letter in taken:
            await self._letters.forget_refusal(letter)
            self._tried[order.redrive].add(letter.dead_letter)
        self._next[order.redrive] = max(self._next[order.redrive], now - 10) + max(1, len(taken)) / order.rate
        counted = await self.get(tenant, order.redrive)
        if not self._left(order):
            counted = counted.model_copy(update={"finished_at": self._database.now()})
            self._orders[tenant, order.redrive] = counted
        return counted, taken

    def _left(self, order: BulkRedrive) -> list[DeadLetter]:
        where = DeadLetterFilter(kind=order.kind, cause=order.cause, definition=order.definition, since=order.since)
        mine = [letter for (owner, _), letter in self._letters.letters.items() if owner == order.tenant and _fits(letter, where)]
        early = [letter for letter in mine if self._letters.added_at[order.tenant, letter.dead_letter] <= order.requested_at]
        left = [letter for letter in early if letter.refused is None or letter.dead_letter not in self._tried[order.redrive]]
        return sorted(left, key=lambda letter: (letter.last_at, letter.dead_letter))
