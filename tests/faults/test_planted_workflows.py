"""Each bug planted in workflow code, stepper or interceptor is caught by a scenario that the real one passes (JOURNAL §1, §2, §9)."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError

from activities.interceptor import JournalInterceptor
from adapters.postgres.keys import PostgresKeyStore
from domain.approval import Decision
from domain.effects import EffectClass, Intent, IntentVerdict
from domain.errors import JournalError
from domain.principals import Principal
from domain.provider import ModelToolCall
from domain.stepper import Stepper
from tests.activities.bench import Attempts, envelope, paying
from tests.domain.play import Play
from tests.domain.programs import agent, approve, call, pinned, program, saga
from tests.fake_provider import FakeProvider, answered, calling
from tests.faults.planted import workflow_bugs as planted
from tests.faults.planted.stepper_bugs import KeyFromTemporalsRun, RegistersAfter
from tests.workflows.bench import OTHER_REVIEWER, REVIEWER, Bench, Gate, LiveRun, ScriptedTool, until
from workflows.messages import DecisionResult
from workflows.run import RunWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


def undo_of_an_unknown_step(stepper: type[Stepper]) -> None:
    """A payment that may have happened must be undone."""
    play = Play(program(saga("s", call("s.pay", undo="bank.refund", if_unknown="compensate"), call("s.more"))), stepper=stepper)
    play.fail("s.pay", "tool-timed-out", unknown=True)
    assert [command.kind for command in play.last] == ["unwind"]


async def one_payment_over_two_temporal_runs(interceptor: type[JournalInterceptor]) -> None:
    """The same effect after continue-as-new, in the next epoch and another execution, must not pay again."""
    pay, calls = paying()
    attempts = Attempts(pay, interceptor=interceptor)
    await attempts.attempt(envelope(), temporal_run="temporal-1")
    await attempts.attempt(envelope().model_copy(update={"epoch": 2}), temporal_run="temporal-2")
    assert len(calls) == 1


class LosingJournal:
    """The real journal that loses one intent for good, facts and all."""

    def __init__(self, bench: Bench, call_id: str) -> None:
        self._real = bench.storage.journal
        self._call = call_id
        self.outcome = self._real.outcome
        self.advance = self._real.advance
        self.renew = self._real.renew
        self.resolve = self._real.resolve

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Raises: JournalError once."""
        if intent.key.call == self._call:
            self._call = ""
            raise JournalError("this intent is lost, as the test wants it")
        return await self._real.intent(intent)


async def facts_of_a_lost_branch(bench: Bench, workflow: type) -> None:
    """A fact that rode with a lost call must come with the next activity."""
    note = pinned("notes.read", effect_class=EffectClass.READ)
    given = program(agent("judge", tools=["notes.read"]), approve("gate", when="false"), tools=[note])
    asked = [ModelToolCall(vendor_id=f"v{n}", name=name, arguments={}) for n, name in enumerate(("no.tool", "notes.read", "notes.read"))]
    provider = FakeProvider(calling(*asked), answered("done"))
    reads = ScriptedTool("notes.read", effect_class=EffectClass.READ)
    async with bench.worker(reads, workflow=workflow, provider=provider, journal=LosingJournal(bench, "1.1")):
        run = await bench.start(given)
        assert await run.failure() is None
        assert (await run.kinds()).count("agent:tool:refused") == 1


async def facts_before_a_crash(bench: Bench, workflow: type) -> None:
    """What a crashed workflow task wrote must be what the run then remembers."""
    async with bench.worker(workflow=workflow):
        run = await bench.start(program(approve("gate"), approve("last")))

        async def written() -> bool:
            return "workflow:approval:opened" in await run.kinds()

        await until(written)
        assert "ACTIVITY_TASK_SCHEDULED" in await run.events(), "the ledger tells what no history holds"
        answer = await answer_of(run, run.decision(await run.approval()))
        assert isinstance(answer, DecisionResult)
        await run.handle.terminate()
        assert "platform:fact:diverged" not in await run.kinds()


async def role_revoked_before_the_decision_is_handled(bench: Bench, workflow: type) -> None:
    """Whoever lost the role decides nothing."""
    async with bench.worker(workflow=workflow):
        run = await bench.start(program(approve("gate")))
        decision = run.decision(await run.approval())
        await bench.storage.keys.set_reviewer_roles(bench.tenant, REVIEWER, ())
        answer = await answer_of(run, decision)
        await run.handle.terminate()
        assert isinstance(answer, WorkflowUpdateFailedError)


class SlowKeys:
    """The real keys; about one reviewer they answer only when `answers` is set."""

    def __init__(self, real: PostgresKeyStore, slow: str) -> None:
        self._real = real
        self._slow = slow
        self.answers = asyncio.Event()

    async def principal(self, tenant: str, principal: str) -> Principal:
        """Return the principal, late."""
        if principal == self._slow:
            await self.answers.wait()
        return await self._real.principal(tenant, principal)


async def continue_as_new_beside_an_update(bench: Bench, workflow: type) -> None:
    """Whoever decides gets the answer, although the run could continue as new meanwhile."""
    keys, gate = SlowKeys(bench.storage.keys, OTHER_REVIEWER), Gate()
    slow = dataclasses.replace(bench, storage=dataclasses.replace(bench.storage, keys=keys))
    async with slow.worker(ScriptedTool("bank.pay", gate), workflow=workflow):
        run = await bench.start(program(approve("gate"), call("a"), call("b")), history_max=14)
        approval = await run.approval()
        late = asyncio.create_task(answer_of(run, run.decision(approval, by=OTHER_REVIEWER)))
        await run.waits_for_event("WORKFLOW_EXECUTION_UPDATE_ACCEPTED")
        assert isinstance(await answer_of(run, run.decision(approval)), DecisionResult)
        await gate.reached.wait()
        keys.answers.set()
        gate.opened.set()
        answer = await late
        await run.handle.result()
        assert isinstance(answer, WorkflowUpdateFailedError)
        assert isinstance(answer.cause, ApplicationError)
        assert answer.cause.type == "approval-closed"


async def answer_of(run: LiveRun, decision: Decision) -> DecisionResult | Exception:
    """Return what whoever decides gets to know."""
    try:
        return await run.decide(decision)
    except Exception as error:  # noqa: BLE001 - every way in which no answer comes is the finding
        return error


Send = Callable[[LiveRun, Decision], Awaitable[DecisionResult]]


async def send_again(run: LiveRun, decision: Decision) -> DecisionResult:
    """Send a stored decision again, as the gateway does: under its own id."""
    return await run.decide(decision)


async def send_anew(run: LiveRun, decision: Decision) -> DecisionResult:
    """The bug: take a timeout for "never decided" and decide anew."""
    asked = (await run.state()).approvals[0]
    return await run.decide(run.decision(asked, verdict=decision.verdict))


async def double_submit_over_a_timeout(bench: Bench, send: Send) -> None:
    """A decision whose answer was lost is answered when it is sent again, and counts once."""
    keys = SlowKeys(bench.storage.keys, REVIEWER)
    slow = dataclasses.replace(bench, storage=dataclasses.replace(bench.storage, keys=keys))
    async with slow.worker():
        run = await bench.start(program(approve("gate"), approve("last")))
        decision = run.decision(await run.approval())
        with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
            await run.decide(decision, within=timedelta(milliseconds=300))
        keys.answers.set()

        async def counted() -> bool:
            return "human:approval:decided" in await run.kinds()

        await until(counted)
        [answer] = await asyncio.gather(send(run, decision), return_exceptions=True)
        await run.handle.terminate()
        assert isinstance(answer, DecisionResult)
    assert (await run.kinds()).count("human:approval:decided") == 1


Scenario = Callable[[Bench, type], Awaitable[None]]

WORKFLOWS: dict[str, tuple[Scenario, type, type]] = {
    "flush by local activity": (facts_before_a_crash, planted.CrashingRun, planted.LocalFlushRun),
    "fact only on the next activity": (facts_of_a_lost_branch, RunWorkflow, planted.FactOnceRun),
    "role revoked between decide and handle": (role_revoked_before_the_decision_is_handled, RunWorkflow, planted.TrustingRun),
    "continue-as-new during an update": (continue_as_new_beside_an_update, RunWorkflow, planted.HastyRun),
}


class TestPlantedInTheWorkflow:
    @pytest.mark.filterwarnings("ignore::temporalio.workflow.UnfinishedUpdateHandlersWarning")
    @pytest.mark.parametrize("name", WORKFLOWS)
    async def test_is_caught(self, name: str, bench: Bench) -> None:
        scenario, right, wrong = WORKFLOWS[name]
        await scenario(bench, right)
        bench.queue = f"{bench.queue}-wrong"
        with pytest.raises(AssertionError):
            await scenario(bench, wrong)


class TestPlantedInTheStepper:
    async def test_compensation_registered_after_its_step_is_caught(self) -> None:
        undo_of_an_unknown_step(Stepper)
        with pytest.raises(AssertionError):
            undo_of_an_unknown_step(RegistersAfter)


class TestPlantedInTheInterceptor:
    async def test_key_from_temporals_run_id_is_caught(self) -> None:
        await one_payment_over_two_temporal_runs(JournalInterceptor)
        with pytest.raises(AssertionError):
            await one_payment_over_two_temporal_runs(KeyFromTemporalsRun)


class TestPlantedInTheSender:
    async def test_double_submit_over_a_timeout_is_caught(self, bench: Bench) -> None:
        await double_submit_over_a_timeout(bench, send_again)
        with pytest.raises(AssertionError):
            await double_submit_over_a_timeout(bench, send_anew)
