"""The desk of human tasks: one suite for its fake and both versions of PostgreSQL."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from adapters.postgres.pool import Database
from adapters.postgres.task_desk import PostgresTaskDesk
from domain.errors import BadRequest, NotFound, TaskClosed, TaskTaken
from domain.ledger import Kind
from domain.people_stores import TaskStore
from domain.stores import LedgerReader
from domain.task_stores import NewTask, TaskDesk, TaskFilter
from domain.tasks import HUMAN, TaskProjection, TaskRung, TaskTerms, advanced, escalated, with_terms
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.journal_bench import AT, RUN
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.fakes_database import MemoryDatabase
from tests.fakes_inbox import FakeTaskStore
from tests.fakes_runs import FakeLedgerReader, FakeRunStore
from tests.fakes_tasks import FakeTaskDesk

PAST = "2025-03-01T12:00:00.000000Z"
FORM: dict[str, JsonValue] = {"type": "object", "required": ["iban"], "properties": {"iban": {"type": "string"}}}


@dataclass
class Bench:
    """The desk under test, the answers beside it, and the ledger of its one run."""

    tenant: str
    desk: TaskDesk
    tasks: TaskStore
    ledger: LedgerReader

    async def kinds(self) -> list[str]:
        """Return the kinds of the run's entries after its acceptance."""
        return [entry.kind for entry in await self.ledger.entries(self.tenant, RUN)][1:]

    async def made(self, name: str = "tsk_1", *, run: str | None = None, terms: TaskTerms | None = None, at: str = AT) -> TaskProjection:
        """Make a task and return it."""
        task = TaskProjection(
            task=name, kind=HUMAN, step="", visit=0, call="", title="Call Ada", detail="about 80", opened_at=at, form=FORM
        )
        new = NewTask(tenant=self.tenant, run=run, created_by="prn_a", task=with_terms(task, terms))
        return (await self.desk.make(new)).projection

    async def names(self, **where: object) -> list[str]:
        """Return the ids of a page."""
        page = await self.desk.page(self.tenant, TaskFilter.model_validate(where))
        return [row.projection.task for row in page.items]


@pytest.fixture(params=["fake", *VERSIONS])
async def bench(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Bench]:
    """A desk, and an accepted run."""
    if request.param == "fake":
        memory = MemoryDatabase(time=datetime.now(UTC))
        await FakeRunStore(memory).accept(new_run(tenant))
        yield Bench(tenant, FakeTaskDesk(memory), FakeTaskStore(memory), FakeLedgerReader(memory))
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        stores = await PostgresBench(database, tenant).accept()
        yield Bench(tenant, PostgresTaskDesk(database, stores.tasks), stores.tasks, stores.ledger)


class TestMake:
    async def test_comes_back_as_it_was_made(self, bench: Bench) -> None:
        terms = TaskTerms(role="desk", priority="high", due_s=60, ladder=[TaskRung(after_s=120, role="lead")])
        made = await bench.made(terms=terms)
        row = await bench.tasks.get(bench.tenant, "tsk_1")
        assert (row.projection, row.run, row.own, row.created_by, row.state) == (made, None, True, "prn_a", "open")
        assert (made.due, made.stages[0].role, made.form) == ("2026-03-01T12:01:00.000000Z", "lead", FORM)

    async def test_for_a_run_is_an_entry_of_its_ledger(self, bench: Bench) -> None:
        for _ in range(2):
            await bench.made(run=RUN)
        assert await bench.kinds() == [Kind.TASK_MADE]
        with pytest.raises(NotFound):
            await bench.made("tsk_2", run="run_00000000000000000000000009")

    async def test_is_another_tenants_to_nobody_else(self, bench: Bench) -> None:
        await bench.made()
        with pytest.raises(NotFound):
            await bench.desk.assign("other", "tsk_1", assignee="prn_b", role=None, by="prn_b", at=AT, expected=None)
        assert (await bench.desk.page("other", TaskFilter())).items == ()


class TestPage:
    async def test_goes_by_opening_or_by_due_instant(self, bench: Bench) -> None:
        await bench.made("tsk_a", terms=TaskTerms(due_s=500))
        await bench.made("tsk_b", at=PAST)
        await bench.made("tsk_c", terms=TaskTerms(due_s=60))
        assert await bench.names() == ["tsk_b", "tsk_a", "tsk_c"]
        assert await bench.names(sort="due") == ["tsk_c", "tsk_a", "tsk_b"]
        first = await bench.desk.page(bench.tenant, TaskFilter(sort="due", limit=2))
        assert await bench.names(sort="due", cursor=first.next_cursor) == ["tsk_b"]
        with pytest.raises(BadRequest):
            await bench.names(cursor="bogus")

    async def test_narrows(self, bench: Bench) -> None:
        await bench.made("tsk_mine", terms=TaskTerms(principal="prn_b"))
        await bench.made("tsk_role", terms=TaskTerms(role="desk"), run=RUN)
        await bench.made("tsk_late", terms=TaskTerms(due_s=60), at=PAST)
        await bench.tasks.complete(bench.tenant, "tsk_mine", resolution="completed", output=None, principal="prn_b", at=AT)
        assert await bench.names(state="open") == ["tsk_late", "tsk_role"]
        assert await bench.names(assignee="prn_b") == ["tsk_mine"]
        assert sorted(await bench.names(assignee="prn_b", roles=("desk",))) == ["tsk_mine", "tsk_role"]
        assert await bench.names(role="desk") == ["tsk_role"]
        assert await bench.names(run=RUN) == ["tsk_role"]
        assert await bench.names(overdue=True) == ["tsk_late"]
        assert await bench.names(kind="in_doubt") == []


class TestAssign:
    async def test_gives_it_to_one_of_two_who_take_it(self, bench: Bench) -> None:
        await bench.made(run=RUN)
        taken = await bench.desk.assign(bench.tenant, "tsk_1", assignee="prn_b", role=None, by="prn_b", at=AT, expected=None)
        with pytest.raises(TaskTaken):
            await bench.desk.assign(bench.tenant, "tsk_1", assignee="prn_c", role=None, by="prn_c", at=AT, expected=None)
        freed = await bench.desk.assign(bench.tenant, "tsk_1", assignee=None, role="desk", by="prn_b", at=AT, expected="prn_b")
        assert (taken.projection.assignee, freed.projection.assignee, freed.projection.role) == ("prn_b", None, "desk")
        assert await bench.kinds() == [Kind.TASK_MADE, Kind.TASK_ASSIGNED, Kind.TASK_ASSIGNED]

    async def test_of_a_closed_one_is_refused(self, bench: Bench) -> None:
        await bench.made()
        await bench.tasks.complete(bench.tenant, "tsk_1", resolution="completed", output={"iban": "x"}, principal="prn_b", at=AT)
        with pytest.raises(TaskClosed):
            await bench.desk.assign(bench.tenant, "tsk_1", assignee="prn_b", role=None, by="prn_b", at=AT, expected=None)
        with pytest.raises(TaskClosed):
            await bench.tasks.complete(bench.tenant, "tsk_1", resolution="completed", output=None, principal="prn_b", at=AT)


class TestEscalate:
    async def test_plays_the_ladder_moment_by_moment(self, bench: Bench) -> None:
        terms = TaskTerms(principal="prn_b", due_s=60, ladder=[TaskRung(after_s=120, role="lead")])
        await bench.made(run=RUN, terms=terms, at=PAST)
        now = datetime.now(UTC).isoformat()
        for _ in range(2):
            (row,) = await bench.desk.moving(bench.tenant, limit=5)
            changed = advanced(row.projection, now)
            assert changed is not None
            await bench.desk.escalate(bench.tenant, changed, by=None, at=AT)
        row = await bench.tasks.get(bench.tenant, "tsk_1")
        assert (row.projection.role, row.projection.assignee, row.projection.level) == ("lead", None, 1)
        assert row.projection.breached_at == "2025-03-01T12:01:00.000000Z"
        assert await bench.kinds() == [Kind.TASK_MADE, Kind.TASK_BREACHED, Kind.TASK_ESCALATED]
        assert await bench.desk.moving(bench.tenant, limit=5) == []

    async def test_by_a_person_is_told_as_theirs_and_not_taken_back_by_the_ladder(self, bench: Bench) -> None:
        task = await bench.made(run=RUN)
        await bench.desk.escalate(bench.tenant, escalated(task, "chief"), by="prn_b", at=AT)
        late = await bench.desk.escalate(bench.tenant, task.model_copy(update={"role": "lead"}), by=None, at=AT)
        assert late.projection.role == "chief"
        assert await bench.kinds() == [Kind.TASK_MADE, Kind.TASK_HANDED_ON]

    async def test_does_not_move_before_its_moment(self, bench: Bench) -> None:
        soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        await bench.made(terms=TaskTerms(due_s=60), at=soon)
        assert await bench.desk.moving(bench.tenant, limit=5) == []


class TestAnswer:
    async def test_of_a_task_that_a_person_made_stays_with_it(self, bench: Bench) -> None:
        await bench.made(run=RUN)
        assert await bench.desk.answer_of(bench.tenant, "tsk_1") is None
        done = await bench.tasks.complete(bench.tenant, "tsk_1", resolution="completed", output={"iban": "DE1"}, principal="prn_b", at=AT)
        assert (done.state, done.completed_by, done.delivered) == ("completed", "prn_b", True)
        assert await bench.desk.answer_of(bench.tenant, "tsk_1") == {"iban": "DE1"}
        assert await bench.kinds() == [Kind.TASK_MADE, Kind.TASK_COMPLETED]
        assert await bench.tasks.undelivered(bench.tenant, limit=5) == []
