"""The list of dead letters: one suite for its fake and both versions of PostgreSQL."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.pool import Database
from domain.dead_letters import DeadLetterFilter, DeadLetterKind, DeadLetterStore, NewDeadLetter
from domain.errors import BadRequest, DeadLetterClaimed, DeadLetterClosed, NotFound
from domain.ledger import Kind
from domain.stores import LedgerReader
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.journal_bench import AT, RUN
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.fakes_database import MemoryDatabase
from tests.fakes_dead_letters import FakeDeadLetterStore
from tests.fakes_runs import FakeLedgerReader, FakeRunStore

LATER = "2026-03-02T12:00:00.000000Z"


@dataclass
class Bench:
    """The store under test, and the ledger of its one run."""

    tenant: str
    store: DeadLetterStore
    ledger: LedgerReader

    async def kinds(self) -> list[str]:
        """Return the kinds of the run's entries after its acceptance."""
        return [entry.kind for entry in await self.ledger.entries(self.tenant, RUN)][1:]


@pytest.fixture(params=["fake", *VERSIONS])
async def letters(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Bench]:
    """The store, and an accepted run."""
    if request.param == "fake":
        memory = MemoryDatabase()
        await FakeRunStore(memory).accept(new_run(tenant))
        yield Bench(tenant, FakeDeadLetterStore(memory), FakeLedgerReader(memory))
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        bench = await PostgresBench(database, tenant).accept()
        yield Bench(tenant, PostgresDeadLetterStore(database, bench.cipher), bench.ledger)


def letter(bench: Bench, subject: str = "whk_1", **changes: object) -> NewDeadLetter:
    """Build a dead letter of a delivery."""
    given = NewDeadLetter(
        tenant=bench.tenant,
        kind=DeadLetterKind.DELIVERY,
        subject=subject,
        occasion="1",
        cause="webhook-refused",
        detail="500 from Ada's server",
        attempts=9,
        first_at=AT,
        last_at=AT,
        payload_ref="ref_1",
    )
    return given.model_copy(update=changes)


class TestAdd:
    async def test_one_comes_back_as_it_was_added(self, letters: Bench) -> None:
        given = letter(letters, run=RUN, definition="delay-claim", step="settle.pay")
        name = await letters.store.add(given)
        shown = await letters.store.get(letters.tenant, name)
        assert NewDeadLetter.model_validate(shown.model_dump(include=set(NewDeadLetter.model_fields))) == given
        assert (shown.dead_letter, shown.state, shown.by, shown.closed_at) == (given.id, "open", None, None)

    async def test_one_without_a_run_keeps_its_detail(self, letters: Bench) -> None:
        name = await letters.store.add(letter(letters))
        assert (await letters.store.get(letters.tenant, name)).detail == "500 from Ada's server"

    async def test_the_same_failure_again_changes_nothing(self, letters: Bench) -> None:
        first = await letters.store.add(letter(letters))
        again = await letters.store.add(letter(letters, attempts=10, detail="something else"))
        other = await letters.store.add(letter(letters, occasion="2"))
        assert (again, (await letters.store.get(letters.tenant, first)).attempts) == (first, 9)
        assert other != first

    async def test_another_tenants_is_absent(self, letters: Bench) -> None:
        name = await letters.store.add(letter(letters))
        with pytest.raises(NotFound, match=name):
            await letters.store.get("other", name)
        assert (await letters.store.page("other", DeadLetterFilter())).items == ()


class TestPage:
    async def test_newest_last_attempt_comes_first(self, letters: Bench) -> None:
        await letters.store.add(letter(letters, "whk_a"))
        await letters.store.add(letter(letters, "whk_b", last_at=LATER))
        first = await letters.store.page(letters.tenant, DeadLetterFilter(limit=1))
        second = await letters.store.page(letters.tenant, DeadLetterFilter(limit=1, cursor=first.next_cursor))
        assert [item.subject for item in (*first.items, *second.items)] == ["whk_b", "whk_a"]
        assert second.next_cursor is None
        with pytest.raises(BadRequest):
            await letters.store.page(letters.tenant, DeadLetterFilter(cursor="bogus"))

    @pytest.mark.parametrize(
        ("where", "found"),
        [
            (DeadLetterFilter(kind=DeadLetterKind.HOOK), ["hook"]),
            (DeadLetterFilter(cause="webhook-refused"), ["delivery"]),
            (DeadLetterFilter(definition="delay-claim"), ["hook"]),
            (DeadLetterFilter(run=RUN), ["delivery"]),
            (DeadLetterFilter(since=LATER), ["hook"]),
            (DeadLetterFilter(state="discarded"), []),
            (DeadLetterFilter(state=None), ["hook", "delivery"]),
        ],
    )
    async def test_narrows_by(self, letters: Bench, where: DeadLetterFilter, found: list[str]) -> None:
        await letters.store.add(letter(letters, run=RUN))
        hook = {"kind": DeadLetterKind.HOOK, "cause": "unknown-source", "definition": "delay-claim", "last_at": LATER}
        await letters.store.add(letter(letters, "github", **hook))
        assert [item.kind.value for item in (await letters.store.page(letters.tenant, where)).items] == found


class TestRedrive:
    async def test_is_claimed_by_one_and_marked_once(self, letters: Bench) -> None:
        name = await letters.store.add(letter(letters, run=RUN))
        await letters.store.claim(letters.tenant, name, lease_s=60)
        with pytest.raises(DeadLetterClaimed):
            await letters.store.claim(letters.tenant, name, lease_s=60)
        with pytest.raises(DeadLetterClaimed):
            await letters.store.discard(letters.tenant, name, by="prn_b", reason="x", at=AT)
        marked = await letters.store.mark_redriven(letters.tenant, name, by="prn_a", reason="the server is back", at=AT)
        again = await letters.store.mark_redriven(letters.tenant, name, by="prn_b", reason=None, at=AT)
        assert (marked.state, marked.by, marked.reason) == ("redriven", "prn_a", "the server is back")
        assert again == marked
        assert await letters.kinds() == [Kind.DEAD_LETTER_REDRIVEN]
        with pytest.raises(DeadLetterClosed):
            await letters.store.claim(letters.tenant, name, lease_s=60)

    async def test_that_was_refused_says_why_and_may_be_tried_again(self, letters: Bench) -> None:
        name = await letters.store.add(letter(letters))
        await letters.store.claim(letters.tenant, name, lease_s=60)
        await letters.store.release(letters.tenant, name, refused="not-redrivable")
        assert (await letters.store.claim(letters.tenant, name, lease_s=60)).refused == "not-redrivable"

    async def test_whose_claim_is_over_may_be_claimed_anew(self, letters: Bench) -> None:
        name = await letters.store.add(letter(letters))
        await letters.store.claim(letters.tenant, name, lease_s=0)
        assert (await letters.store.claim(letters.tenant, name, lease_s=60)).state == "open"


class TestDiscard:
    async def test_keeps_who_and_why(self, letters: Bench) -> None:
        name = await letters.store.add(letter(letters, run=RUN))
        shown = await letters.store.discard(letters.tenant, name, by="prn_a", reason="paid by hand", at=AT)
        assert (shown.state, shown.by, shown.reason) == ("discarded", "prn_a", "paid by hand")
        assert await letters.kinds() == [Kind.DEAD_LETTER_DISCARDED]
        with pytest.raises(DeadLetterClosed, match="discarded by prn_a"):
            await letters.store.discard(letters.tenant, name, by="prn_b", reason="x", at=AT)
        with pytest.raises(NotFound):
            await letters.store.discard("other", name, by="prn_b", reason="x", at=AT)
