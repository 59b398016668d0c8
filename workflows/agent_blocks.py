"""Patterns of several agents for hand-written workflows: critic, planner and executors, router, validator. Deterministic.

Each is made of agent steps (`workflows/code_agents.py`), whose names begin with the block's: so each survives what agents survive, and in
a run that goes on in a new execution it takes up where it stood. Agents that a block reads the answers of declare what it reads in their
output schemas.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from domain.errors import InvalidInput, NotAccepted, OutputInvalid
from domain.model import Wire
from domain.plans import Plan, PlannedTask, agent_of, read_plan, results_for
from workflows.code_agents import needs, run_agent
from workflows.code_runs import Run

ROUNDS_MAX = 3
"""How often an answer is made anew before a block gives up."""
TASKS_MAX = 12
AT_ONCE_MAX = 4
"""Most tasks of a plan, and most of them at the same time."""

Check = Callable[[JsonValue], list[str]]
"""Looks at an answer and returns what is wrong with it; it runs within the workflow, so it is pure."""


class Reviewed(Wire):
    """An answer after its reviews; `rounds` counts the drafts, `feedback` is what the critic said last."""

    answer: JsonValue
    accepted: bool
    rounds: int
    feedback: JsonValue = None


class Planned(Wire):
    """What became of a plan: the results by task, the summary of the agent that had the last word, and how many plans there were."""

    results: dict[str, JsonValue]
    summary: JsonValue = None
    plans: int


class Routed(Wire):
    """Which way a task went, and what came of it."""

    route: str
    agent: str
    answer: JsonValue


async def reflect(
    run: Run, name: str, task: JsonValue, *, author: str, critic: str, rounds_max: int = ROUNDS_MAX, must_be_accepted: bool = True
) -> Reviewed:
    """Have an author answer, and a critic judge, until the critic accepts or the rounds are over.

    The critic answers `{accepted, feedback}`; the author gets its own draft back with the feedback.

    Args:
        run: The run it belongs to.
        name: What the block's steps begin with, unique in the run.
        task: What the author is given.
        author: The agent that answers.
        critic: The agent that judges.
        rounds_max: Most drafts.
        must_be_accepted: Whether the block fails when no draft was accepted; else it returns the last one.

    Raises:
        ApplicationError: an agent failed, or no draft was accepted (`not-accepted`).
        CancelledError: the run was cancelled.
    """
    needs(run, critic, "accepted", "feedback")
    draft: JsonValue = None
    feedback: JsonValue = None
    for number in range(1, rounds_max + 1):
        given: JsonValue = task if number == 1 else {"task": task, "draft": draft, "feedback": feedback}
        draft = await run_agent(run, f"{name}.draft_{number}", author, given)
        verdict = _object(await run_agent(run, f"{name}.review_{number}", critic, {"task": task, "draft": draft}))
        feedback = verdict.get("feedback")
        if verdict.get("accepted") is True:
            return Reviewed(answer=draft, accepted=True, rounds=number, feedback=feedback)
    if must_be_accepted:
        raise ApplicationError(f"{name}: {critic} accepted none of {rounds_max} drafts", type=NotAccepted.code, non_retryable=True)
    return Reviewed(answer=draft, accepted=False, rounds=rounds_max, feedback=feedback)


async def validated(
    run: Run,
    name: str,
    task: JsonValue,
    *,
    agent: str,
    checks: Sequence[Check | str],
    rounds_max: int = ROUNDS_MAX,
    variables: Mapping[str, JsonValue] | None = None,
) -> JsonValue:
    """Have an agent answer until every check passes, and return that answer.

    Functions are asked first, agents only about what all functions let pass; an agent that checks answers `{problems: [text]}`. The agent
    gets its answer back with what is wrong.

    Args:
        run: The run it belongs to.
        name: What the block's steps begin with, unique in the run.
        task: What the agent is given.
        agent: The agent that answers.
        checks: Pure functions of the answer, and names of agents.
        rounds_max: Most answers.
        variables: What the agent's instructions read.

    Raises:
        ApplicationError: an agent failed, or the last answer is wrong too (`output-invalid`).
        CancelledError: the run was cancelled.
    """
    judges = [check for check in checks if isinstance(check, str)]
    for judge in judges:
        needs(run, judge, "problems")
    answer: JsonValue = None
    problems: list[str] = []
    for number in range(1, rounds_max + 1):
        given: JsonValue = task if number == 1 else {"task": task, "answer": answer, "problems": cast("JsonValue", problems)}
        answer = await run_agent(run, f"{name}.answer_{number}", agent, given, variables=variables)
        problems = [problem for check in checks if not isinstance(check, str) for problem in check(answer)]
        for place, judge in enumerate(judges if not problems else [], start=1):
            said = _object(await run_agent(run, f"{name}.check_{number}_{place}", judge, {"task": task, "answer": answer}))
            told = said.get("problems")
            problems += [str(problem) for problem in told] if isinstance(told, list) else ["the check gave no list of problems"]
        if not problems:
            return answer
    detail = f"{name}: after {rounds_max} answers there is still wrong: {'; '.join(problems)[:1000]}"
    raise ApplicationError(detail, type=OutputInvalid.code, non_retryable=True)


async def route(run: Run, name: str, task: JsonValue, *, router: str, routes: Mapping[str, str], otherwise: str | None = None) -> Routed:
    """Have a router choose a way, and the agent of that way do the task.

    The router answers `{route}` with one of the names of `routes`; it is given the task and these names.

    Args:
        run: The run it belongs to.
        name: What the block's steps begin with, unique in the run.
        task: What the router and the chosen agent are given.
        router: The agent that chooses.
        routes: Agents by the names of the ways.
        otherwise: The agent for a way that is none; without one that fails.

    Raises:
        ApplicationError: an agent failed, or the router chose no way (`output-invalid`).
        CancelledError: the run was cancelled.
    """
    needs(run, router, "route")
    chosen = _object(await run_agent(run, f"{name}.choose", router, {"task": task, "routes": [*sorted(routes)]})).get("route")
    label = chosen if isinstance(chosen, str) else ""
    agent = routes.get(label, otherwise)
    if agent is None:
        detail = f"{name}: {router} chose {chosen!r}; the routes are {', '.join(sorted(routes))}"
        raise ApplicationError(detail, type=OutputInvalid.code, non_retryable=True)
    answer = await run_agent(run, f"{name}.{agent.replace('-', '_')}", agent, task)
    return Routed(route=label if label in routes else "otherwise", agent=agent, answer=answer)


async def plan_and_execute(
    run: Run,
    name: str,
    goal: JsonValue,
    *,
    planner: str,
    executors: Mapping[str, str],
    finisher: str | None = None,
    tasks_max: int = TASKS_MAX,
    plans_max: int = ROUNDS_MAX,
) -> Planned:
    """Have a planner make tasks and executors do them, those that need nothing of each other at once; a failed task makes a new plan.

    The planner answers `{tasks: [{id, do, agent, needs}]}`. What was done under an earlier plan is told to the next one and not done again.

    Args:
        run: The run it belongs to.
        name: What the block's steps begin with, unique in the run.
        goal: What shall be reached.
        planner: The agent that plans.
        executors: Agents that do tasks, by the names that plans call them.
        finisher: An agent that is given the goal and all results, and has the last word.
        tasks_max: Most tasks of a plan.
        plans_max: Most plans.

    Raises:
        ApplicationError: the planner failed, the last plan is none (`output-invalid`), or a task of it failed.
        CancelledError: the run was cancelled.
    """
    needs(run, planner, "tasks")
    results: dict[str, JsonValue] = {}
    trouble: dict[str, JsonValue] = {}
    failed: ApplicationError | None = None
    for number in range(1, plans_max + 1):
        about: dict[str, JsonValue] = {"goal": goal, "agents": [*sorted(executors)], "done": dict(results), **trouble}
        plan, problems = read_plan(await run_agent(run, f"{name}.plan_{number}", planner, about), agents=executors, tasks_max=tasks_max)
        if plan is None:
            trouble = {"problems": cast("JsonValue", problems)}
            detail = f"{name}: the plan is none: {'; '.join(problems)[:1000]}"
            failed = ApplicationError(detail, type=OutputInvalid.code, non_retryable=True)
            continue
        failures = await _Execution(run, f"{name}.do_{number}", plan, executors=executors, goal=goal, results=results).all()
        if not failures:
            summary = await run_agent(run, f"{name}.finish", finisher, {"goal": goal, "results": dict(results)}) if finisher else None
            return Planned(results=results, summary=summary, plans=number)
        failed = next(iter(failures.values()))
        trouble = {"failed": {task: f"{error.type}: {error.message}"[:500] for task, error in failures.items()}}
    raise failed or ApplicationError(f"{name}: plans_max is {plans_max}", type=InvalidInput.code, non_retryable=True)


class _Execution:
    """One plan on its way; `results` grows, and has what earlier plans found."""

    def __init__(
        self, run: Run, name: str, plan: Plan, *, executors: Mapping[str, str], goal: JsonValue, results: dict[str, JsonValue]
    ) -> None:
        self._run = run
        self._name = name
        self._plan = plan
        self._executors = executors
        self._goal = goal
        self._results = results
        self._begun = {task.id for task in plan.tasks if task.id in results}

    async def all(self) -> dict[str, ApplicationError]:
        """Do the tasks and return those that failed; after a failure nothing begins any more, and what runs is awaited."""
        failures: dict[str, ApplicationError] = {}
        while not failures and (wave := self._plan.ready(self._results, self._begun)[:AT_ONCE_MAX]):
            self._begun.update(task.id for task in wave)
            ended = await asyncio.gather(*(self._one(task) for task in wave))
            for task, outcome in zip(wave, ended, strict=True):
                if isinstance(outcome, ApplicationError):
                    failures[task.id] = outcome
                else:
                    self._results[task.id] = outcome
        return failures

    async def _one(self, task: PlannedTask) -> JsonValue | ApplicationError:
        given: JsonValue = {"goal": self._goal, "task": task.do, "results": results_for(task, self._results)}
        try:
            return await run_agent(self._run, f"{self._name}.{task.id}", agent_of(task, self._executors), given)
        except ApplicationError as error:
            return error


def _object(answer: JsonValue) -> dict[str, JsonValue]:
    return answer if isinstance(answer, dict) else {}
