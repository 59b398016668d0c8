"""Parallel sagas, pivots, timeouts and `compensate now`, on real servers."""

import asyncio

import pytest
from pydantic import JsonValue

from domain.errors import ToolFailed, ToolUnavailable
from domain.program import Program, RetryRule
from domain.runs import RunStatus
from domain.tools import ToolCall
from tests.domain.programs import approve, call, pinned, program, saga
from tests.workflows.bench import Bench, Gate, ScriptedTool, until
from workflows.messages import COMPENSATE

pytestmark = pytest.mark.asyncio(loop_scope="session")


def bank(**scripts: list[object]) -> dict[str, ScriptedTool]:
    """Build tools `do.x` and `undo.x` for a, b, c; a script by name."""
    names = [f"{verb}.{letter}" for letter in "abc" for verb in ("do", "undo")]
    return {name: ScriptedTool(name, *scripts.get(name.replace(".", "_"), [])) for name in names}  # pyright: ignore[reportArgumentType] - lines of a script


def calls_of(tools: dict[str, ScriptedTool]) -> dict[str, int]:
    """How often each tool was called."""
    return {name: len(tool.calls) for name, tool in tools.items() if tool.calls}


def at_once(**how: object) -> Program:
    """Build a saga of three branches with an undo each."""
    steps = [call(f"s.{x}", tool=f"do.{x}", undo=f"undo.{x}", if_unknown="compensate") for x in "abc"]
    beats = [pinned(f"do.{x}", heartbeat_s=0.4, timeout_s=20) for x in "abc"]
    return program(saga("s", *steps, mode="parallel", **how), tools=beats)


class TestParallel:
    async def test_runs_its_steps_at_once(self, bench: Bench) -> None:
        gates = {x: Gate() for x in "abc"}
        tools = bank(do_a=[gates["a"]], do_b=[gates["b"]], do_c=[gates["c"]])
        async with bench.running(at_once(), *tools.values()) as run:
            await asyncio.gather(*(gate.reached.wait() for gate in gates.values()))
            for gate in gates.values():
                gate.opened.set()
            assert (await run.handle.result()).status is RunStatus.SUCCEEDED
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "do.c": 1}

    async def test_awaits_the_others_then_undoes_in_the_order_they_ended(self, bench: Bench) -> None:
        gate = Gate()
        tools = bank(do_a=[gate], do_c=[ToolFailed("no")])
        async with bench.running(at_once(), *tools.values()) as run:
            await gate.reached.wait()

            async def ended() -> bool:
                steps = (await run.state()).steps
                return (steps.get("s.b"), steps.get("s.c")) == ("succeeded", "failed")

            await until(ended)
            assert "undo.b" not in calls_of(tools)
            gate.opened.set()
            assert await run.failure() == "tool-failed"
            effects = await bench.storage.runs.effects_of(bench.tenant, run.run)
            assert [e.step for e in effects if e.call == "compensate"] == ["s.a", "s.b"]
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "do.c": 1, "undo.a": 1, "undo.b": 1}

    async def test_calls_off_what_it_does_not_await(self, bench: Bench) -> None:
        gate = Gate()

        async def refuse(_call: ToolCall) -> JsonValue:
            await gate.reached.wait()
            raise ToolFailed("no")

        tools = bank(do_a=[gate], do_c=[refuse])
        async with bench.running(at_once(on_failure="cancel"), *tools.values()) as run:
            assert await run.failure() == "tool-failed"
        assert gate.cancelled.is_set()
        assert calls_of(tools)["undo.a"] == 1

    async def test_withdraws_an_approval_that_it_does_not_await(self, bench: Bench) -> None:
        gate = Gate()

        async def refuse(_call: ToolCall) -> JsonValue:
            await gate.opened.wait()
            raise ToolFailed("no")

        tools = bank(do_c=[refuse])
        steps = saga("s", approve("s.gate"), call("s.c", tool="do.c"), mode="parallel", on_failure="cancel")
        async with bench.running(program(steps), *tools.values()) as run:
            approval = await run.approval()
            gate.opened.set()
            assert await run.failure() == "tool-failed"
            assert (await bench.storage.approvals.get(bench.tenant, approval.approval)).state == "withdrawn"

    async def test_undoes_branches_side_by_side(self, bench: Bench) -> None:
        gates = [Gate(), Gate()]
        tools = bank(do_c=[ToolFailed("no")], undo_a=[gates[0]], undo_b=[gates[1]])
        async with bench.running(at_once(undo="parallel"), *tools.values()) as run:
            await asyncio.gather(*(gate.reached.wait() for gate in gates))
            for gate in gates:
                gate.opened.set()
            assert await run.failure() == "tool-failed"


def pivoted() -> Program:
    """Build reserve, a pivot, and what must follow."""
    steps = saga(
        "s",
        call("s.a", tool="do.a", undo="undo.a", if_unknown="compensate"),
        call("s.b", tool="do.b", pivot=True),
        call("s.c", tool="do.c", forward=True, retriable=True, retry=RetryRule(delay_s=0.01)),
    )
    return program(steps, tools=[pinned(f"do.{x}", heartbeat_s=0.4, timeout_s=20) for x in "abc"])


class TestPivot:
    async def test_that_is_refused_undoes_what_came_before(self, bench: Bench) -> None:
        tools = bank(do_b=[ToolFailed("no")])
        async with bench.running(pivoted(), *tools.values()) as run:
            assert await run.failure() == "tool-failed"
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "undo.a": 1}

    async def test_that_has_begun_is_not_cut_by_a_cancellation_and_then_goes_forward(self, bench: Bench) -> None:
        gate = Gate()
        tools = bank(do_b=[gate])
        async with bench.running(pivoted(), *tools.values()) as run:
            await gate.reached.wait()
            await run.handle.cancel()
            await run.waits_for_event("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            gate.opened.set()
            assert (await run.handle.result()).status is RunStatus.SUCCEEDED
        assert not gate.cancelled.is_set()
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "do.c": 1}

    async def test_is_followed_by_a_person_where_a_step_failed_for_good(self, bench: Bench) -> None:
        tools = bank(do_c=[ToolFailed("no such address")])
        async with bench.running(pivoted(), *tools.values()) as run:
            task = await run.task("failed_step")
            assert "past its pivot" in task.projection.detail
            await run.complete(task, "did_not_happen")
            assert (await run.handle.result()).status is RunStatus.SUCCEEDED
        first, second = tools["do.c"].calls
        assert first.idempotency_key != second.idempotency_key
        assert "undo.a" not in calls_of(tools)

    async def test_takes_what_a_person_did_by_hand(self, bench: Bench) -> None:
        tools = bank(do_c=[ToolFailed("no")])
        async with bench.running(pivoted(), *tools.values()) as run:
            await run.complete(await run.task("failed_step"), "happened", output={"sent": "by post"})
            assert (await run.handle.result()).status is RunStatus.SUCCEEDED
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "do.c": 1}


class TestTimeout:
    async def test_of_a_saga_undoes_it(self, bench: Bench) -> None:
        gate = Gate()
        tools = bank(do_b=[gate])
        steps = saga(
            "s", call("s.a", tool="do.a", undo="undo.a"), call("s.b", tool="do.b", undo="undo.b", if_unknown="compensate"), timeout_s=0.6
        )
        async with bench.running(program(steps), *tools.values()) as run:
            assert await run.failure() == "step-timed-out"
        assert calls_of(tools) == {"do.a": 1, "do.b": 1, "undo.b": 1, "undo.a": 1}


class TestCompensationRetry:
    async def test_asks_a_person_after_as_many_tries_as_it_says(self, bench: Bench) -> None:
        tools = bank(do_b=[ToolFailed("no")], undo_a=[ToolUnavailable("down"), ToolUnavailable("down")])
        undoable = call("s.a", tool="do.a", undo="undo.a")
        assert undoable.compensate is not None
        undoable.compensate.retry = RetryRule(max_attempts=2, delay_s=0.01)
        async with bench.running(program(saga("s", undoable, call("s.b", tool="do.b"))), *tools.values()) as run:
            await run.complete(await run.task("failed_compensation"), "did_not_happen")
            assert await run.failure() == "tool-failed"
        assert calls_of(tools)["undo.a"] == 3


class TestCompensateNow:
    async def test_undoes_what_an_open_saga_did_and_ends_as_failed(self, bench: Bench) -> None:
        tools = bank()
        steps = saga("s", call("s.a", tool="do.a", undo="undo.a"), approve("s.gate"))
        async with bench.running(program(steps), *tools.values()) as run:
            await run.approval()
            await run.handle.signal(COMPENSATE)
            assert await run.failure() == "compensated-by-hand"
            assert (await run.row()).status is RunStatus.FAILED
            kinds = await run.kinds()
        assert calls_of(tools) == {"do.a": 1, "undo.a": 1}
        assert "workflow:compensation:requested" in kinds

    async def test_after_a_cancellation_changes_nothing(self, bench: Bench) -> None:
        gate = Gate()
        tools = bank(undo_a=[gate])
        steps = saga("s", call("s.a", tool="do.a", undo="undo.a"), approve("s.gate"))
        async with bench.running(program(steps), *tools.values()) as run:
            await run.approval()
            await run.handle.cancel()
            await gate.reached.wait()
            await run.handle.signal(COMPENSATE)
            gate.opened.set()
            assert await run.failure() == "cancelled"
