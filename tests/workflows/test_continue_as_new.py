"""Continue-as-new: the run goes on, nothing is done twice, and decisions of earlier epochs are known."""

import pytest

from domain.errors import ToolFailed
from domain.runs import RunStatus
from tests.domain.programs import approve, call, program, saga
from tests.workflows.bench import Bench, Line, ScriptedTool, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENTS = 14
"""Events after which these runs continue as new: about two calls."""


class TestContinueAsNew:
    async def test_goes_on_where_it_was_and_repeats_nothing(self, bench: Bench) -> None:
        given = program(*(call(f"c{n}", arguments={"n": n}) for n in range(6)), output="${ steps.c5.output.n }")
        answers: list[Line] = [{"n": n} for n in range(6)]
        pay = ScriptedTool("bank.pay", *answers)
        async with bench.running(given, pay, history_max=EVENTS) as run:
            assert (await run.handle.result()).output == 5
            assert [c.arguments for c in pay.calls] == [{"n": n} for n in range(6)]
            row = await run.row()
            assert row.status is RunStatus.SUCCEEDED
            assert row.epoch is not None
            assert row.epoch >= 3
            kinds = await run.kinds()
            assert kinds.count("workflow:run:started") == 1
            assert kinds.count("workflow:step:completed") == 6

    async def test_keeps_what_a_saga_would_undo(self, bench: Bench) -> None:

        given = program(saga("s", *(call(f"s.c{n}", undo="bank.refund") for n in range(5)), call("s.last", tool="mail.send")))
        refund = ScriptedTool("bank.refund")
        async with bench.running(
            given, ScriptedTool("bank.pay"), refund, ScriptedTool("mail.send", ToolFailed("no")), history_max=EVENTS
        ) as run:
            assert await run.failure() == "tool-failed"
            assert len(refund.calls) == 5
            assert ((await run.row()).epoch or 0) > 1

    async def test_waits_for_an_update_that_is_being_answered(self, bench: Bench) -> None:
        given = program(approve("gate"), call("a"), call("b"), call("c"))
        async with bench.running(given, ScriptedTool("bank.pay"), history_max=EVENTS) as run:
            told = await run.decide(run.decision(await run.approval()))
            assert told.decision == "approve"
            await run.handle.result()
            assert ((await run.row()).epoch or 0) > 1

    async def test_knows_the_decisions_of_earlier_epochs(self, bench: Bench) -> None:
        given = program(approve("gate"), *(call(f"c{n}") for n in range(4)), approve("last"))
        async with bench.running(given, ScriptedTool("bank.pay"), history_max=EVENTS) as run:
            decision = run.decision(await run.approval())
            told = await run.decide(decision)

            async def at_the_last_gate() -> bool:
                return (await run.approval()).step == "last"

            await until(at_the_last_gate)
            assert (await run.state()).epoch > 1
            assert await run.decide(decision) == told
            await run.decide(run.decision(await run.approval()))
            await run.handle.result()
            assert (await run.kinds()).count("human:approval:decided") == 2
