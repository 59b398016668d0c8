"""Grants and quarantine on the real stack: asked just before each call, told in the ledger and the audit; calls of one turn overlap."""

import asyncio
import json

import pytest
from pydantic import JsonValue

from domain.effects import EffectClass
from domain.provider import ModelToolCall
from domain.tool_access import ToolGrant
from domain.tool_audit import CallQuery, CallVerdict
from domain.tool_registry import ToolChange, ToolState
from domain.tools import ToolCall
from tests.domain.programs import agent, call, pinned, program
from tests.fake_provider import FakeProvider, answered, calling
from tests.workflows.bench import REQUESTER, Bench, Gate, ScriptedTool, until
from wiring.tool_watching import ToolWatcher, ToolWatchParts

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOK = pinned("web.look", effect_class=EffectClass.READ)


async def audited(bench: Bench) -> list[tuple[str, str | None, CallVerdict]]:
    """Return (tool, agent, verdict) of every call of the tenant, the oldest first."""
    page = await bench.storage.tool_audit.page(bench.tenant, CallQuery(), limit=50, cursor=None)
    return [(one.tool, one.agent, one.verdict) for one in reversed(page.items)]


async def hold(bench: Bench, tool: str = "bank.pay", state: ToolState = ToolState.QUARANTINED) -> None:
    """Change a version's state."""
    await bench.storage.tools.change(
        bench.tenant, tool, "1.0.0", ToolChange(state=state, reason="it pays strangers", by="prn_admin", at="")
    )


def wanting(name: str, number: int) -> ModelToolCall:
    """Build a call that a model asks for."""
    return ModelToolCall(vendor_id=f"v{number}", name=name, arguments={"n": number})


class TestQuarantine:
    async def test_stops_a_running_run_at_its_next_call(self, bench: Bench) -> None:
        gate = Gate(answer={"id": 1})
        pay = ScriptedTool("bank.pay", gate)
        async with bench.running(program(call("one"), call("two")), pay) as run:
            await gate.reached.wait()
            await hold(bench)
            bench.storage.tool_gate.forget()
            gate.opened.set()
            assert await run.failure() == "tool-quarantined"
            assert len(pay.calls) == 1, "what was under way ended; the next was not made"
            assert (await run.kinds()).count("agent:tool:failed") == 1
            assert await audited(bench) == [("bank.pay", None, CallVerdict.ALLOWED), ("bank.pay", None, CallVerdict.QUARANTINED)]
            assert "it pays strangers" in str((await run.row()).error)

    async def test_is_over_when_a_person_releases_the_tool(self, bench: Bench) -> None:
        await hold(bench)
        await hold(bench, state=ToolState.ACTIVE)
        async with bench.running(program(call("one")), ScriptedTool("bank.pay", {"id": 1})) as run:
            await run.handle.result()


class TestWatch:
    async def test_learns_from_every_call_of_a_tenant_once(self, bench: Bench) -> None:
        async def tenants() -> list[str]:
            return [bench.tenant]

        async with bench.running(program(call("one"), call("two")), ScriptedTool("bank.pay", {"id": 1}, {"id": 2})) as run:
            await run.handle.result()
        store = bench.storage.tool_watch
        watcher = ToolWatcher(ToolWatchParts(tenants=tenants, store=store, holder="a", mode="quarantine"))

        async def learned() -> bool:
            await watcher.round()
            return not await store.waiting(bench.tenant)

        await until(learned)
        await watcher.round()
        [usual] = (await store.baselines(bench.tenant, [("bank.pay", "1.0.0")])).values()
        assert (usual.calls, len(usual.runs)) == (2, 1)


class TestGrant:
    async def test_of_another_agent_denies_the_call_and_the_model_is_told(self, bench: Bench) -> None:
        grant = ToolGrant(grant="tgr_1", tools=("web.*",), agents=("other/agent",), granted_by="prn_admin")
        await bench.storage.tools.grant(bench.tenant, grant)
        look, provider = (
            ScriptedTool("web.look", effect_class=EffectClass.READ),
            FakeProvider(calling(wanting("web.look", 1)), answered("no")),
        )
        given = program(agent("judge", tools=["web.look"], input="${ input }"), output="${ steps.judge.output }", tools=[LOOK])
        async with bench.worker(look, provider=provider):
            run = await bench.start(given)
            assert (await run.handle.result()).output == "no"
        assert look.calls == []
        [told] = [message.text for message in provider.requests[1].messages if message.role == "tool"]
        assert "tool-denied" in told
        assert (await audited(bench))[0][1:] == (f"{given.name}/judge", CallVerdict.DENIED)

    async def test_for_a_role_hands_the_tool_its_principal_and_roles(self, bench: Bench) -> None:
        grant = ToolGrant(grant="tgr_1", tools=("bank.pay",), agents=("steps",), roles=("payer",), granted_by="prn_admin")
        await bench.storage.tools.grant(bench.tenant, grant)
        pay = ScriptedTool("bank.pay", {"id": 1})
        async with bench.running(program(call("one")), pay) as run:
            await run.handle.result()
        assert (pay.calls[0].principal, pay.calls[0].roles, pay.calls[0].agent) == (REQUESTER, ("approver", "payer"), None)


class TestTurn:
    async def test_makes_its_calls_at_once_and_answers_them_in_one_message(self, bench: Bench) -> None:
        together = asyncio.Barrier(3)

        async def meet(given: ToolCall) -> JsonValue:
            async with asyncio.timeout(20):
                await together.wait()  # none comes on before all three are there
            return {"n": given.arguments["n"]}

        look = ScriptedTool("web.look", meet, meet, meet, effect_class=EffectClass.READ)
        provider = FakeProvider(calling(*(wanting("web.look", n) for n in range(3))), answered("done"))
        given = program(agent("judge", tools=["web.look"], input="${ input }"), output="${ steps.judge.output }", tools=[LOOK])
        async with bench.worker(look, provider=provider):
            run = await bench.start(given)
            assert (await run.handle.result()).output == "done"
        assert len(provider.requests) == 2, "one message answers all"
        messages = provider.requests[1].messages[-3:]
        assert [(one.role, json.loads(one.text)["n"]) for one in messages] == [("tool", 0), ("tool", 1), ("tool", 2)]
        kinds = [kind for kind in await run.kinds() if kind.startswith("agent:tool:")]
        assert kinds[:3] == ["agent:tool:requested"] * 3, "all began before one ended"
