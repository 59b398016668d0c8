"""Runs whose calls succeed, fail, or fail for a while, down to the ledger and the run's row."""

import pytest

from domain.errors import ToolFailed, ToolUnavailable
from domain.runs import RunStatus
from tests.domain.programs import call, program, put
from tests.workflows.bench import Bench, ScriptedTool

pytestmark = pytest.mark.asyncio(loop_scope="session")


class TestRun:
    async def test_succeeds_with_the_output_of_its_steps(self, bench: Bench) -> None:
        given = program(
            put("a", "${ input.n + 1 }"), call("pay", arguments={"x": "${ steps.a.output }"}), output="${ steps.pay.output.id }"
        )
        pay = ScriptedTool("bank.pay", {"id": 7})
        async with bench.running(given, pay) as run:
            assert (await run.handle.result()).output == 7
            assert pay.calls[0].arguments == {"x": 2}
            row = await run.row()
            assert (row.status, row.epoch) == (RunStatus.SUCCEEDED, 1)
            assert await bench.storage.runs.result_of(bench.tenant, run.run) == 7
            assert await run.kinds() == [
                "gateway:run:accepted",
                "workflow:run:started",
                "workflow:step:entered",
                "workflow:step:completed",
                "workflow:step:entered",
                "agent:tool:requested",
                "agent:tool:called",
                "workflow:step:completed",
                "workflow:run:finished",
            ]

    async def test_fails_with_the_code_of_the_step_that_failed(self, bench: Bench) -> None:
        async with bench.running(program(call("pay")), ScriptedTool("bank.pay", ToolFailed("no such account"))) as run:
            assert await run.failure() == "tool-failed"
            row = await run.row()
            assert row.status is RunStatus.FAILED
            assert row.error == {"code": "tool-failed", "detail": "no such account", "step": "pay"}

    async def test_tries_a_passing_failure_again_under_the_same_key(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay", ToolUnavailable("503", retry_after_s=0.01), {"id": 1})
        async with bench.running(program(call("pay")), pay) as run:
            await run.handle.result()
            assert len(pay.calls) == 2
            assert pay.calls[0].idempotency_key == pay.calls[1].idempotency_key
            assert (await run.kinds()).count("agent:tool:requested") == 2

    async def test_fails_a_step_whose_tool_breaks(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay", ValueError("a bug of the tool"))
        async with bench.running(program(call("pay")), pay) as run:
            assert await run.failure() == "step-failed"
            assert len(pay.calls) == 1
            assert "agent:tool:failed" in await run.kinds()
