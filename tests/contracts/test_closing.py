"""A run that is closed from outside takes its questions along: the same on the stores in memory and on PostgreSQL."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from adapters.postgres.pool import Database
from domain.effects import Carrier
from domain.errors import TaskClosed
from domain.people_stores import ApprovalStore, TaskStore
from domain.runs import ApprovalClosure, Projection, RunLedger, RunStatus
from domain.stores import RunStore
from tests.adapters.postgres.databases import VERSIONS, Servers
from tests.contracts.journal_bench import AT, RUN
from tests.contracts.postgres_bench import PostgresBench, new_run
from tests.contracts.test_inbox_stores import approval, task
from tests.fakes_stores import FakeStores


@dataclass
class Inbox:
    """The stores of one database, and the tenant whose run asks for a decision and an answer."""

    tenant: str
    runs: RunStore
    ledger: RunLedger
    approvals: ApprovalStore
    tasks: TaskStore

    async def ask(self) -> "Inbox":
        """Accept RUN, with an approval and a task open, and an approval that is decided."""
        await self.runs.accept(new_run(self.tenant))
        closed = ApprovalClosure(approval="apr_2", decision="approve", decision_id="dec_2", decided_by="prn_b", decided_at=AT)
        for seq, asked in enumerate(
            (
                Projection(status=RunStatus.WAITING, open_approval=approval("apr_1")),
                Projection(open_approval=approval("apr_2")),
                Projection(close_approval=closed),
                Projection(status=RunStatus.IN_DOUBT, open_task=task("tsk_1")),
            )
        ):
            await self.ledger.flush(
                Carrier(tenant=self.tenant, run=RUN, epoch=1, principal="prn_a", correlation_id="corr"), asked, fact_seq=seq
            )
        return self


@pytest.fixture(params=["fake", *VERSIONS])
async def inbox(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[Inbox]:
    """The stores in memory, and those on each version of PostgreSQL."""
    if request.param == "fake":
        stores = FakeStores()
        yield await Inbox(tenant, stores.runs, stores.run_ledger, stores.approvals, stores.tasks).ask()
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        on = PostgresBench(database, tenant)
        yield await Inbox(tenant, on.runs, on.journal, on.approvals, on.tasks).ask()


class TestClosedFromOutside:
    async def test_withdraws_what_is_open_and_leaves_what_is_decided(self, inbox: Inbox) -> None:
        assert await inbox.runs.close_externally(inbox.tenant, RUN, status=RunStatus.TERMINATED, reason="by hand", at=AT, epoch=1)
        first, second = [await inbox.approvals.get(inbox.tenant, name) for name in ("apr_1", "apr_2")]
        assert (first.state, first.decision_id) == ("withdrawn", None)
        assert (second.state, second.decision_id, second.decided_by) == ("approved", "dec_2", "prn_b")

    async def test_withdraws_its_tasks_and_tells_nobody(self, inbox: Inbox) -> None:
        await inbox.runs.close_externally(inbox.tenant, RUN, status=RunStatus.TERMINATED, reason="by hand", at=AT, epoch=1)
        row = await inbox.tasks.get(inbox.tenant, "tsk_1")
        assert (row.state, row.resolution, row.completed_by, row.delivered) == ("completed", "withdrawn", None, True)
        assert row.completed_at is not None
        assert await inbox.tasks.undelivered(inbox.tenant, limit=5) == []
        with pytest.raises(TaskClosed):
            await inbox.tasks.complete(inbox.tenant, "tsk_1", resolution="give_up", output=None, principal="prn_b", at=AT)

    async def test_that_is_not_closed_keeps_them(self, inbox: Inbox) -> None:
        assert not await inbox.runs.close_externally(inbox.tenant, RUN, status=RunStatus.EXPIRED, reason="never started", at=AT, epoch=1)
        assert (await inbox.approvals.get(inbox.tenant, "apr_1")).state == "open"
        assert (await inbox.tasks.get(inbox.tenant, "tsk_1")).state == "open"
