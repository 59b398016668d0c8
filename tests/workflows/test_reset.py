"""A raw Temporal reset on the real server: detected, told to the run, and nothing is done twice (JOURNAL §2.2, §2.3)."""

import asyncio

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from domain.effects import EffectClass, Intent, IntentAnswer, IntentVerdict
from domain.errors import ToolFailed
from domain.runs import RunStatus
from tests.domain.programs import approve, call, pinned, program
from tests.workflows.bench import OTHER_REVIEWER, REVIEWER, Bench, LiveRun, ScriptedTool, until
from workflows.messages import RunResult

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def reset(bench: Bench, run: LiveRun, *, after_activities: int) -> LiveRun:
    """Reset the run to the workflow task that follows so many completed activities, as an operator does; signals are not applied again."""
    client = bench.env.client
    history = await run.handle.fetch_history()
    completed, point = 0, 0
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            completed += 1
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED and completed >= after_activities:
            point = event.event_id
            break
    assert point, "the history has no such point"
    described = await run.handle.describe()
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.run, run_id=described.run_id),
            reason="test",
            workflow_task_finish_event_id=point,
            request_id=described.run_id,
            reset_reapply_exclude_types=[
                ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
                ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
            ],
        )
    )
    return LiveRun(bench, run.run, client.get_workflow_handle(run.run, result_type=RunResult))


class HeldJournal:
    """The real journal that holds the first intent of one step until the test opens it, and keeps its verdict."""

    def __init__(self, bench: Bench, step: str) -> None:
        self._real = bench.storage.journal
        self._step = step
        self.reached, self.opened, self.answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.verdict: IntentVerdict | None = None
        self.outcome = self._real.outcome
        self.advance = self._real.advance
        self.renew = self._real.renew
        self.resolve = self._real.resolve

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Record it, the first one of the step late."""
        if intent.key.step != self._step or self.reached.is_set():
            return await self._real.intent(intent)
        self.reached.set()
        await self.opened.wait()
        self.verdict = await self._real.intent(intent)
        self.answered.set()
        return self.verdict


GATED = [call("before", arguments={"n": 1}), approve("gate")]


class TestReset:
    async def test_of_a_run_that_waits_repeats_nothing(self, bench: Bench) -> None:
        given = program(*GATED, call("after", arguments={"n": 2}), output="${ steps.after.output.n }")
        pay = ScriptedTool("bank.pay", {"n": 1}, {"n": 2}, {"n": 3})
        async with bench.running(given, pay) as run:
            await run.approval()
            again = await reset(bench, run, after_activities=0)
            asked = await again.approval()
            await again.decide(again.decision(asked))
            assert (await again.handle.result()).output == 2
            assert [c.arguments for c in pay.calls] == [{"n": 1}, {"n": 2}]
            row = await run.row()
            assert (row.status, row.epoch) == (RunStatus.SUCCEEDED, 2)
            kinds = await run.kinds()
            assert kinds.count("platform:run:reset") == 1

    async def test_of_a_run_that_has_ended_opens_it_again(self, bench: Bench) -> None:
        given = program(call("a", arguments={"n": 1}), call("b", arguments={"n": 2}), call("c"), output="${ steps.b.output.n }")
        pay = ScriptedTool("bank.pay", {"n": 1}, {"n": 2})
        async with bench.running(given, pay) as run:
            assert (await run.handle.result()).output == 2
            again = await reset(bench, run, after_activities=1)
            assert (await again.handle.result()).output == 2
            assert len(pay.calls) == 3
            row = await run.row()
            assert (row.status, row.epoch) == (RunStatus.SUCCEEDED, 2)
            await run.kinds()

    async def test_keeps_what_is_left_of_the_replaced_execution_from_paying(self, bench: Bench) -> None:
        given = program(call("a", arguments={"n": 1}), call("pay", arguments={"n": 2}), output="${ steps.pay.output.n }")
        pay, held = ScriptedTool("bank.pay", {"n": 1}, {"n": 2}, ToolFailed("called twice")), HeldJournal(bench, "pay")
        async with bench.worker(pay, journal=held):
            run = await bench.start(given)
            await held.reached.wait()
            again = await reset(bench, run, after_activities=1)
            assert (await again.handle.result()).output == 2
            held.opened.set()
            await held.answered.wait()
            assert held.verdict is not None
            assert held.verdict.answer is IntentAnswer.UNLINKED
            assert [c.arguments for c in pay.calls] == [{"n": 1}, {"n": 2}]
            row = await run.row()
            assert (row.status, row.epoch) == (RunStatus.SUCCEEDED, 2)
            kinds = await run.kinds()
            assert (kinds.count("platform:run:reset"), kinds.count("agent:tool:called")) == (1, 2)

    async def test_asks_a_person_before_it_pays_otherwise(self, bench: Bench) -> None:
        given = program(approve("gate"), call("pay", arguments={"by": "${ steps.gate.output.decided_by }"}), approve("last"))
        pay = ScriptedTool("bank.pay", {"n": 1}, {"n": 2})
        async with bench.running(given, pay) as run:
            await run.decide(run.decision(await run.approval(), by=REVIEWER))

            async def at_the_last() -> bool:
                return (await run.approval()).step == "last"

            await until(at_the_last)
            again = await reset(bench, run, after_activities=0)

            async def at_the_gate() -> bool:
                return (await again.approval()).step == "gate"

            await until(at_the_gate)
            await again.decide(again.decision(await again.approval(), by=OTHER_REVIEWER))
            task = await again.task("divergent")
            assert len(pay.calls) == 1
            await again.complete(task, "happened", output={"n": 1})

            async def at_the_end() -> bool:
                return (await again.approval()).step == "last"

            await until(at_the_end)
            await again.decide(again.decision(await again.approval()))
            await again.handle.result()
            assert len(pay.calls) == 1
            assert "worker:effect:diverged" in await run.kinds()

    async def test_reads_anew_under_a_new_visit_when_the_question_is_another(self, bench: Bench) -> None:
        look = pinned("claims.look", effect_class=EffectClass.READ)
        given = program(
            approve("gate"),
            call("look", tool="claims.look", arguments={"by": "${ steps.gate.output.decided_by }"}),
            approve("last"),
            output="${ steps.look.output.n }",
            tools=[look],
        )
        tool = ScriptedTool("claims.look", {"n": 1}, {"n": 2}, effect_class=EffectClass.READ)
        async with bench.running(given, tool) as run:
            await run.decide(run.decision(await run.approval(), by=REVIEWER))

            async def at_the_last() -> bool:
                return (await run.approval()).step == "last"

            await until(at_the_last)
            again = await reset(bench, run, after_activities=0)

            async def at_the_gate() -> bool:
                return (await again.approval()).step == "gate"

            await until(at_the_gate)
            await again.decide(again.decision(await again.approval(), by=OTHER_REVIEWER))

            async def at_the_end() -> bool:
                return (await again.approval()).step == "last"

            await until(at_the_end)
            await again.decide(again.decision(await again.approval()))
            assert (await again.handle.result()).output == 2
            visits = {(e.visit, e.state) for e in await bench.storage.runs.effects_of(bench.tenant, run.run) if e.step == "look"}
            assert visits == {(1, "done"), (2, "done")}
            await run.kinds()
