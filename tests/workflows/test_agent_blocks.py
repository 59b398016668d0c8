"""Critic, validator, router, planner and executors: what they ask whom, and how they end."""

from collections.abc import Sequence

import pytest
from pydantic import JsonValue
from temporalio import workflow
from temporalio.client import WorkflowFailureError

from domain.errors import ModelFailed
from tests.workflows.agent_bench import Cast, Said, actor, approve, playing
from tests.workflows.bench import Bench

with workflow.unsafe.imports_passed_through():
    from standfast_sdk import Planned, Reviewed, Routed, Run, RunTicket, plan_and_execute, reflect, route, validated

pytestmark = pytest.mark.asyncio(loop_scope="session")

CAST = ["writer", "critic", "router", "one", "two", "planner", "finisher"]


def short(answer: JsonValue) -> list[str]:
    """Say what is wrong with an answer that is long."""
    return [f"{len(answer)} characters"] if isinstance(answer, str) and len(answer) > 5 else []


@workflow.defn(sandboxed=False)
class Block:
    """Runs one block."""

    @workflow.run
    async def run(self, ticket: RunTicket, block: str, lenient: bool) -> JsonValue:  # noqa: FBT001 - workflow arguments are positional
        """Return what it gave."""
        async with Run(ticket, agents=CAST, restart_with=[block, lenient]) as run:
            if block == "reflect":
                reviewed = await reflect(run, "b", "task", author="writer", critic="critic", rounds_max=2, must_be_accepted=not lenient)
                return reviewed.model_dump(mode="json")
            if block == "validated":
                return await validated(run, "b", "task", agent="writer", checks=[short, "critic"], rounds_max=3)
            if block == "route":
                other = "two" if lenient else None
                return (await route(run, "b", "task", router="router", routes={"a": "one", "b": "two"}, otherwise=other)).model_dump()
            both = {"first": "one", "second": "two"}
            finisher = "finisher" if lenient else None
            planned = await plan_and_execute(run, "b", "goal", planner="planner", executors=both, finisher=finisher, plans_max=2)
            return planned.model_dump(mode="json")


async def play(bench: Bench, block: str, *, lenient: bool = False, cast: Cast, verdict: Sequence[str] = ("accepted", "feedback")) -> object:
    """Run a block to its end and return what it gave, or its failure's code."""
    await approve(
        bench,
        *(actor(name) for name in ("writer", "one", "two", "finisher")),
        actor("critic", fields=verdict),
        actor("router", fields=["route"]),
        actor("planner", fields=["tasks"]),
    )
    async with playing(bench, (Block, Block.run), cast, block, lenient) as run:
        try:
            return await run.handle.result()
        except WorkflowFailureError:
            return await run.failure()


def no(feedback: str) -> dict[str, JsonValue]:
    """Say that a draft is not good enough."""
    return {"accepted": False, "feedback": feedback}


YES: Said = {"accepted": True, "feedback": ""}


class TestReflect:
    async def test_has_the_author_write_until_the_critic_accepts(self, bench: Bench) -> None:
        cast = Cast(writer=["bad", "good"], critic=[no("longer"), YES])
        reviewed = Reviewed.model_validate(await play(bench, "reflect", cast=cast))
        assert (reviewed.answer, reviewed.accepted, reviewed.rounds) == ("good", True, 2)
        assert cast.told("writer") == ["task", '{"draft": "bad", "feedback": "longer", "task": "task"}']
        assert cast.told("critic")[1] == '{"draft": "good", "task": "task"}'

    async def test_fails_when_nothing_is_accepted(self, bench: Bench) -> None:
        cast = Cast(writer=["bad", "worse"], critic=[no("x"), no("y")])
        assert await play(bench, "reflect", cast=cast) == "not-accepted"

    async def test_returns_the_last_draft_where_that_is_allowed(self, bench: Bench) -> None:
        cast = Cast(writer=["bad", "worse"], critic=[no("x"), no("y")])
        reviewed = Reviewed.model_validate(await play(bench, "reflect", lenient=True, cast=cast))
        assert (reviewed.answer, reviewed.accepted, reviewed.feedback) == ("worse", False, "y")

    async def test_takes_only_a_critic_that_must_give_a_verdict(self, bench: Bench) -> None:
        cast = Cast()
        assert await play(bench, "reflect", cast=cast, verdict=["opinion"]) == "agent-refused"
        assert cast.requests == []


class TestValidated:
    async def test_asks_again_until_functions_and_agents_find_nothing(self, bench: Bench) -> None:
        cast = Cast(writer=["much too long", "red", "blue"], critic=[{"problems": ["not red"]}, {"problems": []}])
        assert await play(bench, "validated", cast=cast, verdict=["problems"]) == "blue"
        assert '"problems": ["13 characters"]' in cast.told("writer")[1]
        assert '"problems": ["not red"]' in cast.told("writer")[2]
        assert len(cast.told("critic")) == 2

    async def test_fails_when_the_last_answer_is_wrong_too(self, bench: Bench) -> None:
        cast = Cast(writer=["much too long"] * 3)
        assert await play(bench, "validated", cast=cast, verdict=["problems"]) == "output-invalid"

    async def test_takes_no_silence_for_consent(self, bench: Bench) -> None:
        cast = Cast(writer=["a"] * 3, critic=[{"problems": "none"} for _ in range(3)])
        assert await play(bench, "validated", cast=cast, verdict=["problems"]) == "output-invalid"


class TestRoute:
    @pytest.mark.parametrize(("label", "agent"), [("a", "one"), ("b", "two")])
    async def test_goes_where_the_router_says(self, bench: Bench, label: str, agent: str) -> None:
        cast = Cast(router=[{"route": label}], one=["1"], two=["2"])
        routed = Routed.model_validate(await play(bench, "route", cast=cast))
        assert (routed.route, routed.agent) == (label, agent)
        assert cast.told("router") == ['{"routes": ["a", "b"], "task": "task"}']

    @pytest.mark.parametrize("label", ["c", 7, None])
    async def test_goes_nowhere_else(self, bench: Bench, label: JsonValue) -> None:
        assert await play(bench, "route", cast=Cast(router=[{"route": label}])) == "output-invalid"

    async def test_has_a_way_for_what_is_none(self, bench: Bench) -> None:
        routed = Routed.model_validate(await play(bench, "route", lenient=True, cast=Cast(router=[{"route": "c"}], two=["2"])))
        assert (routed.route, routed.agent, routed.answer) == ("otherwise", "two", "2")


def plan(*tasks: tuple[str, str, list[str]]) -> dict[str, JsonValue]:
    """Build a plan of (id, agent, needs)."""
    listed: list[JsonValue] = [{"id": name, "do": f"do {name}", "agent": agent, "needs": [*needs]} for name, agent, needs in tasks]
    return {"tasks": listed}


class TestPlanAndExecute:
    async def test_does_tasks_when_what_they_need_is_there(self, bench: Bench) -> None:
        first = plan(("x", "first", []), ("y", "second", []), ("z", "first", ["x", "y"]))
        cast = Cast(planner=[first], one=["1", "3"], two=["2"], finisher=["6"])
        planned = Planned.model_validate(await play(bench, "plan", lenient=True, cast=cast))
        assert (planned.results, planned.summary, planned.plans) == ({"x": "1", "y": "2", "z": "3"}, "6", 1)
        assert cast.told("one")[1] == '{"goal": "goal", "results": {"x": "1", "y": "2"}, "task": "do z"}'
        assert cast.told("finisher") == ['{"goal": "goal", "results": {"x": "1", "y": "2", "z": "3"}}']

    async def test_plans_anew_after_a_failure_and_keeps_what_is_done(self, bench: Bench) -> None:
        first, second = plan(("x", "first", []), ("y", "second", ["x"])), plan(("x", "first", []), ("w", "first", ["x"]))
        cast = Cast(planner=[first, second], one=["1", "4"], two=[ModelFailed("away")])
        planned = Planned.model_validate(await play(bench, "plan", cast=cast))
        assert (planned.results, planned.plans) == ({"x": "1", "w": "4"}, 2)
        assert '"done": {"x": "1"}' in cast.told("planner")[1]
        assert "model-failed" in cast.told("planner")[1]

    async def test_fails_with_the_last_plans_failure(self, bench: Bench) -> None:
        cast = Cast(planner=[plan(("x", "first", []))] * 2, one=[ModelFailed("a"), ModelFailed("b")])
        assert await play(bench, "plan", cast=cast) == "model-failed"

    @pytest.mark.parametrize(
        ("tasks", "said"),
        [
            (plan(("x", "nobody", [])), "names no agent"),
            (plan(("x", "first", ["q"])), "no task of the plan"),
            (plan(("x", "first", ["y"]), ("y", "first", ["x"])), "wait for each other"),
            (plan(("x", "first", []), ("x", "first", [])), "two tasks"),
            (plan(("X Y", "first", [])), "no id"),
            (plan(), "1 to 12 tasks"),
            ({"tasks": [{"id": "x"}]}, "Field required"),
        ],
    )
    async def test_says_what_is_wrong_with_a_plan(self, bench: Bench, tasks: dict[str, JsonValue], said: str) -> None:
        cast = Cast(planner=[tasks, plan(("x", "first", []))], one=["1"])
        assert Planned.model_validate(await play(bench, "plan", cast=cast)).plans == 2
        assert said in cast.told("planner")[1]
