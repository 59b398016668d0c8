"""The chain as SQL makes it: the same hash as Python's, and no gap however many append at once."""

import asyncio

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.pool import Database
from domain.ledger import StoredEntry, entry_hash
from domain.runs import Projection
from tests.adapters.postgres.databases import MigratedServer, Servers
from tests.contracts.journal_bench import RUN, carrier, fact, intent, key, outcome
from tests.contracts.postgres_bench import PostgresBench

INT8 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
ENTRIES = st.builds(
    StoredEntry,
    tenant=TEXT,
    run=TEXT,
    seq=INT8,
    recorded_at_us=INT8,
    prev=st.binary(min_size=32, max_size=32),
    hash=st.just(b""),
    body=st.binary(max_size=400),
    kind=st.just(""),
    principal=st.just(""),
    epoch=st.just(0),
    fact_seq=st.none(),
    step=st.none(),
    payload_digest=st.none(),
)


class TestEntryHash:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(entry=ENTRIES)
    def test_is_the_same_in_sql_and_python(self, servers: Servers, entry: StoredEntry) -> None:
        given_parts = [entry.tenant, entry.run, entry.seq, entry.prev, entry.recorded_at_us, entry.body]
        for version in ("embedded 18", "debian 15"):
            with psycopg.connect(servers.get(version).app_url) as connection:
                row = connection.execute("SELECT entry_hash(%s, %s, %s::bigint, %s, %s::bigint, %s)", given_parts, binary=True).fetchone()
            assert row == (entry_hash(entry),)


class TestConcurrency:
    async def test_parallel_effects_leave_one_gapless_chain(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()

        async def effect(number: int) -> None:
            place = key(bench, step=f"branch{number}")
            await bench.journal.intent(intent(bench, fact(1), fact(2)).model_copy(update={"key": place}))
            await bench.journal.outcome(outcome(bench, fact(1), fact(2), output=number, cost=1).model_copy(update={"key": place}))

        await asyncio.gather(*(effect(number) for number in range(25)))
        entries = await bench.entries()
        assert [entry.seq for entry in entries] == list(range(1, 1 + 1 + 2 + 50))
        assert (await bench.verification()).ok
        assert (await bench.row()).cost_usd_micros == 25

    async def test_one_of_many_racing_attempts_goes(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        asked = (bench.journal.intent(intent(bench, token=f"token {n}", attempt=n)) for n in range(8))
        answers = [verdict.answer.value for verdict in await asyncio.gather(*asked)]
        assert sorted(answers) == ["go"] + ["leased"] * 7

    async def test_facts_that_race_are_written_once(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        carriers = (carrier(bench, *(fact(n) for n in range(1, 1 + upto))) for upto in (3, 1, 5, 2, 4, 5))
        await asyncio.gather(*(bench.journal.flush(c, Projection(), fact_seq=len(c.facts)) for c in carriers))
        assert [entry.fact_seq for entry in await bench.entries()] == [None, 1, 2, 3, 4, 5]
        assert (await bench.verification()).ok

    async def test_intents_and_outcomes_never_deadlock(self, server: MigratedServer, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        await bench.journal.intent(intent(bench))
        told = [bench.journal.outcome(outcome(bench, output=1, cost=1)) for _ in range(10)]
        asked = [bench.journal.intent(intent(bench, token=f"t{n}")) for n in range(10)]
        await asyncio.gather(*told, *asked)
        assert (await bench.row()).cost_usd_micros == 1
        with psycopg.connect(server.owner_url) as connection:
            row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
        assert row == (0,)

    async def test_a_failed_function_leaves_nothing_behind(self, db: Database, tenant: str) -> None:
        bench = await PostgresBench(db, tenant).accept()
        await bench.journal.intent(intent(bench))
        with pytest.raises(psycopg.errors.NotNullViolation):
            await db.call(tenant, "append_entry", [RUN, None, "prn_a", 1, None, None, b"{}"])
        assert (await bench.verification()).ok
        assert len(await bench.entries()) == 2
