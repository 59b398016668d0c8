"""Effects in doubt: an at-most-once call that may have happened waits for a person, and each answer is followed."""

import pytest

from domain.effects import EffectClass, RetryClass
from domain.errors import ToolTimedOut
from domain.people_stores import TaskRow
from domain.program import Program
from domain.provider import ModelToolCall
from domain.runs import RunStatus
from tests.domain.programs import agent, call, pinned, program, saga
from tests.fake_provider import FakeProvider, answered, calling
from tests.workflows.bench import Bench, Line, LiveRun, ScriptedTool, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIRE = pinned("bank.wire", retry_class=RetryClass.AT_MOST_ONCE)
NOTES = pinned("notes.read", effect_class=EffectClass.READ, retry_class=RetryClass.AT_MOST_ONCE)


def wiring(*script: Line) -> ScriptedTool:
    """Build the tool: a transfer that may not be repeated."""
    return ScriptedTool("bank.wire", *script, effect_class=EffectClass.MONEY, retry_class=RetryClass.AT_MOST_ONCE)


def transfer() -> Program:
    """Build one transfer."""
    return program(call("wire", tool="bank.wire"), output="${ steps.wire.output }", tools=[WIRE])


class TestInDoubt:
    async def test_stops_the_run_and_asks(self, bench: Bench) -> None:
        wire = wiring(ToolTimedOut("no answer"))
        async with bench.running(transfer(), wire) as run:
            task = await run.task("in_doubt")
            row = await run.row()
            assert (row.status, row.reason) == (RunStatus.IN_DOUBT, "in_doubt")
            assert (await run.state()).status is RunStatus.IN_DOUBT
            assert await run.shown_status() == "in_doubt"
            assert task.projection.step == "wire"
            assert len(wire.calls) == 1
            await run.complete(task, "give_up")
            assert await run.failure() == "effect-in-doubt"

    async def test_takes_the_outcome_that_a_person_tells(self, bench: Bench) -> None:
        wire = wiring(ToolTimedOut("no answer"))
        async with bench.running(transfer(), wire) as run:
            await run.complete(await run.task("in_doubt"), "happened", output={"transfer": "t1"})
            assert (await run.handle.result()).output == {"transfer": "t1"}
            assert len(wire.calls) == 1
            assert "human:task:completed" in await run.kinds()

    async def test_does_it_anew_when_it_did_not_happen(self, bench: Bench) -> None:
        wire = wiring(ToolTimedOut("no answer"), {"transfer": "t2"})
        async with bench.running(transfer(), wire) as run:
            await run.complete(await run.task("in_doubt"), "did_not_happen")
            assert (await run.handle.result()).output == {"transfer": "t2"}
            assert len(wire.calls) == 2

    async def test_asks_again_when_the_new_attempt_is_lost_too(self, bench: Bench) -> None:
        wire = wiring(ToolTimedOut("no answer"), ToolTimedOut("no answer"))
        async with bench.running(transfer(), wire) as run:
            first = await run.task("in_doubt")
            await run.complete(first, "did_not_happen")

            async def other() -> str | None:
                task = await run.task("in_doubt")
                return task.projection.task if task.projection.task != first.projection.task else None

            assert await until(other)
            await run.complete(await run.task("in_doubt"), "happened", output={"transfer": "t3"})
            assert (await run.handle.result()).output == {"transfer": "t3"}

    async def test_given_up_is_asked_about_once_more_before_it_is_undone(self, bench: Bench) -> None:
        given = program(saga("s", call("s.wire", tool="bank.wire", undo="bank.recall")), tools=[WIRE])
        recall = ScriptedTool("bank.recall")
        async with bench.running(given, wiring(ToolTimedOut("no answer")), recall) as run:
            await run.complete(await run.task("in_doubt"), "give_up")

            async def undo_task() -> bool:
                return (await run.task("in_doubt")).projection.call == "compensate"

            await until(undo_task)
            await run.complete(await run.task("in_doubt"), "happened")
            assert await run.failure() == "effect-in-doubt"
            assert len(recall.calls) == 1

    async def test_ends_with_the_run_when_that_is_cancelled(self, bench: Bench) -> None:
        async with bench.running(transfer(), wiring(ToolTimedOut("no answer"))) as run:
            task = await run.task("in_doubt")
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert (await bench.storage.tasks.get(bench.tenant, task.projection.task)).state != "open"

    async def test_fails_the_step_when_the_told_outcome_is_too_large(self, bench: Bench) -> None:
        async with bench.running(transfer(), wiring(ToolTimedOut("no answer"))) as run:
            await run.complete(await run.task("in_doubt"), "happened", output={"transfer": "x" * 9000})
            assert await run.failure() == "projection-too-large"
            assert (await run.row()).status is RunStatus.FAILED


async def open_tasks(run: LiveRun, count: int) -> list[TaskRow]:
    """Return the run's open tasks, once there are that many."""

    async def look() -> list[TaskRow] | None:
        page = await run.bench.storage.tasks.page(run.bench.tenant, state="open", limit=9, cursor=None)
        return list(page.items) if len(page.items) == count else None

    return await until(look)


class TestTwoDoubtsOfOneTurn:
    async def test_keep_the_run_in_doubt_until_both_are_answered(self, bench: Bench) -> None:
        asked = [ModelToolCall(vendor_id=f"v{n}", name="notes.read", arguments={}) for n in range(2)]
        provider = FakeProvider(calling(*asked), answered("fine"))
        given = program(agent("judge", tools=["notes.read"]), tools=[NOTES], output="${ steps.judge.output }")
        lost = ScriptedTool(
            "notes.read", ToolTimedOut("?"), ToolTimedOut("?"), effect_class=EffectClass.READ, retry_class=RetryClass.AT_MOST_ONCE
        )
        async with bench.worker(lost, provider=provider):
            run = await bench.start(given)
            first, second = await open_tasks(run, 2)
            await run.complete(first, "happened", output={"text": "a"})
            await open_tasks(run, 1)
            row, left = await run.row(), second.projection.task
            assert (row.status, row.reason, left in (row.waits_for or "")) == (RunStatus.IN_DOUBT, "in_doubt", True)
            assert ((await run.state()).status, await run.shown_status()) == (RunStatus.IN_DOUBT, "in_doubt")
            await run.complete(second, "happened", output={"text": "b"})
            assert (await run.handle.result()).output == "fine"
            assert await run.shown_status() == "succeeded"
