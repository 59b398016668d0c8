"""Hand-written sagas where it is hard: a step in doubt, a saga's time, what runs beside a failure, and a bug, which undoes nothing."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import workflow

from domain.errors import ToolFailed, ToolTimedOut
from domain.ids import format_id
from tests.workflows.bench import REQUESTER, Bench, Gate, LiveRun, ScriptedTool

with workflow.unsafe.imports_passed_through():
    from standfast_sdk import Call, RetryRule, Run, RunTicket, Saga, Undoing

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOOLS = ["do.a", "do.b", "undo.a", "undo.b"]
ONCE = RetryRule(max_attempts=1)


def undoing(letter: str) -> Undoing:
    """Build a compensation that is safe in doubt."""
    return Undoing(tool=f"undo.{letter}", arguments={}, if_unknown="compensate")


@workflow.defn(sandboxed=False)
class Pair:
    """Does a and b: one after the other, or at once."""

    @workflow.run
    async def run(self, ticket: RunTicket, how: str) -> None:
        """Do them."""
        timeout = timedelta(seconds=0) if how == "late" else None
        async with Run(ticket, tools=TOOLS) as run, Saga(run, "s", undo="parallel") as saga:
            first = saga.step("a", Call(tool="do.a"), undo=undoing("a"), retry=ONCE)
            if how == "at once":
                await saga.gather(first, saga.step("b", Call(tool="do.b"), undo=undoing("b"), retry=ONCE))
                return
            await first
            async with Saga(run, "t", within=saga, timeout=timeout) as inner:
                await inner.step("b", Call(tool="do.b"), undo=undoing("b"), retry=ONCE)


@asynccontextmanager
async def paired(bench: Bench, how: str, tools: dict[str, ScriptedTool]) -> AsyncGenerator[LiveRun]:
    """Start a pair beside a worker."""
    run = format_id("run", secrets.token_bytes(16))
    ticket = RunTicket(tenant=bench.tenant, run=run, principal=REQUESTER)
    async with bench.worker(*tools.values(), workflows=[Pair]):
        yield await bench.begin(Pair.run, ticket, how, run=run)


def scripted(**scripts: object) -> dict[str, ScriptedTool]:
    """Build the tools; a line by name."""
    return {name: ScriptedTool(name, *([scripts[name.replace(".", "_")]] if name.replace(".", "_") in scripts else [])) for name in TOOLS}  # pyright: ignore[reportArgumentType] - lines of a script


def calls_of(tools: dict[str, ScriptedTool]) -> dict[str, int]:
    """How often each tool was called."""
    return {name: len(tool.calls) for name, tool in tools.items() if tool.calls}


class TestUndo:
    async def test_takes_in_a_step_of_which_nobody_knows(self, bench: Bench) -> None:
        tools = scripted(do_b=ToolTimedOut("no answer"))
        async with paired(bench, "in sequence", tools) as run:
            assert await run.failure() == "tool-timed-out"
            kinds = await run.kinds()
        assert calls_of(tools) == dict.fromkeys(TOOLS, 1)
        assert kinds.index("workflow:compensation:registered") < kinds.index("agent:tool:requested")

    async def test_begins_when_the_time_of_a_saga_is_over(self, bench: Bench) -> None:
        tools = scripted()
        async with paired(bench, "late", tools) as run:
            assert await run.failure() == "step-timed-out"
        assert calls_of(tools) == {"do.a": 1, "undo.a": 1}

    async def test_waits_for_what_runs_beside_a_failure(self, bench: Bench) -> None:
        gate = Gate()
        tools = scripted(do_a=gate, do_b=ToolFailed("no"))
        async with paired(bench, "at once", tools) as run:
            await gate.reached.wait()
            assert "undo.a" not in calls_of(tools)
            gate.opened.set()
            assert await run.failure() == "tool-failed"
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "undo.a": 1}
