"""Redrives on a real server: what was done stays done, what was undone is done anew, and PostgreSQL alone says which is which."""

import asyncio

import pytest
from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import ModelFailed, NotRedrivable, ToolFailed, ToolTimedOut, Unavailable
from domain.provider import ModelToolCall, StopReason
from domain.runs import RunStatus
from tests.contracts.journal_bench import AT
from tests.fake_provider import FakeProvider, answered, calling
from tests.workflows.bench import OTHER_REVIEWER, REVIEWER, Bench, Gate, ScriptedTool, until
from tests.workflows.redriven import Station
from workflows.messages import RunInput

pytestmark = pytest.mark.asyncio(loop_scope="session")

THREE = """
do:
  - first: {call: bank.one, with: {n: "${ input.n }"}}
  - second: {call: bank.two, with: {n: "${ steps.first.output.n + 1 }"}}
  - third: {call: bank.three, with: {n: "${ steps.second.output.n + 1 }"}}
output: "${ steps.third.output.n }"
"""

SAGA = """
do:
  - settle:
      saga:
        - reserve: {call: bank.reserve, with: {n: 1}, compensate: {call: bank.release, with: {of: "${ self.output.id }"}}}
        - stamp: {call: bank.stamp, with: {n: 2}}
        - pay: {call: bank.pay, with: {of: "${ steps.settle.reserve.output.id }"}, compensate: {call: bank.refund, with: {}}}
output: "${ steps.settle.pay.output.id }"
"""


PIVOT = """
do:
  - order:
      saga:
        - sell: {call: bank.sell, with: {}, pivot: true}
        - ship: {call: bank.ship, with: {}, retriable: true}
  - close: {call: bank.close, with: {}}
output: "${ steps.order.ship.output.sent }"
"""


def keys(tool: ScriptedTool) -> list[str]:
    """Return the outside keys that a tool was called with."""
    return [call.idempotency_key for call in tool.calls]


def three(*third: JsonValue | Exception) -> tuple[ScriptedTool, ScriptedTool, ScriptedTool]:
    """Build the tools of THREE; the first two succeed once."""
    refuse: list[JsonValue | Exception] = [ToolFailed("called twice")]
    one, two = ScriptedTool("bank.one", {"n": 1}, *refuse), ScriptedTool("bank.two", {"n": 2}, *refuse)
    return one, two, ScriptedTool("bank.three", *third)


class TestRedrive:
    async def test_goes_on_at_the_failed_step(self, bench: Bench) -> None:
        one, two, last = three(ToolFailed("closed"), {"n": 3})
        station = Station(bench, (one, two, last))
        async with bench.worker(one, two, last):
            run = await station.start(THREE)
            assert await run.failure() == "tool-failed"
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == 3
            assert (len(one.calls), len(two.calls)) == (1, 1)
            assert len(set(keys(last))) == 2
            row = await run.row()
            assert (row.status, row.epoch, row.error) == (RunStatus.SUCCEEDED, 2, None)
            kinds = await run.kinds()
            assert kinds.count("gateway:run:redriven") == 1
            assert kinds.count("workflow:run:started") == 1
            assert kinds.count("workflow:run:finished") == 2

    async def test_may_fail_and_be_redriven_again(self, bench: Bench) -> None:
        tools = three(ToolFailed("closed"), ToolFailed("still closed"), {"n": 3})
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await station.ended(run)
            again = await station.redrive(run.run)
            assert (await station.ended(again)).status is RunStatus.FAILED
            last = await station.redrive(run.run)
            assert (await last.handle.result()).output == 3
            assert ((await run.row()).epoch, len(tools[0].calls)) == (3, 1)
            await run.kinds()

    async def test_does_anew_what_was_undone_and_nothing_else(self, bench: Bench) -> None:
        reserve, release = ScriptedTool("bank.reserve", {"id": "r1"}, {"id": "r2"}), ScriptedTool("bank.release")
        stamp, pay = ScriptedTool("bank.stamp"), ScriptedTool("bank.pay", ToolFailed("no"), {"id": "p1"})
        tools = (reserve, release, stamp, pay, ScriptedTool("bank.refund"))
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(SAGA)
            await station.ended(run)
            assert [call.arguments for call in release.calls] == [{"of": "r1"}]
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == "p1"
            assert len(set(keys(reserve))) == 2
            assert len(stamp.calls) == 1
            assert pay.calls[-1].arguments == {"of": "r2"}
            effects = {(e.step, e.visit, e.call) for e in await bench.storage.runs.effects_of(bench.tenant, run.run)}
            assert {("settle.reserve", 1, "call"), ("settle.reserve", 2, "call"), ("settle.stamp", 1, "call")} <= effects
            await run.kinds()

    async def test_undoes_anew_what_was_done_anew(self, bench: Bench) -> None:
        reserve, release = ScriptedTool("bank.reserve", {"id": "r1"}, {"id": "r2"}), ScriptedTool("bank.release")
        pay = ScriptedTool("bank.pay", ToolFailed("no"), ToolFailed("no again"))
        tools = (reserve, release, ScriptedTool("bank.stamp"), pay, ScriptedTool("bank.refund"))
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(SAGA)
            await station.ended(run)
            await station.ended(await station.redrive(run.run))
            assert [call.arguments for call in release.calls] == [{"of": "r1"}, {"of": "r2"}]
            assert len(set(keys(release))) == 2

    async def test_goes_on_with_a_cancelled_run(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        tools = three({"n": 3})
        tools[1].script[:] = [gate]
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await gate.reached.wait()
            await run.handle.cancel()
            gate.opened.set()
            assert (await station.ended(run)).status is RunStatus.CANCELLED
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == 3
            assert (len(tools[0].calls), len(tools[1].calls)) == (1, 1)

    async def test_goes_on_with_a_run_that_was_terminated(self, bench: Bench) -> None:
        gate = Gate({"n": 2})
        tools = three({"n": 3})
        tools[1].script[:] = [gate]
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await gate.reached.wait()
            await run.handle.terminate("by hand")
            row = await run.row()
            assert await bench.storage.runs.close_externally(
                bench.tenant, run.run, status=RunStatus.TERMINATED, reason="by hand", at=row.updated_at, epoch=row.epoch
            )
            gate.opened.set()

            async def recorded() -> bool:
                effects = await bench.storage.runs.effects_of(bench.tenant, run.run)
                return any(e.step == "second" and e.state == "done" for e in effects)

            await until(recorded)
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == 3
            assert (len(tools[0].calls), len(tools[1].calls)) == (1, 1)
            await run.kinds()

    async def test_asks_a_person_when_it_is_unknown_what_happened(self, bench: Bench) -> None:
        wire = ScriptedTool("bank.wire", ToolTimedOut("no answer"), retry_class=three()[0].spec.retry_class.AT_MOST_ONCE)
        station = Station(bench, (wire,))
        async with bench.worker(wire):
            run = await station.start("do:\n  - wire: {call: bank.wire, with: {}}\noutput: ${ steps.wire.output }\n")
            await run.complete(await run.task("in_doubt"), "give_up")
            assert (await station.ended(run)).status is RunStatus.FAILED
            again = await station.redrive(run.run)
            await again.complete(await again.task("in_doubt"), "happened", output={"transfer": "t1"})
            assert (await again.handle.result()).output == {"transfer": "t1"}
            assert len(wire.calls) == 1

    async def test_keeps_what_a_person_did_by_hand_after_a_pivot(self, bench: Bench) -> None:
        tools = (
            ScriptedTool("bank.sell", {"id": "s"}),
            ScriptedTool("bank.ship", ToolFailed("no such address"), {"twice": True}),
            ScriptedTool("bank.close", ToolFailed("closed"), {"n": 3}),
        )
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(PIVOT)
            asked = await run.task("failed_step")
            told: JsonValue = {"sent": "by post"}
            said = {"resolution": "happened", "output": told, "principal": REVIEWER, "at": AT}
            await bench.storage.tasks.complete(bench.tenant, asked.projection.task, **said)  # pyright: ignore[reportArgumentType] - its own keywords
            await run.complete(asked, "happened", output=told)
            assert await run.failure() == "tool-failed"
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == "by post"
        assert [len(tool.calls) for tool in tools] == [1, 1, 2]

    async def test_is_refused_while_the_run_is_open_and_after_it_succeeded(self, bench: Bench) -> None:
        gate = Gate({"n": 3})
        tools = three()
        tools[2].script[:] = [gate]
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await gate.reached.wait()
            with pytest.raises(NotRedrivable, match="is running"):
                await station.redrive(run.run)
            gate.opened.set()
            await station.ended(run)
            with pytest.raises(NotRedrivable, match="is succeeded"):
                await station.redrive(run.run)

    async def test_is_refused_when_it_would_only_fail_again(self, bench: Bench) -> None:
        tool = ScriptedTool("bank.one", {"n": 1}, effect_class=EffectClass.READ)
        station = Station(bench, (tool,))
        async with bench.worker(tool):
            run = await station.start('do:\n  - a: {call: bank.one, with: {}}\n  - b: {set: "${ steps.a.output.absent }"}\n')
            assert (await station.ended(run)).status is RunStatus.FAILED
            with pytest.raises(NotRedrivable, match="step b fails with expression-failed"):
                await station.redrive(run.run)

    async def test_of_two_at_once_one_wins(self, bench: Bench) -> None:
        tools = three(ToolFailed("closed"), {"n": 3})
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await station.ended(run)
            told = await asyncio.gather(station.redrive(run.run), station.redrive(run.run), return_exceptions=True)
            assert sorted(type(each).__name__ for each in told) == ["LiveRun", "NotRedrivable"]
            await station.ended(run)
            assert ((await run.row()).epoch, len(tools[2].calls)) == (2, 2)


class Down:
    """A Temporal that answers questions and starts nothing."""

    def __init__(self, station: Station) -> None:
        self._real = station.starter()

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def restart(self, start: RunInput, *, summary: str, after: str) -> None:
        """Fail.

        Raises:
            Unavailable: always.
        """
        del start, summary, after
        raise Unavailable("the test says so")


class TestSweeper:
    async def test_starts_a_redrive_that_a_crash_left_behind(self, bench: Bench) -> None:
        tools = three(ToolFailed("closed"), {"n": 3})
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await station.ended(run)
            await station.redrive(run.run, temporal=Down(station))  # pyright: ignore[reportArgumentType] - it forwards all but one method
            assert (await run.row()).status is RunStatus.RUNNING
            await station.age(run.run)
            await station.sweeper().round()
            assert (await station.ended(station.live(run.run))).status is RunStatus.SUCCEEDED
            assert (len(tools[0].calls), len(tools[2].calls)) == (1, 2)

    async def test_starts_it_once_even_if_nobody_noted_that_it_began(self, bench: Bench) -> None:
        tools = three(ToolFailed("closed"), {"n": 3})
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(THREE)
            await station.ended(run)
            await station.ended(await station.redrive(run.run))
            await station.forget_start(run.run)
            started = (await station.live(run.run).handle.describe()).run_id
            found = await bench.storage.lineage.claim(bench.tenant, run.run, 2, lease_s=5)
            assert found is not None
            await station.starter().restart(RunInput.model_validate(found.start), summary="again", after=found.after)
            assert (await station.live(run.run).handle.describe()).run_id == started


GATED = """
do:
  - gate: {approve: {title: "Pay?", binds: [settle.pay], reviewers: {role: payer}}}
  - settle:
      saga:
        - pay: {call: bank.pay, with: {sum: 5}, compensate: {call: bank.refund, with: {}}}
        - tell: {call: bank.tell, with: {}}
output: "${ steps.gate.output.decided_by }"
"""


class TestApprovals:
    async def test_keep_a_yes_that_was_not_used_up(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay", ToolFailed("closed"), {})
        tools = (pay, ScriptedTool("bank.refund"), ScriptedTool("bank.tell"))
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(GATED)
            await run.decide(run.decision(await run.approval()))
            await station.ended(run)
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == REVIEWER
            assert (await run.kinds()).count("workflow:approval:opened") == 1
            assert len(pay.calls) == 2

    async def test_ask_again_when_the_payment_was_made_and_undone(self, bench: Bench) -> None:
        pay = ScriptedTool("bank.pay")
        tools = (pay, ScriptedTool("bank.refund"), ScriptedTool("bank.tell", ToolFailed("no"), {}))
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(GATED)
            await run.decide(run.decision(await run.approval()))
            await station.ended(run)
            again = await station.redrive(run.run)
            asked = await again.approval()
            assert asked.visit == 2
            assert len(pay.calls) == 1
            await again.decide(again.decision(asked, by=OTHER_REVIEWER))
            assert (await again.handle.result()).output == OTHER_REVIEWER
            assert len({call.idempotency_key for call in pay.calls}) == 2

    async def test_ask_again_after_a_no(self, bench: Bench) -> None:
        tools = (ScriptedTool("bank.pay"), ScriptedTool("bank.refund"), ScriptedTool("bank.tell"))
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(GATED)
            await run.decide(run.decision(await run.approval(), verdict="reject"))
            await station.ended(run)
            again = await station.redrive(run.run)
            await again.decide(again.decision(await again.approval()))
            assert (await again.handle.result()).output == REVIEWER
            assert (await run.kinds()).count("workflow:approval:opened") == 2


AGENT = """
do:
  - judge: {agent: {model: fake/model, instructions: {text: Judge.}, input: "${ input.n }", tools: [claims.look]}}
output: "${ steps.judge.output }"
"""


class TestAgents:
    async def test_go_on_at_the_turn_that_failed(self, bench: Bench) -> None:
        look = ScriptedTool("claims.look", {"sum": 1}, effect_class=EffectClass.READ)
        ask = ModelToolCall(vendor_id="v1", name="claims.look", arguments={})
        provider = FakeProvider(calling(ask), ModelFailed("away"), answered("yes"))
        station = Station(bench, (look,))
        async with bench.worker(look, provider=provider):
            run = await station.start(AGENT)
            assert (await station.ended(run)).status is RunStatus.FAILED
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == "yes"
            assert (len(look.calls), len(provider.requests)) == (1, 3)

    async def test_begin_anew_after_a_refusal(self, bench: Bench) -> None:
        provider = FakeProvider(answered("").model_copy(update={"stop": StopReason.REFUSED}), answered("yes"))
        look = ScriptedTool("claims.look", effect_class=EffectClass.READ)
        station = Station(bench, (look,))
        async with bench.worker(look, provider=provider):
            run = await station.start(AGENT)
            assert (await station.ended(run)).status is RunStatus.FAILED
            again = await station.redrive(run.run)
            assert (await again.handle.result()).output == "yes"
            visits = {(e.visit, e.call) for e in await bench.storage.runs.effects_of(bench.tenant, run.run)}
            assert visits == {(1, "1.model"), (2, "1.model")}
