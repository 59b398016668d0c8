"""Calls whose last attempt was lost with its worker: made again under the same key, and a person's matter when nobody can tell."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from temporalio import workflow

from activities.options import ActivityOptions
from domain.effects import Outcome, OutcomeVerdict
from domain.envelope import Envelope, Receipt
from domain.errors import ToolFailed
from domain.program import Program
from domain.runs import RunStatus
from tests.domain.programs import call, pinned, program, saga
from tests.workflows.bench import Bench, LiveRun, ScriptedTool
from workflows.couriers import Courier
from workflows.effects import EffectRunner
from workflows.messages import RUN_WORKFLOW, RunInput, RunResult
from workflows.people import People
from workflows.run import RunWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTEMPTS = 2
"""Attempts of an activity here, where the product has a dozen and more: a lost one takes half a second."""


class FewAttempts(Courier):
    """The real courier; its activities are tried twice."""

    async def _once(self, handle_id: str, activity_type: str, envelope: Envelope, options: ActivityOptions, summary: str) -> Receipt:
        options["retry_policy"].maximum_attempts = ATTEMPTS
        return await super()._once(handle_id, activity_type, envelope, options, summary)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class FewAttemptsRun(RunWorkflow):
    """The run workflow over that courier."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._courier = FewAttempts(given, self.state)
        self._people = People(self._courier, self.state.decisions, self._note)
        self._effects = EffectRunner(given.program, self._courier, self._people)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


class SilentJournal:
    """The real journal, but the first outcomes of a tool's calls never arrive, as if the worker had died with them."""

    def __init__(self, bench: Bench, *, lost: int) -> None:
        self._real = bench.storage.journal
        self.left = lost
        self.over = asyncio.Event()
        self.intent = self._real.intent
        self.advance = self._real.advance
        self.resolve = self._real.resolve

    async def renew(self, *args: object, **more: object) -> bool:
        """Let the lease run out: a dead worker renews nothing."""
        return await self._real.renew(*args, **more)  # pyright: ignore[reportArgumentType] - handed on as they came

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Write the outcome, or keep it until the test is over."""
        if outcome.key.call == "call" and self.left > 0:
            self.left -= 1
            await self.over.wait()
        return await self._real.outcome(outcome)


@asynccontextmanager
async def losing(bench: Bench, given: Program, *tools: ScriptedTool, lost: int) -> AsyncGenerator[LiveRun]:
    """Run a program whose first calls are lost."""
    journal = SilentJournal(bench, lost=lost)
    async with bench.worker(*tools, workflow=FewAttemptsRun, journal=journal):
        try:
            yield await bench.start(given)
        finally:
            journal.over.set()


PAY = pinned("bank.pay", heartbeat_s=0.4, timeout_s=20)


class TestLostLastAttempt:
    async def test_is_made_again_under_the_same_key(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with losing(bench, program(call("pay"), tools=[PAY]), pay, lost=ATTEMPTS) as run:
            assert (await run.handle.result()).status is RunStatus.SUCCEEDED
        assert len(pay.calls) == ATTEMPTS + 1
        assert len({made.idempotency_key for made in pay.calls}) == 1

    async def test_is_asked_about_when_the_repeats_are_lost_too(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        async with losing(bench, program(call("pay"), output="${ steps.pay.output }", tools=[PAY]), pay, lost=100) as run:
            task = await run.task("in_doubt")
            assert (await run.row()).status is RunStatus.IN_DOUBT
            await run.complete(task, "happened", output={"payment": "p1"})
            assert (await run.handle.result()).output == {"payment": "p1"}
            [effect] = await bench.storage.runs.effects_of(bench.tenant, run.run)
            assert effect.state == "done"
        assert len({made.idempotency_key for made in pay.calls}) == 1

    async def test_of_a_saga_is_undone_where_that_is_safe(self, bench: Bench) -> None:
        pay, refund = ScriptedTool("bank.pay"), ScriptedTool("bank.refund")
        steps = saga("s", call("s.pay", undo="bank.refund", if_unknown="compensate"))
        async with losing(bench, program(steps, tools=[PAY]), pay, refund, lost=100) as run:
            assert await run.failure() in ("step-timed-out", "effect-leased")
        assert len(refund.calls) == 1

    async def test_of_a_saga_is_asked_about_and_then_done_anew(self, bench: Bench) -> None:
        pay, refund, mail = ScriptedTool("bank.pay"), ScriptedTool("bank.refund"), ScriptedTool("mail.send", ToolFailed("no"))
        steps = saga("s", call("s.pay", undo="bank.refund"), call("s.mail", tool="mail.send"))
        journal = SilentJournal(bench, lost=100)
        async with bench.worker(pay, refund, mail, workflow=FewAttemptsRun, journal=journal):
            run = await bench.start(program(steps, tools=[PAY]))
            task = await run.task("in_doubt")
            journal.left = 0
            await run.complete(task, "did_not_happen")
            assert await run.failure() == "tool-failed"
            journal.over.set()
        assert len(refund.calls) == 1
