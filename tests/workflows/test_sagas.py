"""Sagas on real servers: undo in reverse, cancellation at every moment, and compensations that a person settles."""

import pytest
from pydantic import JsonValue

from domain.completion import TaskCompletion
from domain.errors import ToolFailed
from domain.program import Program
from domain.runs import RunStatus
from domain.tools import ToolCall
from tests.domain.programs import approve, call, pinned, program, saga
from tests.workflows.bench import Bench, Gate, Line, ScriptedTool, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


def settle() -> Program:
    """Build reserve and pay, each with its undo, and a notification; a beating heart lets cancellation reach a call."""
    steps = saga(
        "s",
        call(
            "s.reserve",
            tool="bank.reserve",
            arguments={"id": "r1"},
            undo="bank.release",
            undo_arguments={"id": "${ self.arguments.id }"},
            if_unknown="compensate",
        ),
        call("s.pay", tool="bank.pay", undo="bank.refund", if_unknown="compensate"),
        call("s.notify", tool="mail.send"),
    )
    return program(steps, tools=[pinned(name, heartbeat_s=0.4, timeout_s=20) for name in ("bank.reserve", "bank.pay", "mail.send")])


class Bank:
    """The tools of `settle`, one log for all."""

    def __init__(self, **scripts: list[Line]) -> None:
        self.log: list[str] = []
        names = ("bank.reserve", "bank.release", "bank.pay", "bank.refund", "mail.send")
        self.tools = [ScriptedTool(name, *scripts.get(name.partition(".")[2], [])) for name in names]

    @property
    def calls(self) -> dict[str, int]:
        """How often each tool was called."""
        return {tool.spec.name: len(tool.calls) for tool in self.tools if tool.calls}

    def of(self, name: str) -> ScriptedTool:
        """Return a tool."""
        return next(tool for tool in self.tools if tool.spec.name == name)


class TestUndo:
    async def test_runs_in_reverse_with_keys_of_its_own(self, bench: Bench) -> None:
        bank = Bank(send=[ToolFailed("no such address")])
        async with bench.running(settle(), *bank.tools) as run:
            assert await run.failure() == "tool-failed"
            assert bank.calls == dict.fromkeys(("bank.reserve", "bank.release", "bank.pay", "bank.refund", "mail.send"), 1)
            assert bank.of("bank.release").calls[0].arguments == {"id": "r1"}
            effects = await bench.storage.runs.effects_of(bench.tenant, run.run)
            order = [(effect.step, effect.call) for effect in effects]
            assert order[-2:] == [("s.pay", "compensate"), ("s.reserve", "compensate")]
            assert len({c.idempotency_key for tool in bank.tools for c in tool.calls}) == 5
            kinds = await run.kinds()
            assert [kind for kind in kinds if kind.startswith("workflow:saga")] == [
                "workflow:saga:started",
                "workflow:saga:compensating",
                "workflow:saga:compensated",
            ]

    async def test_leaves_out_the_step_that_surely_failed(self, bench: Bench) -> None:
        bank = Bank(pay=[ToolFailed("no such account")])
        async with bench.running(settle(), *bank.tools) as run:
            assert await run.failure() == "tool-failed"
            assert bank.calls == {"bank.reserve": 1, "bank.pay": 1, "bank.release": 1}

    async def test_that_fails_waits_for_a_person_and_is_tried_again(self, bench: Bench) -> None:
        bank = Bank(pay=[ToolFailed("no")], release=[ToolFailed("the bank is closed"), {}])
        async with bench.running(settle(), *bank.tools) as run:
            task = await run.task("failed_compensation")
            assert "the bank is closed" in task.projection.detail
            assert (await run.row()).status is RunStatus.IN_DOUBT
            await run.complete(task, "did_not_happen")
            assert await run.failure() == "tool-failed"
            assert len(bank.of("bank.release").calls) == 2

    async def test_that_fails_may_be_settled_by_hand(self, bench: Bench) -> None:
        bank = Bank(pay=[ToolFailed("no")], release=[ToolFailed("the bank is closed")])
        async with bench.running(settle(), *bank.tools) as run:
            await run.complete(await run.task("failed_compensation"), "happened")
            assert await run.failure() == "tool-failed"
            assert len(bank.of("bank.release").calls) == 1
            assert (await run.row()).status is RunStatus.FAILED

    async def test_that_failed_late_is_asked_about_again(self, bench: Bench) -> None:
        bank = Bank(pay=[ToolFailed("no")], release=[ToolFailed("the bank is closed"), {}])
        async with bench.running(settle(), *bank.tools) as run:
            first = (await run.task("failed_compensation")).projection.task
            await run.tell(TaskCompletion(task=first, resolution="did_not_happen", late=True))

            async def asked_again() -> bool:
                return (await run.task("failed_compensation")).projection.task != first

            await until(asked_again)
            assert len(bank.of("bank.release").calls) == 1
            await run.complete(await run.task("failed_compensation"), "did_not_happen")
            assert await run.failure() == "tool-failed"
            assert len(bank.of("bank.release").calls) == 2


class TestStepTimeout:
    async def test_ends_the_attempt_before_its_step_is_undone(self, bench: Bench) -> None:
        gate, bank = Gate(), Bank()

        async def refund(_call: ToolCall) -> JsonValue:
            assert gate.cancelled.is_set(), "the payment may still be under way"
            return {}

        bank.of("bank.pay").script.append(gate)
        bank.of("bank.refund").script.append(refund)
        steps = saga("s", call("s.pay", undo="bank.refund", if_unknown="compensate", timeout_s=0.3))
        async with bench.running(program(steps, tools=[pinned("bank.pay", timeout_s=30)]), *bank.tools) as run:
            assert await run.failure() == "step-timed-out"
        assert bank.calls == {"bank.pay": 1, "bank.refund": 1}


class TestCancel:
    async def test_during_a_call_stops_it_and_undoes_what_may_have_happened(self, bench: Bench) -> None:
        gate = Gate()
        bank = Bank(pay=[gate])
        async with bench.running(settle(), *bank.tools) as run:
            await gate.reached.wait()
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert gate.cancelled.is_set()
            assert bank.calls == {"bank.reserve": 1, "bank.pay": 1, "bank.refund": 1, "bank.release": 1}
            assert (await run.row()).status is RunStatus.CANCELLED
            assert (await run.kinds())[-1] == "workflow:run:finished"

    async def test_during_an_approval_withdraws_it(self, bench: Bench) -> None:
        given = program(saga("s", call("s.reserve", tool="bank.reserve", undo="bank.release"), approve("s.gate")))
        bank = Bank()
        async with bench.running(given, *bank.tools) as run:
            approval = await run.approval()
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert bank.calls == {"bank.reserve": 1, "bank.release": 1}
            assert (await bench.storage.approvals.get(bench.tenant, approval.approval)).state == "withdrawn"

    async def test_during_a_compensation_cannot_cut_it(self, bench: Bench) -> None:
        gate = Gate()
        bank = Bank(send=[ToolFailed("no")], refund=[gate])
        async with bench.running(settle(), *bank.tools) as run:
            await gate.reached.wait()
            await run.handle.cancel()
            await run.waits_for_event("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            gate.opened.set()
            assert await run.failure() == "cancelled"
            assert not gate.cancelled.is_set()
            assert bank.calls["bank.release"] == 1

    async def test_during_a_compensation_in_doubt_still_waits_for_the_person(self, bench: Bench) -> None:
        bank = Bank(send=[ToolFailed("no")], refund=[ToolFailed("closed")])
        async with bench.running(settle(), *bank.tools) as run:
            task = await run.task("failed_compensation")
            await run.handle.cancel()
            await run.waits_for_event("WORKFLOW_EXECUTION_CANCEL_REQUESTED")
            await run.complete(task, "happened")
            assert await run.failure() == "cancelled"
            assert bank.calls["bank.release"] == 1

    async def test_before_a_worker_came_does_nothing(self, bench: Bench) -> None:
        bank = Bank()
        run = await bench.start(settle())
        await run.handle.cancel()
        async with bench.worker(*bank.tools):
            assert await run.failure() == "cancelled"
        assert "bank.pay" not in bank.calls


class TestWorkerLoss:
    async def test_between_two_steps_repeats_nothing(self, bench: Bench) -> None:
        bank, gate = Bank(), Gate()
        bank.of("mail.send").script.append(gate)
        async with bench.worker(*bank.tools):
            run = await bench.start(settle())
            await gate.reached.wait()
        async with bench.worker(*bank.tools):
            await run.handle.result()
        assert bank.calls == {"bank.reserve": 1, "bank.pay": 1, "mail.send": 2}
        keys = {c.idempotency_key for c in bank.of("mail.send").calls}
        assert len(keys) == 1
        assert (await run.kinds()).count("agent:tool:requested") == 4
