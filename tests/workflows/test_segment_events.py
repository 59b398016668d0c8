"""What comes while a segment is on its way: cancellations, refused signals, a stopping worker; and what people see of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import ToolUnavailable
from domain.ledger import Kind
from domain.program import Execution, RetryRule, Step
from domain.runs import RunStatus
from tests.domain.programs import approve, call
from tests.workflows.bench import Bench, Gate, Line, LiveRun, until
from tests.workflows.segment_shapes import READS, Shape, one, read, told
from tests.workflows.test_details import details
from tests.workflows.test_segments import activities
from workflows.messages import APPROVE

pytestmark = pytest.mark.asyncio(loop_scope="session")

HELD = (read("a"), read("b", tool="log.odd"), read("c"))


def held(gate: Gate, *steps: Step) -> Shape:
    """Return three reads, the second behind a gate."""
    return Shape((*HELD, *steps), scripts=one("log.odd", gate))


async def cancelled(bench: Bench, execution: Execution | None) -> LiveRun:
    """Cancel a run while its second read is on its way, and let that end when the cancellation has come to it."""
    gate = Gate({"n": 2})
    shape = held(gate)
    async with bench.running(shape.program(execution), *shape.tools()) as run:
        await gate.reached.wait()
        await run.handle.cancel()
        await run.waits_for_event("ACTIVITY_TASK_CANCEL_REQUESTED")
        if execution is None:
            await beaten(run)
        gate.opened.set()
        assert await run.failure() == "cancelled"
    return run


async def beaten(run: LiveRun) -> None:
    """Wait for three beats: the answer to the second has come to the activity, and with it whatever was asked before."""
    seen: set[datetime] = set()

    async def thrice() -> bool:
        for pending in (await run.handle.describe()).raw_description.pending_activities:
            if pending.HasField("last_heartbeat_time"):
                seen.add(pending.last_heartbeat_time.ToDatetime())
        return len(seen) > 2

    await until(thrice)


class TestCancellation:
    async def test_in_the_middle_leaves_the_same_as_step_by_step(self, bench: Bench) -> None:
        by_steps, by_segments = await cancelled(bench, "steps"), await cancelled(bench, None)
        assert await told(by_segments) == await told(by_steps)
        effects = await bench.storage.runs.effects_of(bench.tenant, by_segments.run)
        assert [(effect.step, effect.state) for effect in effects] == [("a", "done"), ("b", "done")]

    async def test_does_not_wait_for_the_next_try(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        away: Line = ToolUnavailable("503", retry_after_s=3600)
        shape = Shape((read("a"), read("b", tool="log.odd", retry=RetryRule(delay_s=3600))), scripts=one("log.odd", away, gate))
        async with bench.running(shape.program(None), *shape.tools()) as run:
            await run.waits_for_event("TIMER_STARTED")
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert (await run.row()).status is RunStatus.CANCELLED
            assert not gate.reached.is_set()


class TestRefusal:
    async def test_is_a_fact_after_the_segment(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        shape = held(gate, call("pay"))
        async with bench.running(shape.program(None), *shape.tools()) as run:
            await gate.reached.wait()
            unknown = {"approval": "apr_x", "decision_id": "dec_x", "digest": "0" * 64, "verdict": "approve", "principal": "prn_x"}
            await run.handle.signal(APPROVE, unknown)
            await run.waits_for_event("WORKFLOW_EXECUTION_SIGNALED")
            gate.opened.set()
            await run.handle.result()
            kinds = await run.kinds()
        assert kinds.count(Kind.APPROVAL_REFUSED) == 1
        assert kinds.index(Kind.APPROVAL_REFUSED) > [place for place, kind in enumerate(kinds) if kind == "agent:tool:called"][2]


class TestWorker:
    async def test_that_stops_leaves_the_rest_to_the_next(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        shape = held(gate)
        first, second = shape.tools(), shape.tools()
        async with bench.worker(*first) as worker:
            run = await bench.start(shape.program(None))
            await gate.reached.wait()
            stopping = asyncio.create_task(worker.shutdown())
            await asyncio.sleep(0)
            gate.opened.set()
            await stopping
        async with bench.worker(*second):
            await run.handle.result()
        made = [call_made.idempotency_key for each in (*first, *second) for call_made in each.calls]
        assert len(made) == len(set(made)) == 3


class TestPicture:
    async def test_shows_the_steps_inside_while_it_runs(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        shape = held(gate, call("pay"))
        async with bench.running(shape.program(None), *shape.tools()) as run:
            await gate.reached.wait()
            shown = await details(run)
            assert "Waits for: a … c (3 steps)" in shown
            assert "- ▷ `b` in this activity" in shown
            assert "- ▷ `c` in this activity" in shown
            assert (await run.state()).waits_for == "a … c (3 steps)"
            await beaten(run)
            [pending] = (await run.handle.describe()).raw_description.pending_activities
            assert b'"b"' in pending.heartbeat_details.payloads[0].data
            gate.opened.set()
            await run.handle.result()

    async def test_has_every_step_in_the_trace_in_order(self, bench: Bench) -> None:
        shape = Shape(tuple(read(f"a{n}") for n in range(4)))
        async with bench.running(shape.program(None), *shape.tools()) as run:
            await run.handle.result()
            assert await activities(run) == ["standfast.run_segment"]
            effects = await bench.storage.runs.effects_of(bench.tenant, run.run)
            assert [(effect.step, effect.state) for effect in effects] == [(f"a{n}", "done") for n in range(4)]

    async def test_is_one_activity_for_a_whole_run(self, bench: Bench) -> None:
        shape = Shape(READS, output="${ steps.b.output.n }")
        async with bench.running(shape.program(None), *shape.tools()) as run:
            assert (await run.handle.result()).output == 1
            assert await activities(run) == ["standfast.run_segment"]
            assert await run.shown_status() == "succeeded"
            row = await run.row()
            assert (row.status, await bench.storage.runs.result_of(bench.tenant, run.run)) == (RunStatus.SUCCEEDED, 1)


class TestTime:
    async def test_of_the_step_after_a_segment_begins_after_it(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        shape = held(gate, approve("gate", timeout_s=3600))
        async with bench.running(shape.program(None), *shape.tools()) as run:
            await gate.reached.wait()
            gate.opened.set()
            opened = await run.approval()
            history = await run.handle.fetch_history()
            [done] = [event for event in history.events if event.HasField("activity_task_completed_event_attributes")][:1]
            ended = done.event_time.ToDatetime(UTC)
            assert opened.deadline is not None
            assert datetime.fromisoformat(opened.deadline) - timedelta(hours=1) >= ended
            await run.handle.terminate()


class TestContinueAsNew:
    async def test_does_not_try_a_stopped_call_in_a_segment_again(self, bench: Bench) -> None:
        away: Line = ToolUnavailable("503", retry_after_s=0.01)
        shape = Shape((*READS, read("c", tool="log.odd", retry=RetryRule(max_attempts=2)), read("d")), scripts=one("log.odd", away, away))
        tools = shape.tools()
        async with bench.running(shape.program(None), *tools, history_max=5) as run:
            assert await run.failure() == "tool-unavailable"
        [odd] = [tool for tool in tools if tool.spec.name == "log.odd"]
        assert len(odd.calls) == 2
