"""Redrives of runs that were ended from outside while they undid something, or just before their end: nothing is undone or done twice."""

import pytest

from domain.errors import ToolFailed
from domain.runs import RunStatus
from tests.workflows.bench import OTHER_REVIEWER, Bench, Gate, LiveRun, ScriptedTool, until
from tests.workflows.redriven import Station

pytestmark = pytest.mark.asyncio(loop_scope="session")

GATED = """
do:
  - gate: {approve: {title: "Pay?", binds: [settle.pay], reviewers: {role: payer}}}
  - settle:
      saga:
        - pay: {call: bank.pay, with: {sum: 5}, compensate: {call: bank.refund, with: {of: "${ self.output.id }"}}}
        - tell: {call: bank.tell, with: {}}
output: "${ steps.settle.pay.output.id }"
"""

ONE = 'do:\n  - pay: {call: bank.pay, with: {sum: 5}}\noutput: "${ steps.pay.output.id }"\n'


async def terminated(bench: Bench, run: LiveRun) -> None:
    """End a run from outside, and close its row as the reconciler does."""
    await run.handle.terminate("by hand")
    row = await run.row()
    closed = {"status": RunStatus.TERMINATED, "reason": "by hand", "at": row.updated_at, "epoch": row.epoch}
    assert await bench.storage.runs.close_externally(bench.tenant, run.run, **closed)  # pyright: ignore[reportArgumentType] - its own keywords


class TestRedrive:
    async def test_ends_the_undo_that_was_under_way_before_it_asks_and_pays_again(self, bench: Bench) -> None:
        refunding = Gate({})
        pay, refund = ScriptedTool("bank.pay", {"id": "p1"}, {"id": "p2"}), ScriptedTool("bank.refund", refunding)
        refund.spec = refund.spec.model_copy(update={"timeout_s": 1})
        tools = (pay, refund, ScriptedTool("bank.tell", ToolFailed("no"), {}))
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(GATED)
            await run.decide(run.decision(await run.approval()))
            await refunding.reached.wait()
            await terminated(bench, run)
            again = await station.redrive(run.run)

            async def undoes() -> bool:
                return (await run.row()).status is RunStatus.COMPENSATING

            await until(undoes)
            assert (await again.state()).approvals == []
            asked = await again.approval()
            assert asked.visit == 2
            await again.decide(again.decision(asked, by=OTHER_REVIEWER))
            assert (await again.handle.result()).output == "p2"
            assert {(call.arguments["of"], call.idempotency_key) for call in refund.calls} == {("p1", refund.calls[0].idempotency_key)}
            assert len({call.idempotency_key for call in pay.calls}) == 2
            await run.kinds()

    async def test_of_a_run_that_was_stopped_just_before_its_end_ends_it(self, bench: Bench) -> None:
        paying = Gate({"id": "p1"})
        pay = ScriptedTool("bank.pay", paying, ToolFailed("called twice"))
        station = Station(bench, (pay,))
        async with bench.worker(pay):
            run = await station.start(ONE)
            await paying.reached.wait()
            await terminated(bench, run)
            paying.opened.set()

            async def recorded() -> bool:
                return [each.state for each in await bench.storage.runs.effects_of(bench.tenant, run.run)] == ["done"]

            await until(recorded)
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == "p1"
            assert len(pay.calls) == 1
            row = await run.row()
            assert (row.status, row.epoch) == (RunStatus.SUCCEEDED, 2)
            assert (await run.kinds()).count("workflow:run:finished") == 1
