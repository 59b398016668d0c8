"""Registered agents in hand-written workflows: their loop, each other, their limits, and what the worker refuses."""

import json

import pytest
from pydantic import JsonValue
from temporalio import workflow

from domain.agents import AgentLimits, AgentStatus
from domain.approval import OpenApproval
from domain.budget import BudgetRule
from domain.effects import EffectClass
from domain.errors import ModelFailed
from domain.fallbacks import Fallback
from domain.model_table import ModelAlias
from domain.provider import CompletionReply, StopReason
from domain.runs import RunStatus
from domain.tool_access import ToolGrant
from domain.tool_audit import CallQuery
from tests.domain.agent_samples import manifest
from tests.fake_provider import answered
from tests.workflows.agent_bench import Cast, actor, approve, calls, playing
from tests.workflows.bench import Bench, Gate, ScriptedTool
from tests.workflows.test_agent_policy import choose

with workflow.unsafe.imports_passed_through():
    from standfast_sdk import Call, Handled, Run, RunTicket, hand_around, run_agent

pytestmark = pytest.mark.asyncio(loop_scope="session")


@workflow.defn(sandboxed=False)
class Solo:
    """Runs one agent."""

    @workflow.run
    async def run(self, ticket: RunTicket, task: JsonValue, variables: dict[str, JsonValue]) -> JsonValue:
        """Return its answer."""
        async with Run(ticket, agents=["solo@^1"], restart_with=[task, variables]) as run:
            return await run_agent(run, "ask", "solo", task, variables=variables)


@workflow.defn(sandboxed=False)
class Desk:
    """Runs a desk that may hand its task on."""

    @workflow.run
    async def run(self, ticket: RunTicket, task: JsonValue) -> Handled:
        """Return who answered what."""
        async with Run(ticket, agents=["desk"], restart_with=[task]) as run:
            return await hand_around(run, "case", "desk", task, handoffs_max=2)


@workflow.defn(sandboxed=False)
class Long:
    """Runs an agent, a tool and a second agent, in as many executions as it takes."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> list[JsonValue]:
        """Return all answers, and how many executions came before this one."""
        async with Run(ticket, agents=["solo"], tools=["bank.pay"], restart_with=[]) as run:
            first = await run_agent(run, "first", "solo", 1)
            paid = await run.call("pay", Call(tool="bank.pay", arguments={"n": 1}))
            second = await run_agent(run, "second", "solo", 2)
            return [first, paid, second, ticket.epoch]


SOLO, DESK, LONG = (Solo, Solo.run), (Desk, Desk.run), (Long, Long.run)
NOTES: tuple[str, dict[str, JsonValue]] = ("notes.read", {"n": 1})


def notes() -> ScriptedTool:
    """Build a tool that only reads."""
    return ScriptedTool("notes.read", {"note": "red"}, {"note": "blue"}, effect_class=EffectClass.READ)


class TestAgent:
    async def test_answers_after_its_tools_with_the_definitions_own_ledger(self, bench: Bench) -> None:
        await approve(bench, actor("solo", tools=("notes.read@^1",)))
        cast = Cast(solo=[calls(NOTES, NOTES), "both"])
        async with playing(bench, SOLO, cast, "read", {}, tools=[notes()]) as run:
            assert await run.handle.result() == "both"
            assert (await run.row()).status is RunStatus.SUCCEEDED
            kinds = await run.kinds()
        assert cast.told("solo")[-1] in ('{"note": "red"}', '{"note": "blue"}')
        assert [kind for kind in kinds if kind.startswith("agent:")].count("agent:tool:called") == 2
        assert kinds[-1] == "workflow:run:finished"

    @pytest.mark.parametrize(("granted", "told"), [("solo", '{"note": "red"}'), ("another", "tool-denied")])
    async def test_is_known_by_its_own_name_to_grants_and_audit(self, bench: Bench, granted: str, told: str) -> None:
        await bench.storage.tools.grant(
            bench.tenant, ToolGrant(grant="tgr_1", tools=("notes.*",), agents=(granted,), granted_by="prn_admin")
        )
        await approve(bench, actor("solo", tools=("notes.read",)))
        cast = Cast(solo=[calls(NOTES), "done"])
        async with playing(bench, SOLO, cast, "read", {}, tools=[notes()]) as run:
            assert await run.handle.result() == "done"
        assert told in cast.told("solo")[-1]
        for asked, found in (("solo", 1), ("another", 0)):
            page = await bench.storage.tool_audit.page(bench.tenant, CallQuery(agent=asked), limit=5, cursor=None)
            assert len(page.items) == found

    async def test_reads_its_variables_in_its_instructions_and_nothing_else(self, bench: Bench) -> None:
        schema: dict[str, JsonValue] = {"type": "object", "required": ["tone"], "properties": {"tone": {"type": "string"}}}
        await approve(bench, manifest("solo", text="You are solo. Be {{ tone }}.", variables=schema))
        cast = Cast(solo=["yes"])
        async with playing(bench, SOLO, cast, "${ config } {{ tone }}", {"tone": "kind {{ x }}"}) as run:
            assert await run.handle.result() == "yes"
        [(_, request)] = cast.requests
        assert (request.instructions, request.messages[0].text) == ("You are solo. Be kind {{ x }}.", "${ config } {{ tone }}")

    @pytest.mark.parametrize("variables", [{"tone": 7}, {"mood": "kind"}])
    async def test_is_refused_with_variables_that_do_not_fit(self, bench: Bench, variables: dict[str, JsonValue]) -> None:
        schema: dict[str, JsonValue] = {"type": "object", "additionalProperties": False, "properties": {"tone": {"type": "string"}}}
        await approve(bench, actor("solo", variables=schema))
        async with playing(bench, SOLO, Cast(solo=["yes"]), "go", variables) as run:
            assert await run.failure() == "agent-refused"

    async def test_repairs_an_answer_once(self, bench: Bench) -> None:
        await approve(bench, actor("solo", fields=["sum"]))
        async with playing(bench, SOLO, Cast(solo=["none", {"sum": 3}]), "add", {}) as run:
            assert await run.handle.result() == {"sum": 3}

    @pytest.mark.parametrize(
        ("limits", "lines", "code"),
        [
            (AgentLimits(max_turns=1), [calls(NOTES)], "turns-exhausted"),
            (AgentLimits(budget=BudgetRule(tokens=10)), ["never"], "budget-exceeded"),
            (AgentLimits(), [ModelFailed("no")], "model-failed"),
        ],
    )
    async def test_fails_the_run_where_it_fails_itself(self, bench: Bench, limits: AgentLimits, lines: list[JsonValue], code: str) -> None:
        await approve(bench, actor("solo", tools=("notes.read",), limits=limits))
        async with playing(bench, SOLO, Cast(solo=lines), "go", {}, tools=[notes()]) as run:
            assert await run.failure() == code
            assert (await run.row()).status is RunStatus.FAILED

    async def test_ends_when_its_time_is_over(self, bench: Bench) -> None:
        gate = Gate()
        await approve(bench, actor("solo", limits=AgentLimits(timeout_s=1.0)))
        async with playing(bench, SOLO, Cast(solo=[gate, "late"]), "go", {}) as run:
            assert await run.failure() == "step-timed-out"
            gate.opened.set()

    async def test_ends_with_the_run_when_that_is_cancelled(self, bench: Bench) -> None:
        gate = Gate()
        await approve(bench, actor("solo"))
        async with playing(bench, SOLO, Cast(solo=[gate, "late"]), "go", {}) as run:
            await gate.reached.wait()
            await run.handle.cancel()
            assert await run.failure() == "cancelled"
            assert (await run.row()).status is RunStatus.CANCELLED
            gate.opened.set()

    async def test_goes_on_with_another_worker(self, bench: Bench) -> None:
        gate = Gate()
        await approve(bench, actor("solo", tools=("notes.read",)))
        tool = notes()
        async with playing(bench, SOLO, Cast(solo=[calls(NOTES), gate]), "go", {}, tools=[tool]) as run:
            await gate.reached.wait()
        gate.opened.set()
        async with bench.worker(tool, workflows=[Solo], provider=Cast(solo=["done"])):  # pyright: ignore[reportArgumentType] - a provider
            assert await run.handle.result() == "done"
        assert len(tool.calls) == 1


class TestModels:
    async def test_are_what_the_words_stood_for_when_the_run_started(self, bench: Bench) -> None:
        meant = ModelAlias(model="fake/fast", fallbacks=(Fallback(model="fake/slow"),))
        await bench.storage.aliases.put(bench.tenant, "fast", meant, principal="prn_admin")
        await approve(bench, actor("solo", model="fast", tools=("notes.read",), temperature=0.5))
        gate = Gate()
        cast = Cast(solo=[calls(NOTES), gate, "done"])
        async with playing(bench, SOLO, cast, "go", {}, tools=[notes()]) as run:
            await gate.reached.wait()
            await bench.storage.aliases.put(bench.tenant, "fast", ModelAlias(model="fake/other"), principal="prn_admin")
            gate.opened.set()
            assert await run.handle.result() == "done"
        assert {(request.model, request.temperature) for _, request in cast.requests} == {("fake/fast", 0.5)}

    async def test_take_over_from_each_other_as_the_ledger_says(self, bench: Bench) -> None:
        await approve(bench, actor("solo", fallbacks=[{"model": "fake/slow", "on": ["refusal"]}]))
        declined = answered("").model_copy(update={"stop": StopReason.REFUSED})
        async with playing(bench, SOLO, Cast(solo=[declined, answered("done")]), "go", {}) as run:
            assert await run.handle.result() == "done"
            entries = await bench.storage.ledger.entries(bench.tenant, run.run)
        said = [json.loads(entry.body)["data"] for entry in entries]
        [settled] = [data for data in said if "answered_by" in data]
        assert settled["answered_by"] == "fake/slow"
        [taken] = settled["fallbacks"]
        assert (taken["model"], taken["reason"]) == ("fake/model", "refusal")

    @pytest.mark.parametrize("meant", [None, "openai/gpt-5-mini"])
    async def test_are_refused_when_their_word_stands_for_none_that_can_do_it(self, bench: Bench, meant: str | None) -> None:
        if meant is not None:
            await bench.storage.aliases.put(bench.tenant, "fast", ModelAlias(model=meant), principal="prn_admin")
        await approve(bench, actor("solo", model="fast", temperature=0.5))
        async with playing(bench, SOLO, Cast(solo=["never"]), "go", {}) as run:
            assert await run.failure() == "agent-refused"


class TestRefusal:
    @pytest.mark.parametrize("status", [AgentStatus.DRAFT, AgentStatus.REVIEW, AgentStatus.DEPRECATED, AgentStatus.RETIRED])
    async def test_meets_a_run_that_begins_with_what_is_not_approved(self, bench: Bench, status: AgentStatus) -> None:
        await approve(bench, actor("solo"), status=status)
        cast = Cast(solo=["yes"])
        async with playing(bench, SOLO, cast, "go", {}) as run:
            assert await run.failure() == "agent-refused"
        assert cast.requests == []

    async def test_meets_an_agent_that_is_retired_between_two_turns(self, bench: Bench) -> None:
        await approve(bench, actor("solo", tools=("notes.read",)))
        gate = Gate()
        tool = ScriptedTool("notes.read", gate, effect_class=EffectClass.READ)
        cast = Cast(solo=[calls(NOTES), "yes"])
        async with playing(bench, SOLO, cast, "go", {}, tools=[tool]) as run:
            await gate.reached.wait()
            agent = await bench.storage.agents.get(bench.tenant, "solo", "1.0.0")
            assert agent is not None
            await bench.storage.agents.move(bench.tenant, agent, AgentStatus.RETIRED, principal="prn_operator", comment="stop")
            gate.opened.set()
            assert await run.failure() == "agent-refused"
        assert len(cast.requests) == 1

    async def test_lets_a_run_go_on_whose_agent_is_deprecated_meanwhile(self, bench: Bench) -> None:
        await approve(bench, actor("solo", tools=("notes.read",)))
        gate = Gate()
        tool = ScriptedTool("notes.read", gate, effect_class=EffectClass.READ)
        async with playing(bench, SOLO, Cast(solo=[calls(NOTES), "yes"]), "go", {}, tools=[tool]) as run:
            await gate.reached.wait()
            agent = await bench.storage.agents.get(bench.tenant, "solo", "1.0.0")
            assert agent is not None
            await bench.storage.agents.move(bench.tenant, agent, AgentStatus.DEPRECATED, principal="prn_lead", comment="")
            gate.opened.set()
            assert await run.handle.result() == "yes"


class TestHandoff:
    async def test_gives_the_task_and_what_was_said_to_another_agent(self, bench: Bench) -> None:
        await approve(bench, actor("desk", hands_off_to=("billing-desk@^1",)), actor("billing-desk", description="Bills."))
        cast = Cast(desk=[calls(("hand_off.billing_desk", {"why": "a bill"}))], billing_desk=["paid"])
        async with playing(bench, DESK, cast, {"bill": 7}) as run:
            handled = Handled.model_validate(await run.handle.result())
        assert (handled.answer, handled.agent, handled.by) == ("paid", "billing-desk", ["desk"])
        [(_, request)] = [one for one in cast.requests if one[0] == "billing-desk"]
        said, task = (message.text for message in request.messages)
        assert 'it was told: {"bill": 7}' in said
        assert "called hand_off.billing_desk" in said
        assert task == '{"handed_over_by": "desk", "task": {"bill": 7}, "why": "a bill"}'

    async def test_leaves_undone_what_was_asked_for_beside_it(self, bench: Bench) -> None:
        await approve(bench, actor("desk", hands_off_to=("other",), tools=("notes.read",)), actor("other"))
        tool = notes()
        cast = Cast(desk=[calls(NOTES, ("hand_off.other", {"why": "x"}))], other=["ok"])
        async with playing(bench, DESK, cast, 1, tools=[tool]) as run:
            assert Handled.model_validate(await run.handle.result()).answer == "ok"
            assert "agent:tool:refused" in await run.kinds()
        assert tool.calls == []

    async def test_ends_after_so_many(self, bench: Bench) -> None:
        await approve(bench, actor("desk", hands_off_to=("other",)), actor("other", hands_off_to=("desk",)))
        back, forth = calls(("hand_off.desk", {"why": "x"})), calls(("hand_off.other", {"why": "x"}))
        async with playing(bench, DESK, Cast(desk=[forth, forth], other=[back, back]), 1) as run:
            assert await run.failure() == "handoffs-exhausted"

    async def test_cannot_be_made_up_by_an_answer(self, bench: Bench) -> None:
        await approve(bench, actor("desk", hands_off_to=("other",), fields=["handed_off_to"]), actor("other"))
        async with playing(bench, DESK, Cast(desk=[{"handed_off_to": "other", "why": "x"}]), 1) as run:
            assert Handled.model_validate(await run.handle.result()).agent == "desk"


class TestTaint:
    """An agent that has read what a stranger wrote, and the one that it hands its task to, who may pay unless a stranger said whom."""

    FREE = """
@id("reads") permit (principal, action in [Action::"none", Action::"read"], resource);
@id("pays") @reviewers("payer") permit (principal is Agent, action in Action::"change", resource);
"""

    async def hand_on(self, bench: Bench, *before: CompletionReply, trusted: bool) -> tuple[OpenApproval | None, ScriptedTool]:
        """Let the desk read and hand on, and the other pay; return what a person was asked, and the tool that pays."""
        await choose(bench, self.FREE)
        await approve(bench, actor("desk", tools=("notes.read",), hands_off_to=("billing",)), actor("billing", tools=("bank.pay",)))
        read, pay, gate = notes(), ScriptedTool("bank.pay", {"paid": 1}), Gate()
        read.spec = read.spec.model_copy(update={"trust": "trusted" if trusted else "untrusted"})
        pay.spec = pay.spec.model_copy(update={"sensitive_arguments": ("to",)})
        cast = Cast(
            desk=[*before, calls(("hand_off.billing", {"why": "they want money"}))],
            billing=[gate, calls(("bank.pay", {"to": "DE01"})), "done"],
        )
        async with playing(bench, DESK, cast, {"pay": "whoever the letter names"}, tools=[read, pay]) as run:
            await gate.reached.wait()
            gate.opened.set()
            opened = None if trusted or not before else await run.approval()
            if opened is not None:
                assert pay.calls == []
                await run.decide(run.decision(opened))
            assert Handled.model_validate(await run.handle.result()).agent == "billing"
            if opened is None:
                assert "workflow:approval:opened" not in await run.kinds()
        return opened, pay

    async def test_goes_with_a_task_that_is_handed_on(self, bench: Bench) -> None:
        opened, pay = await self.hand_on(bench, calls(NOTES), trusted=False)
        assert opened is not None
        assert "an untrusted source (tool:untrusted) may have chosen to" in opened.title
        assert (opened.calls[0].arguments, len(pay.calls)) == ({"to": "DE01"}, 1)

    @pytest.mark.parametrize(("before", "trusted"), [([calls(NOTES)], True), ([], False)])
    async def test_is_none_where_nobody_strange_was_read(self, bench: Bench, before: list[CompletionReply], *, trusted: bool) -> None:
        opened, pay = await self.hand_on(bench, *before, trusted=trusted)
        assert (opened, len(pay.calls)) == (None, 1)


class TestAsking:
    async def test_gives_the_answer_of_another_agent_as_the_result_of_a_call(self, bench: Bench) -> None:
        await approve(bench, actor("solo", asks=("expert",)), actor("expert", fields=["sum"], tools=("notes.read",)))
        two = calls(("ask.expert", {"task": "add"}), ("ask.expert", {"task": "add more"}))
        cast = Cast(solo=[two, "both"], expert=[calls(NOTES), {"sum": 3}, {"sum": 3}])
        async with playing(bench, SOLO, cast, "go", {}, tools=[notes()]) as run:
            assert await run.handle.result() == "both"
            assert (await run.kinds()).count("workflow:step:completed") == 3
        assert [message.text for message in cast.requests[-1][1].messages[-2:]] == ['{"sum": 3}', '{"sum": 3}']

    async def test_tells_the_asker_when_the_other_fails(self, bench: Bench) -> None:
        await approve(bench, actor("solo", asks=("expert",)), actor("expert"))
        cast = Cast(solo=[calls(("ask.expert", {"task": "add"})), "alone then"], expert=[ModelFailed("away")])
        async with playing(bench, SOLO, cast, "go", {}) as run:
            assert await run.handle.result() == "alone then"
        assert "model-failed" in cast.told("solo")[-1]

    async def test_counts_what_the_other_uses_against_the_askers_budget(self, bench: Bench) -> None:
        limits = AgentLimits(budget=BudgetRule(tokens=5200))
        await approve(bench, actor("solo", asks=("expert",), limits=limits), actor("expert"))
        cast = Cast(solo=[calls(("ask.expert", {"task": "add " * 400})), "?"], expert=["never"])
        async with playing(bench, SOLO, cast, "go", {}) as run:
            assert await run.failure() == "budget-exceeded"

    async def test_ends_where_agents_ask_each_other_too_deep(self, bench: Bench) -> None:
        await approve(bench, actor("solo", asks=("solo",)))
        deeper = calls(("ask.solo", {"task": "go"}))
        cast = Cast(solo=[*[deeper] * 5, *["up"] * 5])
        async with playing(bench, SOLO, cast, "go", {}) as run:
            assert await run.handle.result() == "up"
        assert "4 deep" in str([request.messages[-1].text for _, request in cast.requests])


class TestNewExecution:
    async def test_takes_up_between_two_turns_and_does_nothing_twice(self, bench: Bench) -> None:
        await approve(bench, actor("solo", tools=("notes.read",), limits=AgentLimits(max_turns=20)))
        read, pay = notes(), ScriptedTool("bank.pay", {"paid": 1})
        cast = Cast(solo=[*[calls(NOTES)] * 6, "one", *[calls(NOTES)] * 6, "two"])
        async with playing(bench, LONG, cast, tools=[read, pay], history_max=30) as run:
            [first, paid, second, epoch] = await run.handle.result()
            kinds = await run.kinds()
        assert (first, paid, second) == ("one", {"paid": 1}, "two")
        assert int(epoch) > 2  # pyright: ignore[reportArgumentType] - a number
        assert (len(read.calls), len(pay.calls), len(cast.requests)) == (12, 1, 14)
        assert kinds.count("workflow:run:started") == kinds.count("workflow:run:finished") == 1

    async def test_takes_up_inside_an_agent_that_another_one_asked(self, bench: Bench) -> None:
        await approve(bench, actor("solo", asks=("expert",)), actor("expert", tools=("notes.read",), limits=AgentLimits(max_turns=20)))
        tool = notes()
        cast = Cast(solo=[calls(("ask.expert", {"task": "go"})), "done"], expert=[*[calls(NOTES)] * 8, "found"])
        async with playing(bench, SOLO, cast, "go", {}, tools=[tool], history_max=25) as run:
            assert await run.handle.result() == "done"
            started = (await run.handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        assert started.continued_execution_run_id
        assert (len(tool.calls), len(cast.requests)) == (8, 11)
        assert cast.told("solo")[-1] == '"found"'
