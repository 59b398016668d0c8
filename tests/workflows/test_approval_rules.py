"""Approvals of several people over time, on real servers: votes, reminders, the ladder, amendments, questions, hand-overs."""

import secrets
from datetime import datetime, timedelta

import pytest
from pydantic import JsonValue
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain.approval import Decision, OpenApproval
from domain.approval_rules import Moment, ReviewerGroup, Reviewers, Rung
from domain.calendars import Calendar
from domain.people_stores import ApprovalRow
from domain.principals import Role
from domain.program import Program
from tests.domain.programs import approve, call, pinned, program
from tests.workflows.bench import OTHER_REVIEWER, REQUESTER, REVIEWER, Bench, LiveRun, ScriptedTool, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEAD = "prn_lead"
OPERATOR = "prn_operator"
HOUR = 3600.0
TWO = Reviewers(groups=[ReviewerGroup(role="payer", quorum=2)])
SCHEMA: dict[str, JsonValue] = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 100}}, "required": ["amount"]}


def gated(**more: object) -> Program:
    """Build a gate before one payment of 80."""
    tool = pinned("bank.pay").model_copy(update={"input_schema": SCHEMA})
    return program(
        approve("gate", binds=["pay"], **more), call("pay", arguments={"amount": 80}), tools=[tool], output="${ steps.gate.output }"
    )


def rung(after_h: float | None, **more: object) -> Rung:
    """Build a rung for leads."""
    moment = None if after_h is None else Moment(after_s=after_h * HOUR)
    return Rung.model_validate({"to": ReviewerGroup(role="lead"), "moment": moment, **more})


async def add(bench: Bench, who: str, role: Role, *reviewer_roles: str) -> None:
    """Make a principal."""
    key, secret = f"{bench.tenant}{who}", secrets.token_bytes(32)
    await bench.storage.keys.create(
        bench.tenant, key_id=key, secret_hmac=secret, principal=who, name=who, role=role, reviewer_roles=reviewer_roles
    )


async def refused(run: LiveRun, decision: Decision) -> str | None:
    """Send a decision that shall be refused, and return the code."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await run.decide(decision)
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type


async def row(run: LiveRun, approval: OpenApproval) -> ApprovalRow:
    """Return the approval as the inbox has it."""
    return await run.bench.storage.approvals.get(run.bench.tenant, approval.approval)


async def now(run: LiveRun) -> OpenApproval:
    """Return the run's approval as the run holds it now."""
    return (await run.state()).approvals[0]


class TestVotes:
    async def test_of_two_people_are_told_apart_and_shown(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with bench.running(gated(reviewers=TWO), pay) as run:
            approval = await run.approval()
            first = await run.decide(run.decision(approval, comment="checked"))
            assert first.ending is None
            shown = await row(run, approval)
            assert shown.state == "open"
            assert shown.projection.standing is not None
            assert shown.projection.standing.groups[0].approved_by == [REVIEWER]
            assert [event.comment for event in shown.projection.events] == ["checked"]
            second = await run.decide(run.decision(approval, by=OTHER_REVIEWER))
            assert second.ending == "approve"
            result = await run.handle.result()
            plain = {"decision": "approve", "form": None}
            assert isinstance(result.output, dict)
            assert result.output["decisions"] == [
                {**plain, "decided_by": REVIEWER, "comment": "checked"},
                {**plain, "decided_by": OTHER_REVIEWER, "comment": ""},
            ]
            closed = (await row(run, approval)).projection.standing
            assert closed is not None
            assert closed.groups[0].approved_by == [REVIEWER, OTHER_REVIEWER]
            kinds = await run.kinds()
            assert (kinds.count("human:approval:voted"), kinds.count("human:approval:decided")) == (1, 1)
            assert len(pay.calls) == 1

    async def test_of_the_same_person_twice_leave_no_history(self, bench: Bench) -> None:
        async with bench.running(gated(reviewers=TWO), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval))
            before = await run.settled_events()
            assert await refused(run, run.decision(approval)) == "already-decided"
            assert await run.events() == before
            await run.decide(run.decision(approval, by=OTHER_REVIEWER))
            await run.handle.result()

    async def test_need_every_group(self, bench: Bench) -> None:
        await add(bench, LEAD, Role.APPROVER, "lead")
        both = Reviewers(groups=[ReviewerGroup(role="payer"), ReviewerGroup(role="lead")], four_eyes=True)
        async with bench.running(gated(reviewers=both), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            assert (await run.decide(run.decision(approval, by=LEAD))).ending is None
            assert (await run.decide(run.decision(approval))).ending == "approve"
            await run.handle.result()


class TestTime:
    async def test_reminds_and_escalates_and_tells_it(self, bench: Bench) -> None:
        await add(bench, LEAD, Role.APPROVER, "lead")
        given = gated(remind_s=[4 * HOUR], ladder=[rung(12)], timeout_s=24 * HOUR)
        async with bench.running(given, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            assert await refused(run, run.decision(approval, by=LEAD)) == "forbidden"
            await run.pass_time(timedelta(hours=5))
            await until(lambda: in_inbox(run, approval, reminders=1, rungs=0))
            await run.pass_time(timedelta(hours=8))
            await until(lambda: in_inbox(run, approval, reminders=1, rungs=1))
            assert (await row(run, approval)).projection.roles == ["payer", "lead"]
            assert (await run.decide(run.decision(approval, by=LEAD))).ending == "approve"
            await run.handle.result()
            kinds = await run.kinds()
            assert [kinds.count(f"workflow:approval:{what}") for what in ("reminded", "escalated", "timed_out")] == [1, 1, 0]

    async def test_hands_over_at_the_deadline_and_rejects_at_the_end_of_the_ladder(self, bench: Bench) -> None:
        given = gated(ladder=[rung(None, replace=True)], timeout_s=24 * HOUR, on_timeout="escalate")
        async with bench.running(given, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            await run.pass_time(timedelta(hours=25))
            await until(lambda: in_inbox(run, approval, reminders=0, rungs=1))
            assert (await row(run, approval)).projection.roles == ["lead"]
            assert await refused(run, run.decision(approval)) == "forbidden"
            await run.pass_time(timedelta(hours=24))
            assert await run.failure() == "approval-rejected"

    async def test_over_four_weeks_costs_a_timer_and_a_flush_for_each_reminder(self, bench: Bench) -> None:
        days = range(1, 29)
        given = gated(remind_s=[day * 24 * HOUR for day in days], timeout_s=30 * 24 * HOUR)
        async with bench.running(given, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            for day in days:
                await run.pass_time(timedelta(days=1))
                await until(lambda day=day: in_inbox(run, approval, reminders=day, rungs=0))
            await run.pass_time(timedelta(days=3))
            assert await run.failure() == "approval-rejected"
            assert (await run.kinds()).count("workflow:approval:reminded") == 28
            events = await run.events()
            assert (events.count("TIMER_STARTED"), events.count("ACTIVITY_TASK_SCHEDULED")) == (29, 31)


async def in_inbox(run: LiveRun, approval: OpenApproval, *, reminders: int, rungs: int) -> bool:
    """Whether the inbox shows so many reminders and rungs."""
    standing = (await row(run, approval)).projection.standing
    return standing is not None and (standing.reminders, standing.rungs) == (reminders, rungs)


class TestCalendar:
    async def test_makes_durations_working_time(self, bench: Bench) -> None:
        hours = {day: [{"from": "09:00", "to": "17:00"}] for day in ("mon", "tue", "wed", "thu", "fri")}
        calendar = Calendar.model_validate({"zone": "Europe/Berlin", "hours": hours})
        await bench.storage.calendars.put(bench.tenant, "office", calendar, principal="prn_admin")
        given = gated(remind_s=[8 * HOUR], timeout_s=40 * HOUR, calendar="office")
        async with bench.running(given, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            shown = (await row(run, approval)).projection
            assert shown.deadline is not None
            assert shown.rules is not None
            week = datetime.fromisoformat(shown.deadline) - datetime.fromisoformat(shown.opened_at)
            assert timedelta(days=4) < week < timedelta(days=8)
            assert shown.rules.remind[0].at < shown.rules.deadlines[0].at
            await run.decide(run.decision(approval))
            await run.handle.result()

    async def test_that_is_not_there_fails_the_step(self, bench: Bench) -> None:
        async with bench.running(gated(timeout_s=HOUR, calendar="nowhere"), ScriptedTool("bank.pay")) as run:
            assert await run.failure() == "not-found"


class TestAmendment:
    async def test_makes_a_new_digest_and_runs_as_amended(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with bench.running(gated(reviewers=TWO), pay) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval))
            content = {"arguments": {"pay": {"amount": 60}}}
            await run.decide(run.decision(approval, by=OTHER_REVIEWER, verdict="amend", content=content))
            new = await now(run)
            assert (new.digest != approval.digest, new.calls[0].arguments) == (True, {"amount": 60})
            assert await refused(run, run.decision(approval, by=OTHER_REVIEWER)) == "stale-digest"
            shown = (await row(run, approval)).projection
            assert (shown.digest, shown.calls[0]["arguments"], shown.amended_by) == (new.digest, {"amount": 60}, OTHER_REVIEWER)
            assert (await run.decide(run.decision(new))).ending is None
            assert (await run.decide(run.decision(new, by=OTHER_REVIEWER))).ending == "approve"
            await run.handle.result()
            assert [each.arguments for each in pay.calls] == [{"amount": 60}]

    async def test_that_breaks_the_tools_schema_is_refused_as_a_fact(self, bench: Bench) -> None:
        async with bench.running(gated(), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            content = {"arguments": {"pay": {"amount": 101}}}
            assert await refused(run, run.decision(approval, verdict="amend", content=content)) == "invalid-input"
            assert (await now(run)).digest == approval.digest
            await run.decide(run.decision(approval))
            await run.handle.result()
            assert (await run.kinds()).count("workflow:decision:refused") == 1

    async def test_is_approved_by_somebody_else_where_four_eyes_are_asked(self, bench: Bench) -> None:
        four = Reviewers(groups=[ReviewerGroup(role="payer")], four_eyes=True)
        async with bench.running(gated(reviewers=four), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval, verdict="amend", content={"arguments": {"pay": {"amount": 60}}}))
            new = await now(run)
            assert await refused(run, run.decision(new)) == "forbidden"
            await run.decide(run.decision(new, by=OTHER_REVIEWER))
            await run.handle.result()


class TestQuestion:
    async def test_stops_the_clock_until_the_requester_answers(self, bench: Bench) -> None:
        async with bench.running(gated(timeout_s=24 * HOUR), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval, verdict="request_info", comment="whose is it?"))
            assert (await run.row()).waits_for == "gate: an answer to a reviewer's question"
            await run.pass_time(timedelta(hours=30))
            assert await refused(run, run.decision(approval, verdict="give_info", by=OTHER_REVIEWER, comment="mine")) == "forbidden"
            await run.decide(run.decision(approval, verdict="give_info", by=REQUESTER, comment="Ada's"))
            shown = (await row(run, approval)).projection
            assert [event.comment for event in shown.events] == ["whose is it?", "Ada's"]
            await run.pass_time(timedelta(hours=23))
            assert (await now(run)).decision is None
            await run.pass_time(timedelta(hours=2))
            assert await run.failure() == "approval-rejected"


class TestHandOver:
    async def test_of_a_vote_lets_the_delegate_decide_in_its_place(self, bench: Bench) -> None:
        await add(bench, "prn_delegate", Role.APPROVER)
        async with bench.running(gated(), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            assert await refused(run, run.decision(approval, by="prn_delegate")) == "forbidden"
            await run.decide(run.decision(approval, verdict="delegate", content={"to": "prn_delegate"}))
            assert (await row(run, approval)).projection.delegates == ["prn_delegate"]
            await run.decide(run.decision(approval, by="prn_delegate"))
            await run.handle.result()
            assert (await now(run)).events[-1].acting_for == REVIEWER

    async def test_is_of_no_use_when_the_delegators_role_is_gone(self, bench: Bench) -> None:
        await add(bench, "prn_delegate", Role.APPROVER)
        async with bench.running(gated(), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval, verdict="delegate", content={"to": "prn_delegate"}))
            await bench.storage.keys.set_reviewer_roles(bench.tenant, REVIEWER, ())
            assert await refused(run, run.decision(approval, by="prn_delegate")) == "forbidden"
            await run.decide(run.decision(approval, by=OTHER_REVIEWER))
            await run.handle.result()


class TestOthers:
    async def test_an_operator_extends_the_deadline_and_a_reviewer_does_not(self, bench: Bench) -> None:
        await add(bench, OPERATOR, Role.OPERATOR)
        async with bench.running(gated(timeout_s=24 * HOUR), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            assert approval.deadline is not None
            later = {"deadline": (datetime.fromisoformat(approval.deadline) + timedelta(days=30)).isoformat()}
            assert await refused(run, run.decision(approval, verdict="extend", content=later)) == "forbidden"
            await run.decide(run.decision(approval, verdict="extend", by=OPERATOR, content=later))
            await run.pass_time(timedelta(days=20))
            assert (await now(run)).decision is None
            await run.decide(run.decision(approval))
            await run.handle.result()

    async def test_the_requester_withdraws_and_nothing_is_called(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with bench.running(gated(), pay) as run:
            approval = await run.approval()
            assert await refused(run, run.decision(approval, verdict="withdraw")) == "forbidden"
            await run.decide(run.decision(approval, verdict="withdraw", by=REQUESTER))
            assert await run.failure() == "approval-withdrawn"
            assert (await row(run, approval)).state == "withdrawn"
            assert (pay.calls, (await run.kinds()).count("human:approval:withdrawn")) == ([], 1)

    async def test_a_form_has_to_be_answered_as_its_schema_says(self, bench: Bench) -> None:
        form: dict[str, JsonValue] = {"type": "object", "required": ["reason"], "properties": {"reason": {"enum": ["damaged", "late"]}}}
        async with bench.running(gated(form=form), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            assert await refused(run, run.decision(approval)) == "invalid-input"
            await run.decide(run.decision(approval, content={"form": {"reason": "late"}}))
            result = await run.handle.result()
            assert isinstance(result.output, dict)
            assert result.output["form"] == {"reason": "late"}
