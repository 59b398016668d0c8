"""A planner's plan: tasks for agents, some of which need what others found. Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from pydantic import Field, JsonValue, ValidationError

from domain.model import Wire

TASK_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


class PlannedTask(Wire):
    """One task: `do` says what, `agent` who (None: the plan's only one), `needs` names tasks whose results it is given."""

    id: str
    do: str = Field(min_length=1)
    agent: str | None = None
    needs: list[str] = []


class Plan(Wire):
    """Tasks, each of which begins when those it needs are done."""

    tasks: list[PlannedTask]

    def ready(self, done: Collection[str], begun: Collection[str]) -> list[PlannedTask]:
        """Return the tasks that may begin now, in the plan's order."""
        return [task for task in self.tasks if task.id not in begun and all(need in done for need in task.needs)]


def read_plan(answer: JsonValue, *, agents: Mapping[str, str], tasks_max: int) -> tuple[Plan | None, list[str]]:
    """Return the plan of a planner's answer, or what is wrong with it; `agents` are those it may name."""
    try:
        plan = Plan.model_validate(answer)
    except ValidationError as error:
        return None, [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
    problems = _problems(plan, agents, tasks_max)
    return (None, problems) if problems else (plan, [])


def _problems(plan: Plan, agents: Mapping[str, str], tasks_max: int) -> list[str]:
    ids = [task.id for task in plan.tasks]
    found = [f"a plan has 1 to {tasks_max} tasks, and this one {len(ids)}"] if not 0 < len(ids) <= tasks_max else []
    found += [f"{name!r} is no id of a task: small letters, digits and _, a letter first" for name in ids if not TASK_NAME.fullmatch(name)]
    found += [f"two tasks are named {name!r}" for name in sorted({name for name in ids if ids.count(name) > 1})]
    for task in plan.tasks:
        found += [f"{task.id} needs {need!r}, which is no task of the plan" for need in task.needs if need not in ids]
        if task.agent not in agents and (task.agent is not None or len(agents) > 1):
            found.append(f"{task.id} names no agent: one of {', '.join(agents)}")
    return found or _circles(plan)


def _circles(plan: Plan) -> list[str]:
    done: set[str] = set()
    while ready := [task.id for task in plan.ready(done, done)]:
        done.update(ready)
    left = [task.id for task in plan.tasks if task.id not in done]
    return [f"{', '.join(left)} wait for each other"] if left else []


def agent_of(task: PlannedTask, agents: Mapping[str, str]) -> str:
    """Return the agent that does a task of a checked plan."""
    return agents[task.agent] if task.agent is not None else next(iter(agents.values()))


def results_for(task: PlannedTask, results: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what a task is given of what others found."""
    return {need: results[need] for need in task.needs}
