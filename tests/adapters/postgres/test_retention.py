"""Retention: content goes when its term is over, not before, and never under a legal hold."""

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.pool import Database
from domain.dead_letters import DeadLetterFilter
from domain.errors import Erased, InsideTerm, NotFound, UnderLegalHold
from domain.subjects import PurgeOrder
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.removal_bench import ADA, BOB, NAME, RemovalBench, dump, run_id, says
from tests.contracts.journal_bench import AT


class RetentionBench(RemovalBench):
    """Runs whose end a test can put into the past."""

    def __init__(self, db: Database, tenant: str, owner_url: str) -> None:
        super().__init__(db, tenant)
        self.owner_url = owner_url
        self.letters = PostgresDeadLetterStore(db, self.vault)

    async def ended_before(self, number: int, *, days: float, subject: str | None = None) -> str:
        """Bring a run to its end, so many days ago."""
        run = await self.ended(number, subject=subject)
        for letter in (await self.letters.page(self.tenant, DeadLetterFilter(run=run))).items:
            await self.letters.discard(self.tenant, letter.dead_letter, by="prn_admin", reason=f"{NAME} was paid by hand", at=AT)
        with psycopg.connect(self.owner_url) as connection:
            connection.execute(
                "UPDATE runs SET closed_at = clock_timestamp() - %s * interval '1 day' WHERE tenant_id = %s AND run = %s",
                [days, self.tenant, run],
            )
        return run

    async def keep(self, days: int | None, definition: str = "") -> None:
        """Set or remove a rule."""
        await self.retention.set_rule(self.tenant, definition, days, principal="prn_admin")

    def purge_order(self, run: str | None = None) -> PurgeOrder:
        """Build the order to purge."""
        return PurgeOrder(tenant=self.tenant, erasure=f"era_{self.tenant}", run=run, principal="prn_admin", at=AT)


@pytest.fixture
def bench(db: Database, tenant: str, server: MigratedServer) -> RetentionBench:
    """A bench without runs."""
    return RetentionBench(db, tenant, server.owner_url)


class TestPurge:
    async def test_takes_what_is_over_its_term_and_nothing_else(self, bench: RetentionBench) -> None:
        old, young = await bench.ended_before(1, days=31), await bench.ended_before(2, days=29)
        await bench.live(3, subject=None)
        await bench.keep(30)
        plan = await bench.removals.purge_plan(bench.tenant, run=None, limit=9)
        removal = await bench.removals.purge(bench.purge_order())
        assert removal is not None
        assert (plan.runs, removal.mode, removal.runs, removal.subject, removal.contents) == ((old,), "purge", 1, None, plan.contents)
        assert (await bench.runs.input_of(bench.tenant, young))[0] is not None
        assert (await bench.kinds(old))[-1] == "platform:content:purged"
        assert (await bench.verification(old)).ok
        assert await bench.removals.purge(bench.purge_order()) is None

    async def test_leaves_no_trace_in_a_dump(self, bench: RetentionBench) -> None:
        await bench.ended_before(1, days=2, subject=ADA)
        await bench.keep(1)
        await bench.removals.purge(bench.purge_order())
        assert not says(dump(bench.owner_url, tenant=bench.tenant))

    async def test_lets_a_definitions_own_rule_win(self, bench: RetentionBench) -> None:
        run = await bench.ended_before(1, days=31)
        await bench.keep(30)
        await bench.keep(365, "delay-claim")
        assert await bench.removals.purge(bench.purge_order()) is None
        await bench.keep(None, "delay-claim")
        assert [rule.definition for rule in await bench.retention.rules(bench.tenant)] == [""]
        assert (await bench.removals.purge_plan(bench.tenant, run=None, limit=9)).runs == (run,)

    @pytest.mark.parametrize(("days", "keep", "reason"), [(29, 30, "is kept until"), (400, None, "no retention rule")])
    async def test_is_refused_inside_the_term_and_without_one(
        self, bench: RetentionBench, days: int, keep: int | None, reason: str
    ) -> None:
        run = await bench.ended_before(1, days=days)
        await bench.keep(keep)
        with pytest.raises(InsideTerm, match=reason):
            await bench.removals.purge(bench.purge_order(run))
        assert (await bench.runs.input_of(bench.tenant, run))[0] is not None

    async def test_is_refused_for_runs_that_are_open_unknown_or_gone(self, bench: RetentionBench) -> None:
        await bench.keep(1)
        with pytest.raises(InsideTerm, match="is open"):
            await bench.removals.purge(bench.purge_order(await bench.live(1, subject=None)))
        with pytest.raises(NotFound):
            await bench.removals.purge(bench.purge_order(run_id(9)))
        run = await bench.ended_before(2, days=2)
        await bench.removals.purge(bench.purge_order(run))
        with pytest.raises(Erased):
            await bench.removals.purge(bench.purge_order(run))

    async def test_is_refused_under_a_legal_hold_and_passes_by_it(self, bench: RetentionBench) -> None:
        held, free = await bench.ended_before(1, days=9), await bench.ended_before(2, days=9)
        await bench.keep(1)
        await bench.hold("run", held)
        with pytest.raises(UnderLegalHold):
            await bench.removals.purge(bench.purge_order(held))
        assert (await bench.removals.purge_plan(bench.tenant, run=None, limit=9)).runs == (free,)

    async def test_keeps_a_key_that_another_run_needs(self, bench: RetentionBench) -> None:
        await bench.ended_before(1, days=9, subject=BOB)
        young = await bench.ended_before(2, days=0, subject=BOB)
        await bench.keep(1)
        removal = await bench.removals.purge(bench.purge_order())
        assert removal is not None
        assert (removal.runs, removal.subject_keys) == (1, 0)
        assert (await bench.runs.input_of(bench.tenant, young))[0] is not None


class TestLastGuard:
    @pytest.mark.parametrize("table", ["payloads", "messages"])
    async def test_refuses_whoever_deletes_content_of_an_open_or_held_run(self, bench: RetentionBench, table: str) -> None:
        live, held = await bench.live(1, subject=None), await bench.ended(2, subject=None)
        await bench.hold("run", held)
        for run in (live, held):
            with psycopg.connect(bench.owner_url) as connection, pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE tenant_id = %s AND run = %s").format(sql.Identifier(table)), [bench.tenant, run]
                )


class TestHolds:
    async def test_of_a_run_that_is_not_there_are_refused(self, bench: RetentionBench) -> None:
        with pytest.raises(NotFound):
            await bench.hold("run", run_id(9))

    async def test_are_listed_while_they_stand(self, bench: RetentionBench) -> None:
        placed = await bench.hold("tenant", "")
        assert await bench.retention.holds(bench.tenant, standing=True) == [placed]
        await bench.retention.release_hold(bench.tenant, placed.hold, principal="prn_admin")
        assert await bench.retention.holds(bench.tenant, standing=True) == []
        assert [each.hold for each in await bench.retention.holds(bench.tenant, standing=False)] == [placed.hold]
        with pytest.raises(NotFound):
            await bench.retention.release_hold(bench.tenant, "hld_none", principal="prn_admin")
