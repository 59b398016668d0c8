"""The stores of approvals, decisions and tasks, on both versions of PostgreSQL."""

from functools import partial

import pytest

from adapters.postgres.pool import Database
from domain.approval import DecisionContent
from domain.approval_rules import ApprovalRules, ReviewerGroup, Reviewers, ReviewEvent, Rung
from domain.approval_timeline import GroupStanding, Standing
from domain.effects import RetryClass
from domain.errors import ApprovalClosed, BadRequest, Conflict, NotFound, TaskClosed
from domain.inbox import InboxFilter, MayDecide
from domain.people_stores import DecisionRow
from domain.runs import ApprovalClosure, ApprovalProjection, Projection, RunStatus, TaskProjection
from tests.contracts.journal_bench import AT, RUN, carrier, intent, outcome
from tests.contracts.postgres_bench import PostgresBench

FAR = "2026-03-09T12:00:00.000000Z"
NEAR = "2026-03-02T12:00:00.000000Z"


def approval(name: str, *, deadline: str | None = None, role: str = "claims") -> ApprovalProjection:
    """Build an open approval."""
    return ApprovalProjection(
        approval=name,
        step="gate",
        visit=1,
        title="Pay 80 to Ada?",
        digest="d" * 64,
        nonce="nonce",
        calls=[{"step": "settle.pay", "tool": "bank.pay", "arguments": {"amount": 80}}],
        unbound=["settle.notify"],
        reviewer_role=role,
        reviewer_roles=[role],
        exclude_requester=True,
        requester="prn_a",
        opened_at=AT,
        deadline=deadline,
    )


def task(name: str, *, opened_at: str = AT) -> TaskProjection:
    """Build an open task."""
    return TaskProjection(
        task=name, kind="in_doubt", step="settle.pay", visit=1, call="0", title="Did it?", detail="Ada's 80", opened_at=opened_at
    )


def decision(tenant: str, name: str = "dec_1", *, of: str = "apr_1") -> DecisionRow:
    """Build a decision."""
    return DecisionRow(
        tenant=tenant,
        run=RUN,
        decision_id=name,
        approval=of,
        verdict="approve",
        digest="d" * 64,
        comment="Ada is right",
        principal="prn_b",
        attestation="att",
    )


async def found(inbox: PostgresBench, where: InboxFilter) -> list[str]:
    """Return the names on a page."""
    return [row.projection.approval for row in (await inbox.approvals.page(inbox.tenant, where)).items]


async def closed(inbox: PostgresBench, name: str, *, at: str = AT, by: str = "prn_b") -> None:
    """Approve by one accepted decision."""
    decided = decision(inbox.tenant, f"dec_{name}", of=name).model_copy(update={"principal": by})
    await inbox.approvals.store_decision(decided)
    closure = ApprovalClosure(approval=name, decision="approve", decision_id=decided.decision_id, decided_by=by, comment="", decided_at=at)
    await inbox.journal.flush(carrier(inbox), Projection(close_approval=closure), fact_seq=0)
    await inbox.approvals.settle_decision(inbox.tenant, decided.decision_id, state="accepted", refusal=None)


@pytest.fixture
async def inbox(db: Database, tenant: str) -> PostgresBench:
    """A run and all stores."""
    return await PostgresBench(db, tenant).accept()


async def opened(inbox: PostgresBench, *rows: ApprovalProjection | TaskProjection) -> None:
    """Open approvals and tasks, one flush each."""
    for row in rows:
        one = Projection(open_approval=row) if isinstance(row, ApprovalProjection) else Projection(open_task=row)
        await inbox.journal.flush(carrier(inbox), one, fact_seq=0)


class TestApprovals:
    async def test_come_back_as_they_were_opened(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1", deadline=NEAR))
        row = await inbox.approvals.get(inbox.tenant, "apr_1")
        assert row.projection == approval("apr_1", deadline=NEAR)
        assert (row.run, row.definition, row.state) == (RUN, "delay-claim", "open")
        with pytest.raises(NotFound):
            await inbox.approvals.get("other", "apr_1")

    async def test_page_by_deadline_and_those_without_one_last(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_c"), approval("apr_b", deadline=FAR), approval("apr_a", deadline=NEAR), approval("apr_d"))
        names: list[str] = []
        cursor: str | None = None
        for _ in range(4):
            page = await inbox.approvals.page(inbox.tenant, InboxFilter(state="open", limit=1, cursor=cursor))
            names += [row.projection.approval for row in page.items]
            cursor = page.next_cursor
        assert (names, cursor) == (["apr_a", "apr_b", "apr_c", "apr_d"], None)

    async def test_page_narrows_to_state_and_reviewer_role(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1"), approval("apr_2", role="leads"))
        closed = ApprovalClosure(approval="apr_1", decision="reject", decision_id="dec_1", decided_by="prn_b", comment="no", decided_at=AT)
        await inbox.journal.flush(carrier(inbox), Projection(close_approval=closed), fact_seq=0)
        for roles, names in ((("leads",), ["apr_2"]), (("claims",), []), ((), [])):
            where = InboxFilter(state="open", may_decide=MayDecide(principal="prn_b", roles=roles))
            assert await found(inbox, where) == names
        assert await found(inbox, InboxFilter(state="open")) == ["apr_2"]
        every = await inbox.approvals.page(inbox.tenant, InboxFilter())
        row = next(row for row in every.items if row.projection.approval == "apr_1")
        assert (row.state, row.decision_id, row.decided_by, row.comment, row.decided_at) == ("rejected", "dec_1", "prn_b", "no", AT)
        with pytest.raises(BadRequest):
            await inbox.approvals.page(inbox.tenant, InboxFilter(cursor="bogus"))

    async def test_are_replaced_by_a_later_revision_while_they_are_open(self, inbox: PostgresBench) -> None:
        first = approval("apr_1", deadline=NEAR)
        rules = ApprovalRules(
            reviewers=Reviewers(groups=[ReviewerGroup(role="claims", quorum=2)]), ladder=[Rung(to=ReviewerGroup(role="leads"))]
        )
        vote = ReviewEvent(verdict="approve", at=AT, decision_id="dec_1", principal="prn_b", roles=["claims"], comment="Ada is right")
        first = first.model_copy(update={"rules": rules, "form": {"type": "object"}})
        standing = Standing(groups=[GroupStanding(role="leads", quorum=1, rung=1)], deadline=FAR, rungs=1)
        change = {"revision": 2, "events": [vote], "standing": standing, "reviewer_roles": ["claims", "leads"], "deadline": FAR}
        amended = {
            "digest": "e" * 64,
            "nonce": "new",
            "calls": [{"step": "settle.pay", "arguments": {"amount": 60}}],
            "amended_by": "prn_b",
        }
        second = first.model_copy(update={**change, **amended, "delegates": ["prn_c"]})
        await opened(inbox, first, second, first.model_copy(update={"revision": 1, "digest": "f" * 64}))
        assert (await inbox.approvals.get(inbox.tenant, "apr_1")).projection == second
        closed = ApprovalClosure(approval="apr_1", decision="approve", decision_id="dec_2", decided_by="prn_c", decided_at=AT)
        last = second.model_copy(update={"revision": 3})
        await inbox.journal.flush(carrier(inbox), Projection(open_approval=last, close_approval=closed), fact_seq=0)
        await opened(inbox, second.model_copy(update={"revision": 4}))
        row = await inbox.approvals.get(inbox.tenant, "apr_1")
        assert (row.state, row.projection.revision) == ("approved", 3)

    async def test_are_withdrawn_when_the_run_is_closed_from_outside(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1"))
        await inbox.runs.close_externally(inbox.tenant, RUN, status=RunStatus.TERMINATED, reason="by hand", at=AT, epoch=1)
        assert await inbox.approval_state("apr_1") == "withdrawn"


class TestAssignment:
    async def test_is_a_hint_that_one_takes_and_releases(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1"))
        assign = partial(inbox.approvals.assign, inbox.tenant, "apr_1", take_over=False)
        taken = await assign(assignee="prn_b", principal="prn_b")
        assert (taken.assignee, taken.assigned_by, taken.assigned_at is None) == ("prn_b", "prn_b", False)
        assert await found(inbox, InboxFilter(assignee="prn_b")) == ["apr_1"]
        with pytest.raises(Conflict, match="prn_b"):
            await assign(assignee="prn_c", principal="prn_c")
        over = await inbox.approvals.assign(inbox.tenant, "apr_1", assignee="prn_c", principal="prn_c", take_over=True)
        assert (over.assignee, await found(inbox, InboxFilter(assignee="prn_b"))) == ("prn_c", [])
        released = await assign(assignee=None, principal="prn_c")
        assert (released.assignee, released.assigned_by, released.assigned_at) == (None, None, None)
        assert await found(inbox, InboxFilter(assignee="prn_c")) == []

    async def test_ends_with_the_approval(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1"))
        await closed(inbox, "apr_1")
        with pytest.raises(ApprovalClosed):
            await inbox.approvals.assign(inbox.tenant, "apr_1", assignee="prn_b", principal="prn_b", take_over=True)
        with pytest.raises(NotFound):
            await inbox.approvals.assign("other", "apr_1", assignee="prn_b", principal="prn_b", take_over=True)


class TestDecisions:
    async def test_are_stored_once_and_settled_once(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1"))
        stored = await inbox.approvals.store_decision(decision(inbox.tenant))
        again = await inbox.approvals.store_decision(decision(inbox.tenant).model_copy(update={"verdict": "reject"}))
        assert stored == again
        assert (stored.comment, stored.state) == ("Ada is right", "stored")
        assert await inbox.approvals.unsettled_decisions(inbox.tenant, older_than_s=0, limit=5) == [stored]
        assert await inbox.approvals.unsettled_decisions(inbox.tenant, older_than_s=60, limit=5) == []
        refusal = {"code": "approval-closed", "detail": "too late"}
        await inbox.approvals.settle_decision(inbox.tenant, "dec_1", state="refused", refusal=refusal)
        await inbox.approvals.settle_decision(inbox.tenant, "dec_1", state="accepted", refusal=None)
        settled = await inbox.approvals.decision(inbox.tenant, "dec_1")
        assert (settled.state, settled.refusal) == ("refused", refusal)
        assert await inbox.approvals.unsettled_decisions(inbox.tenant, older_than_s=0, limit=5) == []

    async def test_keep_what_they_say(self, inbox: PostgresBench) -> None:
        await opened(inbox, approval("apr_1"))
        content = DecisionContent(arguments={"settle.pay": {"amount": 60}})
        amending = decision(inbox.tenant).model_copy(update={"verdict": "amend", "content": content})
        await inbox.approvals.store_decision(amending)
        stored = await inbox.approvals.decision(inbox.tenant, "dec_1")
        assert (stored.verdict, stored.content) == ("amend", content)

    async def test_need_an_approval_and_an_id(self, inbox: PostgresBench) -> None:
        with pytest.raises(NotFound, match="apr_9"):
            await inbox.approvals.store_decision(decision(inbox.tenant, of="apr_9"))
        with pytest.raises(NotFound, match="dec_9"):
            await inbox.approvals.decision(inbox.tenant, "dec_9")


class TestTasks:
    async def test_come_back_as_they_were_opened_oldest_first(self, inbox: PostgresBench) -> None:
        await opened(inbox, task("tsk_1", opened_at=NEAR), task("tsk_2", opened_at=AT))
        first = await inbox.tasks.page(inbox.tenant, state="open", limit=1, cursor=None)
        second = await inbox.tasks.page(inbox.tenant, state="open", limit=1, cursor=first.next_cursor)
        assert [row.projection for row in (*first.items, *second.items)] == [task("tsk_2"), task("tsk_1", opened_at=NEAR)]
        assert second.next_cursor is None
        with pytest.raises(NotFound):
            await inbox.tasks.get("other", "tsk_1")

    async def test_are_completed_once_and_delivered_once(self, inbox: PostgresBench) -> None:
        await opened(inbox, task("tsk_1"))
        complete = partial(inbox.tasks.complete, inbox.tenant, "tsk_1", resolution="happened", principal="prn_b", at=AT)
        done = await complete(output={"paid": 80})
        assert (done.state, done.resolution, done.completed_by, done.delivered) == ("completed", "happened", "prn_b", False)
        with pytest.raises(TaskClosed):
            await complete(output={"paid": 81})
        assert await inbox.tasks.undelivered(inbox.tenant, limit=5) == [(done, {"paid": 80})]
        await inbox.tasks.mark_delivered(inbox.tenant, "tsk_1")
        assert await inbox.tasks.undelivered(inbox.tenant, limit=5) == []

    async def test_whose_output_is_erased_keep_no_other_waiting(self, inbox: PostgresBench, db: Database) -> None:
        for name in ("tsk_1", "tsk_2"):
            await opened(inbox, task(name))
            told = {"resolution": "happened", "principal": "prn_b", "at": AT, "output": {"of": name}}
            await inbox.tasks.complete(inbox.tenant, name, **told)  # pyright: ignore[reportArgumentType] - its own keywords
        async with db.tenant(inbox.tenant) as tx:
            await tx.execute("UPDATE tasks SET output_ref = 'gone' WHERE tenant_id = %s AND task = 'tsk_1'", [inbox.tenant])
        for _ in range(2):
            assert [output for _, output in await inbox.tasks.undelivered(inbox.tenant, limit=5)] == [{"of": "tsk_2"}]
        assert (await inbox.tasks.get(inbox.tenant, "tsk_1")).delivered

    async def test_closed_late_bring_the_late_output(self, inbox: PostgresBench) -> None:
        for token in ("first", "second"):
            await inbox.journal.intent(intent(inbox, token=token, retry_class=RetryClass.AT_MOST_ONCE, lease_ms=0))
        await opened(inbox, task("tsk_1"))
        await inbox.journal.outcome(outcome(inbox, output={"paid": 80}))
        ((row, output),) = await inbox.tasks.undelivered(inbox.tenant, limit=5)
        assert (row.state, output) == ("closed_late", {"paid": 80})
        with pytest.raises(TaskClosed):
            await inbox.tasks.complete(inbox.tenant, "tsk_1", resolution="happened", output=None, principal="prn_b", at=AT)
