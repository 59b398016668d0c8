"""Forks on a real server: what came before is referenced, what changes the world after it is simulated unless somebody allows it."""

import pytest
from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import Forbidden, InvalidInput, ToolFailed, UnreachedStep
from domain.principals import Role
from domain.runs import RunStatus
from tests.fake_provider import FakeProvider, answered
from tests.workflows.bench import REVIEWER, Bench, ScriptedTool
from tests.workflows.redriven import Station

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAYOUT = """
config: {schema: {type: object, properties: {fee: {type: integer}}}, defaults: {fee: 5}}
do:
  - look: {call: claims.look, with: {id: "${ input.n }"}}
  - settle:
      saga:
        - reserve: {call: bank.reserve, with: {sum: "${ steps.look.output.sum }"}, compensate: {call: bank.release, with: {}}}
        - pay: {call: bank.pay, with: {sum: "${ steps.look.output.sum }", fee: "${ config.fee }"}}
  - tell: {call: claims.tell, with: {payment: "${ steps.settle.pay.output.id }"}}
output: "${ steps.settle.pay.output.id }"
"""

PAYMENT: dict[str, JsonValue] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "note": {"type": "string"}}}


def payout() -> tuple[ScriptedTool, ...]:
    """Build the tools of PAYOUT: two that read, three that change the world."""
    return (
        ScriptedTool("claims.look", {"sum": 100}, ToolFailed("twice"), effect_class=EffectClass.READ),
        ScriptedTool("bank.reserve", {"id": "r1"}),
        ScriptedTool("bank.release"),
        ScriptedTool("bank.pay", {"id": "p1"}, {"id": "p2"}, {"id": "p3"}, output_schema=PAYMENT),
        ScriptedTool("claims.tell", effect_class=EffectClass.READ),
    )


async def parent(station: Station, given: JsonValue = None) -> str:
    """Play the parent to its end."""
    run = await station.start(PAYOUT, given=given)
    assert (await run.handle.result()).output == "p1"
    return run.run


class TestFork:
    async def test_simulates_what_changes_the_world_and_answers_as_the_parent_did(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            first = await parent(station)
            fork = await station.fork(first, "settle.pay")
            assert (await fork.handle.result()).output == "p1"
            look, reserve, _, pay, tell = tools
            assert (len(look.calls), len(reserve.calls), len(pay.calls), len(tell.calls)) == (1, 1, 1, 2)
            kinds = await fork.kinds()
            assert kinds[:2] == ["gateway:run:accepted", "gateway:run:forked"]
            assert kinds.count("agent:tool:simulated") == 1
            assert (await station.live(first).kinds())[-1] == "gateway:run:forked"
            row = await fork.row()
            assert (row.parent_run, row.fork_step, row.fork_effects) == (first, "settle.pay", "simulated")

    async def test_makes_an_answer_from_the_schema_when_the_call_is_another(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            fork = await station.fork(await parent(station), "settle.pay", changes={"arguments": {"sum": 7}})
            assert (await fork.handle.result()).output == "simulated"
            assert len(tools[3].calls) == 1

    async def test_does_it_when_that_is_allowed(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            fork = await station.fork(await parent(station), "settle.pay", changes={"config": {"fee": 9}}, allow_effects=True)
            assert (await fork.handle.result()).output == "p2"
            assert [call.arguments for call in tools[3].calls] == [{"sum": 100, "fee": 5}, {"sum": 100, "fee": 9}]
            assert len({call.idempotency_key for call in tools[3].calls}) == 2
            assert len(tools[1].calls) == 1

    async def test_undoes_nothing_of_its_parent(self, bench: Bench) -> None:
        tools = payout()
        tools[3].script[:] = [{"id": "p1"}, ToolFailed("no")]
        station = Station(bench, tools)
        async with bench.worker(*tools):
            fork = await station.fork(await parent(station), "settle.pay", allow_effects=True)
            assert (await station.ended(fork)).status is RunStatus.FAILED
            assert tools[2].calls == []

    async def test_stays_simulated_when_it_is_redriven_or_forked_again(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            tools[4].script[:] = [{}, ToolFailed("away"), {}, {}]
            fork = await station.fork(await parent(station), "settle.reserve")
            assert (await station.ended(fork)).status is RunStatus.FAILED
            again = await station.redrive(fork.run)
            assert (await again.handle.result()).output == "p1"
            other = await station.fork(fork.run, "settle.pay")
            assert (await other.handle.result()).output == "simulated"
            assert (len(tools[1].calls), len(tools[3].calls)) == (1, 1)

    async def test_keeps_its_changes_when_it_is_forked_again(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            fork = await station.fork(await parent(station), "settle.pay", changes={"arguments": {"sum": 7}}, allow_effects=True)
            await fork.handle.result()
            other = await station.fork(fork.run, "settle.pay", allow_effects=True)
            await other.handle.result()
            assert tools[3].calls[-1].arguments == {"sum": 7, "fee": 5}

    async def test_reads_what_its_changes_read_when_it_is_redriven_too(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            first = await parent(station, {"n": 1, "bonus": 9})
            tools[3].script[:] = [ToolFailed("closed"), {"id": "p2"}]
            changes: JsonValue = {"arguments": {"sum": "${ input.bonus }"}}
            fork = await station.fork(first, "settle.pay", changes=changes, allow_effects=True)
            assert (await station.ended(fork)).status is RunStatus.FAILED
            again = await station.redrive(fork.run)
            assert (await again.handle.result()).output == "p2"
            assert [call.arguments["sum"] for call in tools[3].calls] == [100, 9, 9]

    async def test_asks_the_model_anew_with_another_prompt(self, bench: Bench) -> None:
        text = (
            'do:\n  - judge: {agent: {model: fake/model, instructions: {text: Be strict.}, input: "${ input.n }"}}\n'
            'output: "${ steps.judge.output }"\n'
        )
        provider = FakeProvider(answered("no"), answered("yes"))
        station = Station(bench, ())
        async with bench.worker(provider=provider):
            run = await station.start(text)
            assert (await run.handle.result()).output == "no"
            fork = await station.fork(run.run, "judge", changes={"instructions": "Be kind.", "model": "fake/other"})
            assert (await fork.handle.result()).output == "yes"
            assert [(r.instructions, r.model) for r in provider.requests] == [("Be strict.", "fake/model"), ("Be kind.", "fake/other")]

    async def test_is_the_same_run_for_the_same_key(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            first = await parent(station)
            one, two = await station.fork(first, "settle.pay", key="k"), await station.fork(first, "settle.pay", key="k")
            assert one.run == two.run
            await one.handle.result()
            assert (await station.live(first).kinds()).count("gateway:run:forked") == 1


class TestRefusals:
    async def test_names_the_steps_there_are(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            first = await parent(station)
            with pytest.raises(UnreachedStep, match=r"settle\.reserve"):
                await station.fork(first, "settle.absent")

    async def test_says_which_step_the_run_did_not_come_to(self, bench: Bench) -> None:
        tools = payout()
        tools[3].script[:] = [ToolFailed("no")]
        station = Station(bench, tools)
        async with bench.worker(*tools):
            run = await station.start(PAYOUT)
            await station.ended(run)
            with pytest.raises(UnreachedStep, match="no outcome for every step before 'tell'"):
                await station.fork(run.run, "tell")

    async def test_lets_only_operators_allow_effects(self, bench: Bench) -> None:
        tools = payout()
        station = Station(bench, tools)
        async with bench.worker(*tools):
            first = await parent(station)
            with pytest.raises(Forbidden):
                await station.fork(first, "settle.pay", role=Role.DEVELOPER, allow_effects=True)

    async def test_lets_no_approval_of_the_parent_allow_a_payment_of_the_fork(self, bench: Bench) -> None:
        text = (
            "do:\n  - gate: {approve: {title: Pay?, binds: [pay], reviewers: {role: payer}}}\n  - pay: {call: bank.pay, with: {sum: 5}}\n"
        )
        pay = ScriptedTool("bank.pay")
        station = Station(bench, (pay,))
        async with bench.worker(pay):
            run = await station.start(text)
            await run.decide(run.decision(await run.approval()))
            await run.handle.result()
            with pytest.raises(InvalidInput, match="fork at 'gate'"):
                await station.fork(run.run, "pay", allow_effects=True)
            simulated = await station.fork(run.run, "pay")
            await simulated.handle.result()
            asked = await station.fork(run.run, "gate", allow_effects=True)
            await asked.decide(asked.decision(await asked.approval(), by=REVIEWER))
            await asked.handle.result()
            assert len(pay.calls) == 2
