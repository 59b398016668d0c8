"""The shell around the stepper: what it does when something breaks, when a cancellation comes late, and whose word it takes."""

import asyncio
import dataclasses
import json

import pytest
from temporalio import workflow
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from adapters.postgres.keys import PostgresKeyStore
from domain.approval import Decision
from domain.completion import TaskCompletion
from domain.errors import ExpressionFailed, StandfastError, ToolTimedOut
from domain.principals import Principal
from domain.runs import RunStatus
from domain.state import Command, Outcome, Tick
from domain.stepper import Stepper
from tests.domain.programs import approve, call, program
from tests.workflows.bench import REVIEWER, Bench, LiveRun, ScriptedTool, until
from tests.workflows.test_doubt import transfer, wiring
from workflows.messages import APPROVE, COMPLETE_TASK, RUN_WORKFLOW, RunInput, RunResult
from workflows.run import RunWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


class BrokenStepper(Stepper):
    """A stepper that cannot take any outcome."""

    def apply(self, outcome: Outcome, tick: Tick) -> list[Command]:
        """Raises: ExpressionFailed."""
        del outcome, tick
        raise ExpressionFailed("nothing can be evaluated any more")


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class BrokenRun(RunWorkflow):
    """The run workflow over a broken stepper."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._stepper = BrokenStepper(given.program, self._stepper.run, self.state)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


class GatedKeys(PostgresKeyStore):
    """Keys that cannot be read before the test lets them; `asked` tells that somebody wants to."""

    def __init__(self, bench: Bench, broken: StandfastError | None = None) -> None:
        super().__init__(bench.storage.database)
        self.asked, self.opened = asyncio.Event(), asyncio.Event()
        self._broken = broken

    async def principal(self, tenant: str, principal: str) -> Principal:
        """Return the principal, when the test lets it."""
        self.asked.set()
        if self._broken is not None:
            raise self._broken
        await self.opened.wait()
        return await super().principal(tenant, principal)


class TestBrokenStepper:
    async def test_fails_the_run_with_its_code_and_not_the_workflow_task_for_ever(self, bench: Bench) -> None:
        async with bench.worker(ScriptedTool("bank.pay"), workflow=BrokenRun):
            run = await bench.start(program(call("pay")))
            async with asyncio.timeout(20):
                assert await run.failure() == "expression-failed"


class TestLateCancel:
    async def test_does_not_unsay_the_end_that_the_row_tells(self, bench: Bench) -> None:
        keys = GatedKeys(bench)
        bench.storage = dataclasses.replace(bench.storage, keys=keys)
        async with bench.running(program(approve("gate", timeout_s=1, on_timeout="approve"), output="done")) as run:
            await run.handle.signal(APPROVE, run.decision(await run.approval()))
            await keys.asked.wait()
            await until(lambda: says(run, RunStatus.SUCCEEDED))
            await run.handle.cancel()
            await run.waits_for_event("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            keys.opened.set()
            assert (await run.handle.result()).output == "done"


async def says(run: LiveRun, status: RunStatus) -> bool:
    """Whether the workflow itself says so: its last flush has come back."""
    return (await run.state()).status is status


class TestDecision:
    async def test_that_cannot_be_checked_is_refused_for_good(self, bench: Bench) -> None:
        keys = GatedKeys(bench, broken=StandfastError("the table of keys is broken"))
        bench.storage = dataclasses.replace(bench.storage, keys=keys)
        async with bench.running(program(approve("gate"))) as run:
            with pytest.raises(WorkflowUpdateFailedError) as caught:
                await run.decide(run.decision(await run.approval()))
            assert isinstance(caught.value.cause, ApplicationError)
            assert (caught.value.cause.type, "could not be checked" in caught.value.cause.message) == ("forbidden", True)
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert "workflow:decision:refused" in await run.kinds()

    async def test_by_a_raw_signal_leaves_only_clean_ids_in_the_ledger(self, bench: Bench) -> None:
        async with bench.running(program(approve("gate"))) as run:
            approval = await run.approval()
            odd = Decision(decision_id="d\n" + "x" * 99, approval="apr_ü\x00", verdict="approve", digest="", principal="Zoë <zoe@x>\x1b[2J")
            await run.handle.signal(APPROVE, odd)
            await run.decide(run.decision(approval))
            await run.handle.result()
            body = await refusal(run, "workflow:decision:refused")
            assert body["principal"] == "Zo <zoe@x>[2J"
            assert body["data"] == {"approval": "apr_", "decision": "d" + "x" * 62, "code": "not-found"}


async def refusal(run: LiveRun, kind: str) -> dict[str, object]:
    """Return the body of the only entry of a kind."""
    [entry] = [e for e in await run.bench.storage.ledger.entries(run.bench.tenant, run.run) if e.kind == kind]
    return json.loads(entry.body)


class TestAnswerToATask:
    @pytest.mark.parametrize("attestation", ["", "0" * 64])
    async def test_that_the_gateway_did_not_attest_is_refused_as_a_fact(self, bench: Bench, attestation: str) -> None:
        async with bench.running(transfer(), wiring(ToolTimedOut("no answer"))) as run:
            task = await run.task("in_doubt")
            forged = TaskCompletion(task=task.projection.task, resolution="happened", output={"id": "lie"}, principal=REVIEWER)
            await run.handle.signal(COMPLETE_TASK, forged.model_copy(update={"attestation": attestation}))
            await run.complete(task, "happened", output={"id": "truth"})
            assert (await run.handle.result()).output == {"id": "truth"}
            told = await refusal(run, "workflow:completion:refused")
            assert told["data"] == {"task": task.projection.task, "code": "forbidden"}
            assert told["principal"] == REVIEWER

    async def test_attested_for_another_run_or_changed_on_its_way_is_refused(self, bench: Bench) -> None:
        async with bench.running(transfer(), wiring(ToolTimedOut("no answer"))) as run:
            task = await run.task("in_doubt")
            asked = TaskCompletion(task=task.projection.task, resolution="give_up", principal=REVIEWER)
            other = dataclasses.replace(run, run="run_00000000000000000000000009")
            await run.handle.signal(COMPLETE_TASK, other.attested(asked))
            await run.handle.signal(COMPLETE_TASK, run.attested(asked).model_copy(update={"resolution": "happened"}))
            await run.complete(task, "happened", output={"id": "truth"})
            assert (await run.handle.result()).output == {"id": "truth"}
            assert (await run.kinds()).count("workflow:completion:refused") == 2

    async def test_for_a_task_that_is_not_open_is_dropped(self, bench: Bench) -> None:
        async with bench.running(transfer(), wiring(ToolTimedOut("no answer"))) as run:
            task = await run.task("in_doubt")
            await run.tell(TaskCompletion(task="tsk_unknown", resolution="give_up"))
            await run.complete(task, "happened", output={"id": "truth"})
            await run.handle.result()
            assert "workflow:completion:refused" not in await run.kinds()
