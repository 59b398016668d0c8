"""Journal calls that come at the same time share a statement, and each gets its own answer, error and commit."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import cast

import pytest

from adapters.postgres.journal import PostgresJournal
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.pool import Database, Params, Row
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.subject_ciphers import SubjectCiphers
from adapters.postgres.together import PATIENCE_S
from adapters.postgres.vault import Vault
from domain.budget import Charge
from domain.effects import Carrier, EffectClass, EffectKey, EffectState, Intent, IntentAnswer, Outcome, OutcomeAnswer, RetryClass
from domain.errors import FactDiverged, FactGap, NotFound, Unavailable
from domain.facts import Fact
from domain.runs import Projection
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT
from tests.contracts.money_bench import MoneyBench
from tests.contracts.postgres_bench import new_run
from tests.standing_ledger import standing

RUNS = [f"run_{number:026}" for number in range(12)]
STEP = "pay"
SHARING = len(RUNS) - 1
"""Of calls that come at the same time the first goes at once and alone, and all others share the next statement."""
PATIENCE = f"'{int(1000 * PATIENCE_S)}'".encode()


class WatchedDatabase(Database):
    """A database that notes how many calls each statement carried; with `patient`, a shared one waits for locks as long as it takes."""

    carried: tuple[int, ...] = ()
    patient = False

    async def select_all(self, query: bytes, params: Params) -> list[Row]:
        """Count the runs of a shared statement; another carries one call."""
        runs = params[1] if isinstance(params, Sequence) else None
        self.carried += (len(cast("list[object]", runs)) if isinstance(runs, list) else 1,)
        if self.patient and isinstance(runs, list):
            assert PATIENCE in query
            query = query.replace(PATIENCE, b"'0'")
        return await super().select_all(query, params)


class Journals:
    """Twelve runs of a tenant and a journal over a watched pool."""

    def __init__(self, db: WatchedDatabase, tenant: str) -> None:
        self.db, self.tenant = db, tenant
        self.vault = Vault(SubjectCiphers(db, XorCipher(), key_seconds=3600))
        self.journal = PostgresJournal(db, self.vault)
        self.reader = PostgresLedgerReader(db)

    async def accept(self) -> "Journals":
        """Accept the runs and read their keys: a call that had to read its run's key would come when that is read, not when it is made."""
        store = PostgresRunStore(self.db, XorCipher())
        for run in RUNS:
            await store.accept(new_run(self.tenant, run))
        await self.vault.ciphers.learn(self.tenant, set(RUNS))
        self.db.carried = ()
        return self

    def carrier(self, run: str, *facts: Fact) -> Carrier:
        """A carrier of one of the runs."""
        return Carrier(tenant=self.tenant, run=run, epoch=1, principal="prn_a", correlation_id="corr", facts=facts)

    async def fact(self, run: str, seq: int, *, step: str = STEP) -> int:
        """Write one fact."""
        fact = Fact(seq=seq, kind="workflow:step:entered", at=AT, epoch=1, step=step, visit=1)
        return await self.journal.flush(self.carrier(run, fact), Projection(), fact_seq=seq)

    def intent(self, run: str, *, charge: Charge | None = None, step: str = STEP, subject: str = "bank.pay@1.0.0") -> Intent:
        """The first attempt of the run's one effect."""
        return Intent(
            carrier=self.carrier(run),
            key=EffectKey(tenant=self.tenant, run=run, step=step, visit=1, call="call"),
            digest="d" * 64,
            effect_class=EffectClass.MONEY,
            retry_class=RetryClass.IDEMPOTENT,
            subject=subject,
            kind="agent:tool:requested",
            at=AT,
            attempt=1,
            lease_token=run,
            lease_ms=60_000,
            temporal_run_id="temporal",
            request={"of": run},
            charge=charge,
        )

    def outcome(self, run: str) -> Outcome:
        """Its outcome."""
        return Outcome(
            carrier=self.carrier(run),
            key=EffectKey(tenant=self.tenant, run=run, step=STEP, visit=1, call="call"),
            lease_token=run,
            state=EffectState.DONE,
            kind="agent:tool:called",
            at=AT,
            attempt=1,
            output={"paid": run},
        )

    async def entries(self, run: str) -> list[str]:
        """The kinds in a run's ledger; its chain must hold."""
        entries, verified = await standing(self.reader, self.tenant, run)
        assert verified.ok, verified.broken
        return [entry.kind for entry in entries]


@pytest.fixture
async def journals(server: MigratedServer, tenant: str) -> AsyncGenerator[Journals]:
    """A journal over the database of each version."""
    async with WatchedDatabase(server.app_url, max_size=10, timeout_s=5) as db:
        yield await Journals(db, tenant).accept()


class TestTogether:
    async def test_sends_a_lone_call_at_once_and_alone(self, journals: Journals) -> None:
        await journals.fact(RUNS[0], 1)
        assert journals.db.carried[-1] == 1

    async def test_shares_a_statement_among_calls_that_come_at_the_same_time(self, journals: Journals) -> None:
        heads = await asyncio.gather(*(journals.fact(run, 1) for run in RUNS))
        assert heads == [1] * len(RUNS)
        assert journals.db.carried[:2] == (1, SHARING)
        for run in RUNS:
            assert await journals.entries(run) == ["gateway:run:accepted", "workflow:step:entered"]

    async def test_leaves_the_ledger_that_lone_calls_leave(self, journals: Journals) -> None:
        await asyncio.gather(*(journals.fact(run, 1) for run in RUNS))
        journals.db.carried = ()
        together = await asyncio.gather(*(journals.fact(run, 2) for run in RUNS[1:]))
        assert (together, journals.db.carried[:2]) == ([2] * 11, (1, 10))
        await journals.fact(RUNS[0], 2)
        alone, shared = [(await journals.reader.entries(journals.tenant, run))[2] for run in (RUNS[0], RUNS[5])]
        differs = {"run", "recorded_at_us", "prev", "hash"}
        assert shared.model_dump(exclude=differs) == alone.model_dump(exclude=differs)
        assert (await journals.fact(RUNS[5], 2), await journals.fact(RUNS[5], 3)) == (2, 3)
        for run in RUNS:
            assert (await journals.entries(run))[:3] == ["gateway:run:accepted", *["workflow:step:entered"] * 2]

    async def test_waits_little_for_a_run_that_somebody_holds(self, journals: Journals) -> None:
        await asyncio.gather(*(journals.fact(run, 1) for run in RUNS))
        async with journals.db.tenant(journals.tenant) as tx:
            await tx.execute("SELECT 1 FROM runs WHERE run = %s FOR UPDATE", [RUNS[6]])
            alone = asyncio.create_task(journals.journal.intent(journals.intent(RUNS[6])))
            facts = [asyncio.create_task(journals.fact(run, 2)) for run in RUNS]
            held = facts.pop(6)
            await asyncio.gather(*facts)
            await asyncio.gather(*(journals.journal.intent(journals.intent(run)) for run in RUNS if run != RUNS[6]))
            assert not held.done()
            assert not alone.done()
        assert await held == 2
        assert (await alone).answer is IntentAnswer.GO

    async def test_gives_each_call_its_own_answer(self, journals: Journals) -> None:
        verdicts = await asyncio.gather(*(journals.journal.intent(journals.intent(run)) for run in RUNS))
        assert {verdict.answer for verdict in verdicts} == {IntentAnswer.GO}
        ended = await asyncio.gather(*(journals.journal.outcome(journals.outcome(run)) for run in RUNS))
        assert {verdict.answer for verdict in ended} == {OutcomeAnswer.RECORDED}
        assert len({verdict.output_ref for verdict in ended}) == len(RUNS)
        again = await asyncio.gather(*(journals.journal.intent(journals.intent(run)) for run in RUNS))
        assert [verdict.recorded.output for verdict in again if verdict.recorded] == [{"paid": run} for run in RUNS]

    async def test_chains_calls_of_one_run_that_share_a_statement(self, journals: Journals) -> None:
        intents = [journals.intent(RUNS[0], step=f"s{number}") for number in range(20)]
        verdicts = await asyncio.gather(*map(journals.journal.intent, intents))
        assert {verdict.answer for verdict in verdicts} == {IntentAnswer.GO}
        assert journals.db.carried[:2] == (1, len(intents) - 1)
        assert len(await journals.entries(RUNS[0])) == 21

    async def test_refuses_one_call_without_harm_to_the_others(self, journals: Journals) -> None:
        await asyncio.gather(*(journals.fact(run, 1) for run in RUNS))
        wrong = [journals.fact(RUNS[9], 3), journals.fact("run_unknown", 1)]
        told = await asyncio.gather(*(journals.fact(run, 2) for run in RUNS[:9]), *wrong, return_exceptions=True)
        assert told[:9] == [2] * 9
        assert [type(one) for one in told[9:]] == [FactGap, NotFound]
        told = await asyncio.gather(
            *(journals.fact(run, 3) for run in RUNS[:9]), journals.fact(RUNS[9], 1, step="x"), return_exceptions=True
        )
        assert told[:9] == [3] * 9
        assert type(told[9]) is FactDiverged

    async def test_repeats_the_calls_of_a_statement_that_failed_alone(self, journals: Journals, caplog: pytest.LogCaptureFixture) -> None:
        intents = [journals.intent(run, subject="nul \0" if run == RUNS[7] else "bank.pay@1.0.0") for run in RUNS]
        told = await asyncio.gather(*map(journals.journal.intent, intents), return_exceptions=True)
        failed = [run for run, one in zip(RUNS, told, strict=True) if isinstance(one, BaseException)]
        assert failed == [RUNS[7]]
        assert journals.db.carried[:2] == (1, SHARING)
        assert f"{SHARING} calls of journal_intent go alone" in caplog.text
        for run in RUNS:
            assert len(await journals.entries(run)) == (1 if run == RUNS[7] else 2)

    async def test_makes_a_call_alone_that_may_change_a_budget(self, journals: Journals) -> None:
        charge = Charge(usd_micros=10)
        await asyncio.gather(*(journals.journal.intent(journals.intent(run, charge=charge)) for run in RUNS))
        assert set(journals.db.carried) == {1}
        ended = await asyncio.gather(*(journals.journal.outcome(journals.outcome(run)) for run in RUNS))
        assert {verdict.answer for verdict in ended} == {OutcomeAnswer.RECORDED}
        rows = await MoneyBench(journals.db, journals.tenant).rows(b"SELECT 1 FROM reservations WHERE tenant_id = %(tenant)s")
        assert rows == []

    async def test_answers_the_others_when_a_caller_goes_away(self, journals: Journals) -> None:
        tasks = [asyncio.create_task(journals.fact(run, 1)) for run in RUNS]
        await asyncio.sleep(0)
        tasks[5].cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(told[5], asyncio.CancelledError)
        assert told[:5] + told[6:] == [1] * 11

    async def test_tells_every_caller_when_the_database_is_gone(self, journals: Journals) -> None:
        await asyncio.gather(*(journals.fact(run, 1) for run in RUNS))
        await journals.db.close()
        told = await asyncio.gather(*(journals.fact(run, 2) for run in RUNS), return_exceptions=True)
        assert {type(one) for one in told} == {Unavailable}


class TestTwoProcesses:
    async def test_never_wait_for_each_other_in_a_circle(self, journals: Journals, caplog: pytest.LogCaptureFixture) -> None:
        """They write to the same runs in opposite orders; only a deadlock ends a statement that waits for its locks as long as it takes."""
        journals.db.patient = True
        other = PostgresJournal(journals.db, journals.vault)
        for number in range(1, 11):
            facts = [journals.fact(run, number) for run in RUNS]
            intents = [other.intent(journals.intent(run, step=f"s{number}")) for run in reversed(RUNS)]
            await asyncio.gather(*facts, *intents)
        assert caplog.text == ""
        for run in RUNS:
            assert len(await journals.entries(run)) == 21
