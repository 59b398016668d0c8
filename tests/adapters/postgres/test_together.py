"""Journal calls that come at the same time share a statement, and each gets its own answer, error and commit."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from adapters.postgres.journal import PostgresJournal
from domain.budget import Charge
from domain.effects import IntentAnswer, OutcomeAnswer
from domain.errors import FactDiverged, FactGap, NotFound, Unavailable
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.watched_journals import RUNS, Journals, WatchedDatabase
from tests.contracts.money_bench import MoneyBench

SHARING = len(RUNS) - 1
"""Of calls that come at the same time the first goes at once and alone, and all others share the next statement."""
FEW = RUNS[:-1]
"""As many as share one statement even where two may go abreast."""


@pytest.fixture
async def journals(server: MigratedServer, tenant: str) -> AsyncGenerator[Journals]:
    """A journal over the database of each version."""
    async with WatchedDatabase(server.app_url) as db:
        yield await Journals(db, tenant).accept()


class TestTogether:
    async def test_sends_a_lone_call_at_once_and_alone(self, journals: Journals) -> None:
        await journals.fact(RUNS[0], 1)
        assert journals.db.carried[-1] == 1

    async def test_shares_a_statement_among_calls_that_come_at_the_same_time(self, journals: Journals) -> None:
        heads = await asyncio.gather(*(journals.fact(run, 1) for run in FEW))
        assert heads == [1] * len(FEW)
        assert journals.db.carried[:2] == (1, len(FEW) - 1)
        for run in FEW:
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

    async def test_chains_the_facts_of_each_call_and_passes_over_what_is_not_plain(self, journals: Journals) -> None:
        await asyncio.gather(*(journals.fact(run, 1) for run in FEW))
        calls = [journals.fact(run, *([3] if place == 4 else range(2, 2 + place % 4 + 1))) for place, run in enumerate(FEW)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert [one for place, one in enumerate(told) if place != 4] == [2 + place % 4 for place in range(len(FEW)) if place != 4]
        assert type(told[4]) is FactGap
        for place, run in enumerate(FEW):
            assert len(await journals.entries(run)) == (2 if place == 4 else 3 + place % 4)
            said = [json.loads(entry.body)["data"]["seq"] for entry in (await journals.reader.entries(journals.tenant, run))[1:]]
            assert said == [str(seq) for seq in range(1, len(said) + 1)]

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
