"""Facts and projections, JOURNAL §1: one suite for PostgreSQL 18, PostgreSQL 15 and the fake."""

import pytest

from domain.effects import IntentAnswer
from domain.errors import FactDiverged, FactGap, StaleEpoch
from domain.runs import ApprovalClosure, ApprovalProjection, Projection, RunStatus, TaskClosure, TaskProjection
from tests.contracts.journal_bench import AT, JournalBench, carrier, fact, intent, kinds, outcome

APPROVAL = ApprovalProjection(
    approval="apr_1",
    step="gate",
    visit=1,
    title="Pay 80 to Ada?",
    digest="d" * 64,
    nonce="n",
    calls=[{"step": "settle.pay", "arguments": {"amount": 80}}],
    reviewer_role="claims-approver",
    exclude_requester=True,
    requester="prn_a",
    opened_at=AT,
    deadline=None,
)
APPROVED = ApprovalClosure(approval="apr_1", decision="approve", decision_id="dec_1", decided_by="prn_b", comment="fine", decided_at=AT)


class TestFacts:
    async def test_are_appended_in_order_and_once(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, fact(1), fact(2)))
        verdict = await bench.journal.outcome(outcome(bench, fact(1), fact(2), fact(3)))
        assert verdict.fact_head == 3
        assert await bench.journal.flush(carrier(bench, fact(2), fact(3), fact(4)), Projection(), fact_seq=4) == 4
        assert [e.fact_seq for e in await bench.entries() if e.fact_seq is not None] == [1, 2, 3, 4]
        await kinds(bench)

    async def test_that_come_again_with_other_content_stop_the_run_and_are_told(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, fact(1, decision="approve")))
        verdict = await bench.journal.intent(intent(bench, fact(1, decision="reject"), fact(2), token="second"))
        assert verdict.answer is IntentAnswer.FACT_DIVERGED
        assert "fact 1" in verdict.detail
        assert (await kinds(bench))[-1] == "platform:fact:diverged"
        assert max(e.fact_seq or 0 for e in await bench.entries()) == 1

    async def test_that_diverge_stop_a_flush(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench, fact(1)), Projection(), fact_seq=1)
        with pytest.raises(FactDiverged, match="fact 1"):
            await bench.journal.flush(carrier(bench, fact(1, changed=True)), Projection(status=RunStatus.SUCCEEDED), fact_seq=1)
        assert (await bench.row()).status is RunStatus.RUNNING
        assert (await kinds(bench))[-1] == "platform:fact:diverged"

    async def test_that_diverge_do_not_unsay_an_outcome(self, bench: JournalBench) -> None:
        await bench.journal.intent(intent(bench, fact(1)))
        with pytest.raises(FactDiverged):
            await bench.journal.outcome(outcome(bench, fact(1, changed=True), output=1))
        assert (await bench.journal.intent(intent(bench, fact(1), token="second"))).answer is IntentAnswer.DONE

    async def test_with_a_gap_write_nothing(self, bench: JournalBench) -> None:
        verdict = await bench.journal.intent(intent(bench, fact(1), fact(3)))
        assert verdict.answer is IntentAnswer.FACT_GAP
        with pytest.raises(FactGap, match="fact 2"):
            await bench.journal.flush(carrier(bench, fact(2)), Projection(), fact_seq=2)
        assert await kinds(bench) == ["gateway:run:accepted"]

    async def test_of_an_older_epoch_are_refused(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench, fact(1), epoch=2), Projection(), fact_seq=1)
        assert (await bench.row()).epoch == 2
        assert (await bench.journal.intent(intent(bench, fact(1), fact(2), epoch=1))).answer is IntentAnswer.STALE_EPOCH
        with pytest.raises(StaleEpoch):
            await bench.journal.flush(carrier(bench, fact(1), fact(2), epoch=1), Projection(), fact_seq=2)
        assert (await kinds(bench)).count("workflow:step:entered") == 1

    async def test_not_acknowledged_travel_into_the_next_epoch(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench, fact(1)), Projection(), fact_seq=1)
        assert await bench.journal.flush(carrier(bench, fact(1), fact(2), fact(3, epoch=2), epoch=2), Projection(), fact_seq=3) == 3
        assert [e.epoch for e in await bench.entries() if e.fact_seq] == [1, 1, 2]
        await kinds(bench)


class TestProjection:
    async def test_sets_status_reason_and_result(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench), Projection(status=RunStatus.WAITING, waits_for="approval of gate"), fact_seq=0)
        row = await bench.row()
        assert (row.status, row.waits_for, row.closed_at) == (RunStatus.WAITING, "approval of gate", None)
        await bench.journal.flush(carrier(bench, fact(1)), Projection(status=RunStatus.SUCCEEDED, result={"paid": 80}), fact_seq=1)
        row = await bench.row()
        assert (row.status, row.waits_for) == (RunStatus.SUCCEEDED, None)
        assert row.closed_at is not None
        assert await bench.result() == {"paid": 80}

    async def test_that_is_older_never_wins(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench, fact(1), fact(2)), Projection(status=RunStatus.COMPENSATING), fact_seq=2)
        await bench.journal.flush(carrier(bench, fact(1)), Projection(status=RunStatus.WAITING), fact_seq=1)
        assert (await bench.row()).status is RunStatus.COMPENSATING

    async def test_does_not_open_a_closed_run_but_by_a_higher_epoch(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench), Projection(status=RunStatus.FAILED, reason="bank"), fact_seq=0)
        await bench.journal.flush(carrier(bench, fact(1)), Projection(status=RunStatus.RUNNING), fact_seq=1)
        assert (await bench.row()).status is RunStatus.FAILED
        await bench.journal.flush(carrier(bench, fact(1), epoch=2), Projection(status=RunStatus.RUNNING), fact_seq=1)
        row = await bench.row()
        assert (row.status, row.closed_at) == (RunStatus.RUNNING, None)

    async def test_keeps_error_details_that_no_database_could_store(self, bench: JournalBench) -> None:
        error = {"code": "tool-failed", "detail": "a\0b\ud800"}
        await bench.journal.flush(carrier(bench), Projection(status=RunStatus.FAILED, reason="a\0b", error=error), fact_seq=0)
        row = await bench.row()
        assert row.error is not None
        assert row.error["code"] == "tool-failed"

    async def test_opens_and_closes_an_approval_once_whatever_the_order(self, bench: JournalBench) -> None:
        await bench.journal.flush(carrier(bench, fact(1), fact(2)), Projection(status=RunStatus.COMPENSATING), fact_seq=2)
        await bench.journal.flush(carrier(bench, fact(1)), Projection(status=RunStatus.WAITING, open_approval=APPROVAL), fact_seq=1)
        assert await bench.approval_state("apr_1") == "open"
        await bench.journal.flush(carrier(bench, fact(1), fact(2), fact(3)), Projection(close_approval=APPROVED), fact_seq=3)
        await bench.journal.flush(carrier(bench, fact(1)), Projection(open_approval=APPROVAL), fact_seq=1)
        assert await bench.approval_state("apr_1") == "approved"

    async def test_opens_and_closes_a_task(self, bench: JournalBench) -> None:
        task = TaskProjection(task="tsk_2", kind="failed_compensation", step="s", visit=1, call="0", title="t", detail="d", opened_at=AT)
        await bench.journal.flush(carrier(bench), Projection(open_task=task), fact_seq=0)
        assert (await bench.task("tsk_2")).state == "open"
        closure = TaskClosure(task="tsk_2", resolution="done by hand", completed_by="prn_b", completed_at=AT)
        await bench.journal.flush(carrier(bench), Projection(close_task=closure), fact_seq=0)
        row = await bench.task("tsk_2")
        assert (row.state, row.resolution, row.completed_by, row.delivered) == ("completed", "done by hand", "prn_b", True)
