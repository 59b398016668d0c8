"""What the Web UI shows: a summary on every activity and timer, current details, and the attempt of a running activity."""

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionDescription
from temporalio.contrib.pydantic import pydantic_data_converter

from domain.errors import ToolUnavailable
from domain.state import State, StepRecord, StepStatus
from tests.domain.programs import approve, call, program, saga
from tests.workflows.bench import Bench, LiveRun, ScriptedTool, until
from workflows.details import STEPS_SHOWN, run_details
from workflows.messages import RunInput

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def details(run: LiveRun) -> str:
    """Return the current details, as the Web UI asks for them."""
    metadata = await run.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


class TestSummary:
    async def test_stands_on_every_activity_and_timer(self, bench: Bench) -> None:
        given = program(
            approve("gate", timeout_s=3600, summary="Claim ${ input.n }"),
            saga("s", call("s.pay", summary="Pay ${ input.n }", undo="bank.refund")),
        )
        async with bench.running(given, ScriptedTool("bank.pay")) as run:
            decision = run.decision(await run.approval())

            async def timed() -> bool:
                # A decision that comes with the answer of the flush finds a wait that has no timer yet, and none is started for it.
                return any(event.HasField("timer_started_event_attributes") for event in (await run.handle.fetch_history()).events)

            await until(timed)
            await run.decide(decision)
            await run.handle.result()
            history = await run.handle.fetch_history()
            said = [
                pydantic_data_converter.payload_converter.from_payload(event.user_metadata.summary, str)
                for event in history.events
                if event.HasField("activity_task_scheduled_event_attributes") or event.HasField("timer_started_event_attributes")
            ]
            assert "" not in said
            assert "Pay 1" in said
            assert any(text.endswith("deadline of the approval") for text in said)


class TestDetails:
    async def test_name_the_step_and_what_it_waits_for(self, bench: Bench) -> None:
        given = program(call("pay"), approve("gate"))
        async with bench.running(given, ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            shown = await details(run)
            assert "**test 1.0.0** · epoch 1" in shown
            assert "Waits for: gate (ask approval)" in shown
            assert "- ✔ `pay` visit 1" in shown
            assert "- ▶ `gate` visit 1" in shown
            await run.decide(run.decision(approval))
            await run.handle.result()
            assert "Waits for: nothing" in await details(run)

    async def test_of_a_failed_step_name_its_code(self, bench: Bench) -> None:
        async with bench.running(program(call("pay")), ScriptedTool("bank.pay", ValueError("bug"))) as run:
            await run.failure()
            assert "- ✘ `pay` visit 1 · step-failed" in await details(run)

    async def test_stand_beside_the_attempt_of_the_running_activity(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay", ToolUnavailable("503", retry_after_s=60))
        async with bench.running(program(call("pay", retry={"max_attempts": 3})), pay) as run:

            async def waiting() -> WorkflowExecutionDescription | None:
                described = await run.handle.describe()
                pending = described.raw_description.pending_activities
                return described if pending and pending[0].attempt == 2 else None

            described = await until(waiting)
            [pending] = described.raw_description.pending_activities
            assert pending.activity_type.name == "standfast.call_tool"
            assert "pay (call tool)" in await details(run)
            await run.handle.terminate()


class TestLongRun:
    async def test_lists_the_latest_steps_and_counts_those_before(self) -> None:
        given = program(*(call(f"c{n}") for n in range(STEPS_SHOWN + 5)))
        start = RunInput(run="run_1", tenant="acme", principal="prn_1", correlation_id="run_1", program=given)
        record = StepRecord(status=StepStatus.SUCCEEDED)
        lines = run_details(start, State(steps={step.path: record for step in given.steps}), None).splitlines()
        assert lines[4:6] == ["- … 5 steps before these", "- ✔ `c5` visit 1"]
        assert lines[-1] == f"- ✔ `c{STEPS_SHOWN + 4}` visit 1"
        assert len(lines) == 5 + STEPS_SHOWN


class TestState:
    async def test_tells_what_the_run_knows(self, bench: Bench) -> None:
        async with bench.running(program(call("pay"), approve("gate")), ScriptedTool("bank.pay")) as run:
            approval = await run.approval()
            state = await run.state()
            assert (state.status, state.epoch, state.waits_for) == ("waiting", 1, "gate (ask approval)")
            assert state.steps == {"pay": "succeeded", "gate": "entered"}
            assert [each.approval for each in state.approvals] == [approval.approval]
            await run.handle.terminate()


class TestSagas:
    async def test_are_shown_with_the_state_of_each_step(self, bench: Bench) -> None:
        steps = saga("s", call("s.pay", undo="bank.refund"), approve("s.gate"))
        async with bench.running(program(steps), ScriptedTool("bank.pay"), ScriptedTool("bank.refund")) as run:
            approval = await run.approval()
            assert "Saga `s` (sequential): **running**\n- `s.pay` done, `s.gate` running" in await details(run)
            await run.decide(run.decision(approval, verdict="reject"))
            assert await run.failure() == "approval-rejected"
            assert "Saga `s` (sequential): **undone**\n- `s.pay` undone, `s.gate` failed" in await details(run)
