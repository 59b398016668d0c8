"""One workflow for each pattern. Every agent is registered and approved (`bundle/`); the workflows know their names and nothing else."""

from pydantic import JsonValue
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from standfast_sdk import Run, RunTicket, hand_around, plan_and_execute, reflect, route, run_agent, validated

LETTER = "My flight was four hours late. I want my money back."


def within_limits(answer: JsonValue) -> list[str]:
    """Say what is wrong with an amount; a check of this kind is a pure function."""
    amount = answer.get("amount") if isinstance(answer, dict) else None
    return [] if isinstance(amount, int) and 0 <= amount <= 1000 else [f"{amount} is not between 0 and 1000"]


@workflow.defn(name="examples.handoff")
class Handoff:
    """The triage desk hands a letter to the desk that decides, with all that was said."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> JsonValue:
        """Return who answered what."""
        async with Run(ticket, agents=["triage@^1"], restart_with=[]) as run:
            return (await hand_around(run, "letter", "triage", LETTER)).model_dump(mode="json")


@workflow.defn(name="examples.agent_as_tool")
class AgentAsTool:
    """An analyst asks another agent as it would call a tool."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> JsonValue:
        """Return the analyst's answer."""
        async with Run(ticket, agents=["analyst@^1"], restart_with=[]) as run:
            return await run_agent(run, "question", "analyst", "How many flights were late?")


@workflow.defn(name="examples.reflection")
class Reflection:
    """A writer writes until a critic accepts."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> JsonValue:
        """Return the accepted letter and the rounds it took."""
        async with Run(ticket, agents=["writer@^1", "critic@^1"], restart_with=[]) as run:
            reviewed = await reflect(run, "letter", "Answer the passenger.", author="writer", critic="critic", rounds_max=3)
            return reviewed.model_dump(mode="json")


@workflow.defn(name="examples.planner")
class Planner:
    """A planner makes tasks; those that need nothing of each other run at once; a reporter has the last word."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> JsonValue:
        """Return the results by task, and the report."""
        async with Run(ticket, agents=["planner@^1", "researcher@^1", "reporter@^1"], restart_with=[]) as run:
            done = await plan_and_execute(
                run, "why", "Why was it late?", planner="planner", executors={"researcher": "researcher"}, finisher="reporter"
            )
            return done.model_dump(mode="json")


@workflow.defn(name="examples.router")
class Router:
    """A router chooses who does a task."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> JsonValue:
        """Return the way it went, and the answer."""
        async with Run(ticket, agents=["router@^1", "refunds@^1", "analyst@^1"], restart_with=[]) as run:
            routed = await route(run, "letter", LETTER, router="router", routes={"money": "refunds", "facts": "analyst"})
            return routed.model_dump(mode="json")


@workflow.defn(name="examples.validator")
class Validator:
    """An amount is asked for again until a function and a checking agent find nothing wrong with it."""

    @workflow.run
    async def run(self, ticket: RunTicket) -> JsonValue:
        """Return the amount."""
        async with Run(ticket, agents=["quoter@^1", "checker@^1"], restart_with=[]) as run:
            return await validated(run, "amount", LETTER, agent="quoter", checks=[within_limits, "checker"], variables={"currency": "USD"})


WORKFLOWS = [Handoff, AgentAsTool, Reflection, Planner, Router, Validator]
