"""Approvals on real servers: who may decide, how often, and what is refused without a trace."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError

from activities.requests import CALL_TOOL, FLUSH_FACTS
from domain.approval import Decision, OpenApproval
from domain.effects import EffectClass
from domain.program import Program
from domain.runs import RunStatus
from tests.adapters.postgres.databases import MigratedServer
from tests.domain.programs import approve, call, pinned, program
from tests.workflows.bench import OTHER_REVIEWER, REQUESTER, REVIEWER, Bench, Gate, LiveRun, ScriptedTool, until
from workflows.messages import APPROVE, DecisionResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

GATED = program(approve("gate", binds=["pay"]), call("pay", arguments={"amount": "${ input.n }"}), output="${ steps.gate.output }")


def payer() -> ScriptedTool:
    """Build the tool of GATED."""
    return ScriptedTool("bank.pay")


async def refused(run: LiveRun, decision: Decision) -> str | None:
    """Send a decision that shall be refused, and return the code."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await run.decide(decision)
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type


class TestDecision:
    async def test_by_update_lets_the_approved_call_run(self, bench: Bench) -> None:
        pay = payer()
        async with bench.running(GATED, pay) as run:
            approval = await run.approval()
            told = await run.decide(run.decision(approval))
            assert (told.decision, told.decided_by) == ("approve", REVIEWER)
            result = await run.handle.result()
            assert result.output == {"decision": "approve", "decided_by": REVIEWER, "comment": ""}
            assert [c.arguments for c in pay.calls] == [{"amount": 1}]
            row = await bench.storage.approvals.get(bench.tenant, approval.approval)
            assert (row.state, row.decided_by) == ("approved", REVIEWER)
            assert "human:approval:decided" in await run.kinds()

    async def test_by_signal_takes_the_same_path(self, bench: Bench) -> None:
        async with bench.running(GATED, payer()) as run:
            await run.handle.signal(APPROVE, run.decision(await run.approval()))
            assert (await run.handle.result()).status is RunStatus.SUCCEEDED

    async def test_by_update_and_signal_at_once_counts_once(self, bench: Bench) -> None:
        async with bench.running(GATED, payer()) as run:
            decision = run.decision(await run.approval())
            await run.handle.signal(APPROVE, decision)
            assert (await run.decide(decision)).decision == "approve"
            await run.handle.result()
            kinds = await run.kinds()
            assert (kinds.count("human:approval:decided"), kinds.count("workflow:decision:refused")) == (1, 0)

    async def test_that_rejects_fails_the_run_and_calls_nothing(self, bench: Bench) -> None:
        pay = payer()
        async with bench.running(GATED, pay) as run:
            await run.decide(run.decision(await run.approval(), verdict="reject", comment="too much"))
            assert await run.failure() == "approval-rejected"
            assert pay.calls == []


class TestValidator:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"digest": "0" * 64}, "stale-digest"),
            ({"by": REQUESTER}, "forbidden"),
            ({"approval": "apr_00000000000000000000000000"}, "not-found"),
        ],
    )
    async def test_refuses_without_leaving_history(self, bench: Bench, change: dict[str, str], code: str) -> None:
        async with bench.running(GATED, payer()) as run:
            approval = await run.approval()
            before = await run.settled_events()
            assert await refused(run, run.decision(approval, **change)) == code
            assert await run.events() == before
            await run.decide(run.decision(approval))
            await run.handle.result()

    async def test_refuses_a_late_decision_without_leaving_history(self, bench: Bench) -> None:
        given = program(approve("gate"), approve("second"))
        async with bench.running(given) as run:
            first = await run.approval()
            await run.decide(run.decision(first))
            second = await until(lambda: opened(run, "second"))
            assert second.approval != first.approval
            before = await run.settled_events()
            assert await refused(run, run.decision(first, by=OTHER_REVIEWER)) == "approval-closed"
            assert await run.events() == before
            await run.decide(run.decision(second))
            await run.handle.result()


async def opened(run: LiveRun, step: str) -> OpenApproval | None:
    """Return a step's approval when it is open in the inbox."""
    approval = await run.approval()
    return approval if approval.step == step else None


class TestLiveCheck:
    async def test_refuses_a_reviewer_whose_role_is_gone_and_notes_it(self, bench: Bench) -> None:
        async with bench.running(GATED, payer()) as run:
            approval = await run.approval()
            decision = run.decision(approval)
            await bench.storage.keys.set_reviewer_roles(bench.tenant, REVIEWER, ())
            assert await refused(run, decision) == "forbidden"
            await run.decide(run.decision(approval, by=OTHER_REVIEWER))
            await run.handle.result()
            kinds = await run.kinds()
            assert (kinds.count("workflow:decision:refused"), kinds.count("human:approval:decided")) == (1, 1)

    async def test_refuses_a_decision_that_the_gateway_did_not_attest(self, bench: Bench) -> None:
        async with bench.running(GATED, payer()) as run:
            approval = await run.approval()
            forged = run.decision(approval).model_copy(update={"attestation": "0" * 64})
            assert await refused(run, forged) == "forbidden"
            await run.handle.signal(APPROVE, forged.model_copy(update={"decision_id": "dec_signal"}))
            await run.decide(run.decision(approval))
            await run.handle.result()
            assert (await run.kinds()).count("workflow:decision:refused") == 2

    async def test_refuses_somebody_who_is_not_known(self, bench: Bench) -> None:
        async with bench.running(GATED, payer()) as run:
            approval = await run.approval()
            assert await refused(run, run.decision(approval, by="prn_nobody")) == "forbidden"
            await run.decide(run.decision(approval))
            await run.handle.result()


class TestBoundCall:
    async def test_begins_beside_the_flush_that_closes_its_approval(self, bench: Bench) -> None:
        async with bench.running(GATED, payer()) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval))
            row = await bench.storage.approvals.get(bench.tenant, approval.approval)
            await run.handle.result()
            events = (await run.handle.fetch_history()).events
        scheduled = [e.activity_task_scheduled_event_attributes for e in events if e.HasField("activity_task_scheduled_event_attributes")]
        [called] = [each for each in scheduled if each.activity_type.name == CALL_TOOL]
        beside = [
            each.activity_type.name
            for each in scheduled
            if each.workflow_task_completed_event_id == called.workflow_task_completed_event_id
        ]
        assert sorted(beside) == [CALL_TOOL, FLUSH_FACTS]
        assert row.state == "approved", "an update answers when the inbox shows its decision"

    async def test_is_refused_when_somebody_changed_the_approvals_row(self, bench: Bench, migrated: MigratedServer) -> None:
        gate, pay = Gate(), payer()
        given = program(approve("gate", binds=["pay"]), call("before", tool="mail.send"), call("pay", arguments={"amount": 1}))
        async with bench.running(given, ScriptedTool("mail.send", gate), pay) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval))
            await gate.reached.wait()
            with psycopg.connect(migrated.owner_url) as owner:
                owner.execute("UPDATE approvals SET digest = repeat('0', 64) WHERE approval = %s", [approval.approval])
            gate.opened.set()
            assert await run.failure() == "stale-digest"
        assert pay.calls == []


class TestRace:
    async def test_of_two_reviewers_has_one_winner(self, bench: Bench) -> None:
        async with bench.worker(payer()):
            run = await bench.start(GATED)
            approval = await run.approval()
        both = [run.decision(approval, by=REVIEWER), run.decision(approval, by=OTHER_REVIEWER, verdict="reject")]
        sent = [asyncio.create_task(run.decide(decision)) for decision in both]
        async with bench.worker(payer()):
            answers = await asyncio.gather(*sent, return_exceptions=True)
            won = [answer for answer in answers if isinstance(answer, DecisionResult)]
            lost = [answer for answer in answers if isinstance(answer, WorkflowUpdateFailedError)]
            assert (len(won), len(lost)) == (1, 1)
            assert isinstance(lost[0].cause, ApplicationError)
            assert lost[0].cause.type == "approval-closed"
            await run.failure()
        assert (await run.kinds()).count("human:approval:decided") == 1


class TestDoubleSubmit:
    async def test_over_a_timeout_decides_once(self, bench: Bench) -> None:
        async with bench.worker(payer()):
            run = await bench.start(GATED)
            decision = run.decision(await run.approval())
        with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
            await run.decide(decision, within=timedelta(milliseconds=300))
        async with bench.worker(payer()):
            assert (await run.decide(decision)).decided_by == REVIEWER
            await run.handle.result()
        kinds = await run.kinds()
        assert (kinds.count("human:approval:decided"), kinds.count("workflow:decision:refused")) == (1, 0)


def read(on_timeout: str) -> Program:
    """Build a gate of 24 hours before a call that changes nothing."""
    tool = pinned("notes.read", effect_class=EffectClass.READ)
    return program(
        approve("gate", binds=["look"], timeout_s=24 * 3600, on_timeout=on_timeout), call("look", tool="notes.read"), tools=[tool]
    )


class TestDeadline:
    @pytest.mark.parametrize(
        ("on_timeout", "code", "calls"), [("reject", "approval-rejected", 0), ("fail", "step-timed-out", 0), ("approve", None, 1)]
    )
    async def test_of_24_hours_does_as_the_step_says(self, bench: Bench, on_timeout: str, code: str | None, calls: int) -> None:
        look = ScriptedTool("notes.read")
        async with bench.running(read(on_timeout), look) as run:
            approval = await run.approval()
            await run.pass_time(timedelta(hours=23, minutes=59))
            assert (await run.state()).approvals[0].decision is None
            await run.pass_time(timedelta(minutes=2))
            assert await run.failure() == code
            assert len(look.calls) == calls
            assert (await bench.storage.approvals.get(bench.tenant, approval.approval)).state == "timed_out"
            assert "workflow:approval:timed_out" in await run.kinds()

    async def test_that_passed_refuses_a_decision(self, bench: Bench) -> None:
        given = program(approve("gate", timeout_s=24 * 3600, on_timeout="approve"), approve("second"))
        async with bench.running(given) as run:
            first = await run.approval()
            await run.pass_time(timedelta(hours=25))
            await until(lambda: opened(run, "second"))
            assert await refused(run, run.decision(first)) == "approval-closed"
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
