"""Two statements of one tenant under way at a time: disjoint runs, each run's own order, and errors that stay with their calls."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from domain.errors import FactGap
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.watched_journals import Journals, WatchedDatabase

MANY = [f"run_{number:026}" for number in range(24)]


@pytest.fixture
async def company(server: MigratedServer, tenant: str) -> AsyncGenerator[Journals]:
    """A journal of each version, and so many runs that two statements go abreast; each has a fact already."""
    async with WatchedDatabase(server.app_url) as db:
        journals = await Journals(db, tenant).accept(MANY)
        await asyncio.gather(*(journals.fact(run, 1) for run in MANY))
        db.carried = ()
        yield journals


class TestTwoAbreast:
    async def test_share_the_calls_of_a_company_and_no_run(self, company: Journals) -> None:
        company.db.gate.clear()
        facts = [asyncio.create_task(company.fact(run, 2)) for run in MANY]
        alone, beside = await company.db.statements(2)
        assert (len(alone), len(beside)) == (1, len(MANY) // 2)
        assert not set(alone) & set(beside)
        later = [asyncio.create_task(company.fact(run, 3)) for run in beside]
        company.db.gate.set()
        assert await asyncio.gather(*facts, *later) == [2] * len(MANY) + [3] * len(beside)
        for run in MANY:
            assert len(await company.entries(run)) == (4 if run in beside else 3)

    async def test_keep_the_calls_of_a_run_in_their_order(self, company: Journals) -> None:
        company.db.gate.clear()
        calls = [asyncio.create_task(company.fact(run, 2)) for run in MANY]
        await company.db.statements(2)
        calls += [asyncio.create_task(company.fact(run, 3)) for run in MANY[1:]]
        _, first, second = await company.db.statements(3)  # the lone call takes long, and gives its place to others
        assert not set(first) & set(second)
        company.db.gate.set()
        assert await asyncio.gather(*calls) == [2] * len(MANY) + [3] * (len(MANY) - 1)
        for run in MANY[1:]:
            assert len(await company.entries(run)) == 4

    async def test_one_that_fails_leaves_the_other_alone(self, company: Journals, caplog: pytest.LogCaptureFixture) -> None:
        company.db.gate.clear()
        facts = [asyncio.create_task(company.fact(run, 2)) for run in MANY]
        _, beside = await company.db.statements(2)
        company.db.broken = beside[0]
        company.db.gate.set()
        assert await asyncio.gather(*facts) == [2] * len(MANY)
        assert f"{len(beside)} calls of journal_flush go alone" in caplog.text
        for run in MANY:
            assert len(await company.entries(run)) == 3

    async def test_answer_plain_and_refused_calls_each_with_its_own(self, company: Journals) -> None:
        calls = [company.fact(run, 4 if place % 3 == 0 else 2) for place, run in enumerate(MANY)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in told] == [FactGap if place % 3 == 0 else int for place in range(len(MANY))]
        for place, run in enumerate(MANY):
            assert len(await company.entries(run)) == (2 if place % 3 == 0 else 3)

    async def test_answer_the_others_when_callers_go_away(self, company: Journals) -> None:
        company.db.gate.clear()
        tasks = dict(zip(MANY, [asyncio.create_task(company.fact(run, 2)) for run in MANY], strict=True))
        _, beside = await company.db.statements(2)
        waits = next(run for run in MANY[1:] if run not in beside)
        for run in (beside[0], waits):
            tasks[run].cancel()
        sent = any(waits in runs for runs in company.db.under_way)
        company.db.gate.set()
        told = dict(zip(MANY, await asyncio.gather(*tasks.values(), return_exceptions=True), strict=True))
        assert {run for run, one in told.items() if isinstance(one, asyncio.CancelledError)} == {beside[0], waits}
        assert [one for run, one in told.items() if run not in (beside[0], waits)] == [2] * (len(MANY) - 2)
        assert len(await company.entries(waits)) == (3 if sent else 2)

    async def test_tell_every_caller_that_the_process_ends(self, company: Journals) -> None:
        company.db.gate.clear()
        tasks = [asyncio.create_task(company.fact(run, 2)) for run in MANY]
        await company.db.statements(2)
        for task in asyncio.all_tasks() - {asyncio.current_task(), *tasks[1:]}:
            if task is tasks[0] or "Together._drive" in repr(task):
                task.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in told} == {asyncio.CancelledError}
        company.db.gate.set()
        assert await company.fact(MANY[3], 2) == 2
