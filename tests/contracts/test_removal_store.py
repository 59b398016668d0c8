"""The removal and retention ports, on PostgreSQL and on their fakes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import psycopg
import pytest

from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.pool import Database
from domain.dead_letters import DeadLetterKind, DeadLetterStore, NewDeadLetter
from domain.effects import Carrier
from domain.errors import Erased, ErasureRefused, InsideTerm, NotFound, UnderLegalHold
from domain.runs import Projection, RunStatus
from domain.stores import RunStore
from domain.subjects import LegalHold, PurgeOrder, RemovalOrder, RemovalStore, RetentionStore
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.adapters.postgres.removal_bench import ADA, Process, run_id
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run
from tests.fakes_stores import FakeStores


@dataclass
class Bench:
    """The ports of one tenant, and the means to end a run."""

    tenant: str
    runs: RunStore
    removals: RemovalStore
    retention: RetentionStore
    letters: DeadLetterStore
    flush: Callable[[Carrier, Projection], Awaitable[int]]
    two_days_later: Callable[[], None]

    async def live(self, number: int, *, subject: str | None = ADA) -> str:
        """Accept a run."""
        run = run_id(number)
        await self.runs.accept(new_run(self.tenant, run).model_copy(update={"subject": subject}))
        return run

    async def ended(self, number: int, *, subject: str | None = ADA) -> str:
        """Accept a run and end it well."""
        run = await self.live(number, subject=subject)
        carrier = Carrier(tenant=self.tenant, run=run, epoch=1, principal="prn_a", correlation_id="corr", facts=())
        await self.flush(carrier, Projection(status=RunStatus.SUCCEEDED, result={"paid": True}))
        return run

    def order(self, erasure: str = "era_1", **changes: object) -> RemovalOrder:
        """Build an order to erase Ada."""
        order = RemovalOrder(tenant=self.tenant, subject=ADA, erasure=erasure, mode="erase", principal="prn_b", at=AT)
        return order.model_copy(update=changes)

    def purge_order(self, run: str | None = None) -> PurgeOrder:
        """Build an order to purge."""
        return PurgeOrder(tenant=self.tenant, erasure="era_p", run=run, principal="prn_b", at=AT)


@pytest.fixture(params=["fake", *VERSIONS])
async def house(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Bench]:
    """A bench without runs."""
    if request.param == "fake":
        fakes = FakeStores()

        async def flush_fake(carrier: Carrier, projection: Projection) -> int:
            return await fakes.run_ledger.flush(carrier, projection, fact_seq=1)

        yield Bench(
            tenant,
            fakes.runs,
            fakes.removals,
            fakes.retention,
            fakes.dead_letters,
            flush_fake,
            lambda: fakes.database.pass_time(seconds=2 * 86_400),
        )
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        process = Process(database)

        async def flush(carrier: Carrier, projection: Projection) -> int:
            return await process.journal.flush(carrier, projection, fact_seq=1)

        def age() -> None:
            with psycopg.connect(servers.get(request.param).owner_url) as connection:
                connection.execute("UPDATE runs SET closed_at = closed_at - interval '2 days' WHERE tenant_id = %s", [tenant])

        letters = PostgresDeadLetterStore(database, process.vault)
        yield Bench(tenant, process.runs, process.removals, process.retention, letters, flush, age)


class TestErase:
    async def test_takes_what_it_planned_and_certifies_it(self, house: Bench) -> None:
        runs = [await house.ended(number) for number in (1, 2)]
        await house.ended(3, subject=None)
        plan = await house.removals.plan(house.tenant, ADA)
        removal = await house.removals.erase(house.order())
        assert (plan.runs, plan.allowed, plan.subject_keys) == (tuple(runs), True, 1)
        assert (removal.runs, removal.contents, removal.subject_keys) == (2, plan.contents, 1)
        found, certificate = await house.removals.get(house.tenant, "era_1")
        assert (found, [(entry.run, entry.kind) for entry in certificate]) == (removal, [(run, "gateway:subject:erased") for run in runs])
        with pytest.raises(Erased):
            await house.runs.result_of(house.tenant, runs[0])

    async def test_is_refused_for_open_held_unknown_erased_and_foreign_runs(self, house: Bench) -> None:
        with pytest.raises(NotFound):
            await house.removals.plan(house.tenant, ADA)
        run, live = await house.ended(1), await house.live(2)
        with pytest.raises(ErasureRefused, match=live):
            await house.removals.erase(house.order())
        with pytest.raises(ErasureRefused):
            await house.removals.plan(house.tenant, run)
        alone = await house.ended(3, subject=None)
        hold = LegalHold(hold="hld_1", scope="run", name=alone, reason="a suit", placed_by="prn_b", placed_at=AT)
        await house.retention.place_hold(house.tenant, hold)
        with pytest.raises(UnderLegalHold, match="hld_1"):
            await house.removals.erase(house.order(subject=alone))
        await house.retention.release_hold(house.tenant, "hld_1", principal="prn_b")
        await house.removals.erase(house.order(subject=alone))
        with pytest.raises(Erased):
            await house.removals.erase(house.order("era_2", subject=alone))

    async def test_anonymises_under_another_pseudonym(self, house: Bench) -> None:
        run = await house.ended(1)
        other = "sub_" + "z" * 26
        removal = await house.removals.erase(house.order(mode="anonymise", replacement=other))
        assert (removal.subject, (await house.runs.get(house.tenant, run)).subject) == (other, other)
        with pytest.raises(NotFound):
            await house.removals.plan(house.tenant, ADA)

    async def test_lists_removals_page_by_page(self, house: Bench) -> None:
        for number in (1, 2, 3):
            run = await house.ended(number, subject=None)
            await house.removals.erase(house.order(f"era_{number}", subject=run))
        first = await house.removals.page(house.tenant, limit=2, cursor=None)
        second = await house.removals.page(house.tenant, limit=2, cursor=first.next_cursor)
        assert [item.erasure for item in (*first.items, *second.items)] == ["era_1", "era_2", "era_3"]
        assert second.next_cursor is None

    async def test_is_complete_when_every_residue_is_cleared(self, house: Bench) -> None:
        for number in (1, 2):
            await house.ended(number)
        await house.removals.erase(house.order())
        for residue in await house.removals.residues(house.tenant, limit=9):
            assert (await house.removals.get(house.tenant, "era_1"))[0].completed_at is None
            await house.removals.counted(house.tenant, residue, objects=1, histories=2)
            for _ in range(2):
                await house.removals.cleared(house.tenant, residue, at=AT)
        done, certificate = await house.removals.get(house.tenant, "era_1")
        assert (done.completed_at is not None, done.objects, done.histories, len(certificate)) == (True, 2, 4, 4)
        assert await house.removals.residues(house.tenant, limit=9) == []

    async def test_counts_what_there_was_before_anything_went_whoever_tries_again(self, house: Bench) -> None:
        await house.ended(1)
        await house.removals.erase(house.order())
        (residue,) = await house.removals.residues(house.tenant, limit=9)
        await house.removals.counted(house.tenant, residue, objects=3, histories=2)
        await house.removals.counted(house.tenant, residue, objects=0, histories=1)
        await house.removals.cleared(house.tenant, residue, at=AT)
        done, _ = await house.removals.get(house.tenant, "era_1")
        assert (done.objects, done.histories) == (3, 2)


class TestPurge:
    async def test_is_refused_without_a_term_and_inside_it(self, house: Bench) -> None:
        run = await house.ended(1)
        for days in (None, 30):
            await house.retention.set_rule(house.tenant, "", days, principal="prn_b")
            with pytest.raises(InsideTerm):
                await house.removals.purge(house.purge_order(run))
            with pytest.raises(InsideTerm):
                await house.removals.purge_plan(house.tenant, run=run, limit=1)
            assert await house.removals.purge(house.purge_order()) is None
        assert [rule.keep_days for rule in await house.retention.rules(house.tenant)] == [30]

    async def test_of_a_run_that_is_not_there_is_refused(self, house: Bench) -> None:
        with pytest.raises(NotFound):
            await house.removals.purge(house.purge_order(run_id(9)))

    async def test_of_an_open_dead_letter_is_refused_until_somebody_has_seen_it(self, house: Bench) -> None:
        run = await house.ended(1)
        letter = NewDeadLetter(
            tenant=house.tenant,
            kind=DeadLetterKind.EFFECT,
            subject=f"{run}/settle.pay/1/0",
            occasion="1",
            run=run,
            cause="effect-in-doubt",
            first_at=AT,
            last_at=AT,
        )
        name = await house.letters.add(letter)
        await house.retention.set_rule(house.tenant, "", 1, principal="prn_b")
        house.two_days_later()
        with pytest.raises(InsideTerm, match=name):
            await house.removals.purge(house.purge_order(run))
        assert await house.removals.purge(house.purge_order()) is None
        await house.letters.discard(house.tenant, name, by="prn_b", reason="paid by hand", at=AT)
        assert (await house.removals.purge_plan(house.tenant, run=run, limit=1)).runs == (run,)


class TestHolds:
    async def test_stand_until_they_are_released(self, house: Bench) -> None:
        hold = LegalHold(hold="hld_1", scope="tenant", name="", reason="a suit", placed_by="prn_b", placed_at=AT)
        await house.retention.place_hold(house.tenant, hold)
        assert [each.hold for each in await house.retention.holds(house.tenant, standing=True)] == ["hld_1"]
        released = await house.retention.release_hold(house.tenant, "hld_1", principal="prn_c")
        assert (await house.retention.release_hold(house.tenant, "hld_1", principal="prn_d")) == released
        assert await house.retention.holds(house.tenant, standing=True) == []
        with pytest.raises(NotFound):
            await house.retention.release_hold(house.tenant, "hld_2", principal="prn_b")
