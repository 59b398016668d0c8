"""The inbox on real servers: written before a run waits, with what is behind a question; substitutes and calendars in a live run."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from adapters.calendars.zones import PinnedZones
from domain.calendars import Calendar, resolve
from domain.inbox import InboxFilter
from domain.principals import Role
from domain.provenance import ArgumentOrigin, Origin
from domain.substitutes import Substitution
from tests.domain.programs import agent, approve, call, program
from tests.fake_provider import FakeProvider, answered
from tests.workflows.bench import OTHER_REVIEWER, REVIEWER, Bench, LiveRun, ScriptedTool

pytestmark = pytest.mark.asyncio(loop_scope="session")

GATED = program(approve("gate", binds=["pay"]), call("pay", arguments={"amount": "${ input.n }"}))
EVERY_NIGHT = {day: [{"from": "22:00", "to": "23:00"}] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
NIGHTS = Calendar.model_validate({"zone": "Europe/Berlin", "hours": EVERY_NIGHT})


async def substitute(bench: Bench, *, reviewer: str = REVIEWER) -> str:
    """Make a principal without reviewer roles who substitutes for a reviewer, and return the substitution's id."""
    who = {"key_id": f"{bench.tenant}sub", "secret_hmac": secrets.token_bytes(32), "principal": "prn_sub", "name": "sub"}
    await bench.storage.keys.create(bench.tenant, **who, role=Role.APPROVER, reviewer_roles=())  # pyright: ignore[reportArgumentType] - its own keywords
    now = datetime.now(UTC)
    since, until = (moment.isoformat(timespec="microseconds") for moment in (now - timedelta(hours=1), now + timedelta(hours=1)))
    said = {"reviewer": reviewer, "substitute": "prn_sub", "since": since, "until": until, "set_by": reviewer, "created_at": since}
    lent = Substitution.model_validate({"substitution": "sbs_1", **said})
    return (await bench.storage.substitutes.add(bench.tenant, lent)).substitution


async def decided_entry(run: LiveRun) -> str:
    """Return the body of the entry that says who decided."""
    entries = await run.bench.storage.ledger.entries(run.bench.tenant, run.run)
    return next(entry.body.decode() for entry in entries if entry.kind == "human:approval:decided")


class TestInbox:
    async def test_has_the_row_before_the_run_begins_to_wait(self, bench: Bench) -> None:
        given = program(approve("gate", timeout_s=3600))
        async with bench.running(given) as run:
            await run.waits_for_event("TIMER_STARTED")
            page = await bench.storage.approvals.page(bench.tenant, InboxFilter(state="open", run=run.run))
            assert [row.projection.step for row in page.items] == ["gate"]
            events = await run.events()
            assert events.index("ACTIVITY_TASK_COMPLETED") < events.index("TIMER_STARTED")
            await run.handle.cancel()
            assert await run.failure() == "cancelled"

    async def test_shows_a_decision_when_it_is_answered(self, bench: Bench) -> None:
        async with bench.running(GATED, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            await run.decide(run.decision(approval))
            assert (await bench.storage.approvals.get(bench.tenant, approval.approval)).state == "approved"
            assert (await bench.storage.approvals.page(bench.tenant, InboxFilter(state="open", run=run.run))).items == ()
            await run.handle.result()

    async def test_says_where_values_come_from_and_what_was_said(self, bench: Bench) -> None:
        schema = {"type": "object", "properties": {"amount": {"type": "integer"}}}
        given = program(
            agent("review", output_schema=schema),
            approve("gate", binds=["pay"]),
            call("pay", arguments={"amount": "${ steps.review.output.amount }", "to": "${ input.n }"}),
        )
        async with bench.worker(ScriptedTool("bank.pay"), provider=FakeProvider(answered('{"amount": 80}'))):
            run = await bench.start(given)
            approval = await run.approval()
            row = await bench.storage.approvals.get(bench.tenant, approval.approval)
            assert row.projection.provenance == [
                ArgumentOrigin(step="pay", argument="amount", origins=[Origin(source="model", step="review", path="amount")]),
                ArgumentOrigin(step="pay", argument="to", origins=[Origin(source="input", path="n")]),
            ]
            messages = await bench.storage.messages.last(bench.tenant, run.run, row.projection.conversation or "", limit=5)
            assert [message.role for message in messages] == ["user"]
            answer = await bench.storage.payloads.get(bench.tenant, row.projection.answer_ref or "")
            assert "80" in str(answer)
            await run.decide(run.decision(approval))
            await run.handle.result()


class TestSubstitute:
    async def test_decides_in_the_reviewers_place(self, bench: Bench) -> None:
        await substitute(bench)
        async with bench.running(GATED, ScriptedTool("bank.pay")) as run:
            told = await run.decide(run.decision(await run.approval(), by="prn_sub"))
            assert told.decided_by == "prn_sub"
            await run.handle.result()
            assert f'"acting_for":"{REVIEWER}"' in await decided_entry(run)

    async def test_whose_time_was_ended_is_refused(self, bench: Bench) -> None:
        await bench.storage.substitutes.end(bench.tenant, await substitute(bench), principal=REVIEWER)
        async with bench.running(GATED, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            with pytest.raises(WorkflowUpdateFailedError):
                await run.decide(run.decision(approval, by="prn_sub"))
            await run.decide(run.decision(approval, by=OTHER_REVIEWER))
            await run.handle.result()
            assert "workflow:decision:refused" in await run.kinds()

    async def test_of_whoever_started_the_run_is_refused(self, bench: Bench) -> None:
        await substitute(bench, reviewer="prn_starter")
        async with bench.running(GATED, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            with pytest.raises(WorkflowUpdateFailedError):
                await run.decide(run.decision(approval, by="prn_sub"))
            await run.decide(run.decision(approval))
            await run.handle.result()


class TestCalendar:
    async def test_counts_a_deadline_in_working_time(self, bench: Bench) -> None:
        await bench.storage.calendars.put(bench.tenant, "nights", NIGHTS, principal=REVIEWER)
        given = program(approve("gate", timeout_s=5400, calendar="nights"))
        async with bench.running(given) as run:
            approval = await run.approval()
            row = await bench.storage.approvals.get(bench.tenant, approval.approval)
            opened = datetime.fromisoformat(row.projection.opened_at)
            (expected,) = resolve(NIGHTS, PinnedZones().zone(NIGHTS.zone), opened, [timedelta(minutes=90)])
            assert datetime.fromisoformat(row.projection.deadline or "") == expected
            await run.decide(run.decision(approval))
            await run.handle.result()

    async def test_that_is_not_there_fails_the_step(self, bench: Bench) -> None:
        given = program(approve("gate", timeout_s=5400, calendar="attic"))
        async with bench.running(given) as run:
            assert await run.failure() == "not-found"
