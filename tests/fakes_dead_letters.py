"""A fake list of dead letters, honest to the docstrings of `domain/dead_letters.py`."""

from domain.dead_letters import DeadLetter, DeadLetterFilter, NewDeadLetter
from domain.errors import DeadLetterClaimed, DeadLetterClosed, NotFound
from domain.ledger import EntryBody, Kind
from domain.stores import Page
from tests.fakes_database import MemoryDatabase, paged


class FakeDeadLetterStore:
    """DeadLetterStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.letters: dict[tuple[str, str], DeadLetter] = {}
        self._claimed: dict[tuple[str, str], float] = {}

    async def add(self, letter: NewDeadLetter) -> str:
        """Insert, or leave the one that is there."""
        self.letters.setdefault((letter.tenant, letter.id), DeadLetter(**letter.model_dump(), dead_letter=letter.id))
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
        if refused is not None:
            await self._change(tenant, dead_letter, refused=refused)

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

    async def _change(self, tenant: str, dead_letter: str, **changes: object) -> DeadLetter:
        letter = (await self.get(tenant, dead_letter)).model_copy(update=changes)
        self.letters[tenant, dead_letter] = letter
        return letter

    def _refuse(self, letter: DeadLetter) -> None:
        if letter.state != "open":
            raise DeadLetterClosed(f"the dead letter {letter.dead_letter} was {letter.state} by {letter.by}")
        if self._claimed.get((letter.tenant, letter.dead_letter), 0) > self._database.time.timestamp():
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
