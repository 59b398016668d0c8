"""Registered agents in definitions and hand-written workflows: the version is chosen, and the step says what that version says. Pure."""

from collections.abc import Callable
from typing import cast

from pydantic import JsonValue

from domain.agents import AgentChoice, AgentManifest, RegisteredAgent
from domain.definition_parts import AgentUse, Mistake, ParsedDefinition, ToolUse
from domain.errors import InvalidInput, NotFound
from domain.pinned_agents import filled, pinned_agent
from domain.program import AgentStep, DoStep, SagaStep, Step, SwitchStep
from domain.schemas import validate


def agent_names(document: JsonValue) -> set[str]:
    """Return the names of the registered agents that a definition's document uses."""
    found: set[str] = set()
    if isinstance(document, dict):
        agent = document.get("agent")
        uses = agent.get("uses") if isinstance(agent, dict) else None
        if isinstance(uses, str):
            found.add(uses.partition("@")[0])
        return found.union(*(agent_names(part) for part in document.values()))
    return found.union(*(agent_names(part) for part in document)) if isinstance(document, list) else found


def resolve_agents(parsed: ParsedDefinition, choice: AgentChoice) -> list[Mistake]:
    """Put the chosen versions into the steps that name them, with their tools, and return what is wrong with the uses."""
    mistakes: list[Mistake] = []
    chosen: dict[str, RegisteredAgent] = {}
    for use in parsed.agents:
        try:
            chosen[use.step] = choice.pick(use.reference)
        except (NotFound, InvalidInput) as error:
            mistakes.append(Mistake((*use.path, "uses"), error.detail))
            continue
        parsed.tools.extend(_tool_uses(use, chosen[use.step].manifest))
        mistakes.extend(_own_mistakes(use, chosen[use.step].manifest, parsed))

    def with_agent(step: AgentStep) -> AgentStep:
        return filled(step, pinned_agent(chosen[step.path])) if step.path in chosen else step

    parsed.steps = [_mapped(step, with_agent) for step in parsed.steps]
    return mistakes


def variable_problems(manifest: AgentManifest, variables: JsonValue) -> list[str]:
    """Return why these values do not fit what an agent's instructions read."""
    given: JsonValue = {} if variables is None else variables
    if manifest.variables is None:
        return ["its instructions read no variables"] if given else []
    return validate(manifest.variables, given)


def _tool_uses(use: AgentUse, manifest: AgentManifest) -> list[ToolUse]:
    parts = [reference.partition("@") for reference in manifest.tools]
    return [ToolUse(path=(*use.path, "uses"), name=name, range=wanted) for name, _, wanted in parts]


def _own_mistakes(use: AgentUse, manifest: AgentManifest, parsed: ParsedDefinition) -> list[Mistake]:
    others = [*manifest.asks, *manifest.hands_off_to]
    if others:
        message = f"`{manifest.name}` works with other agents ({', '.join(others)}), which only hand-written workflows can run"
        return [Mistake((*use.path, "uses"), message, "run_agent of standfast_sdk")]
    variables = next((spot.template for spot in parsed.spots if spot.owner == use.step and spot.path == (*use.path, "with")), None)
    if "${" in str(variables):  # what an expression gives is known when the step begins
        required = cast("list[JsonValue]", (manifest.variables or {}).get("required") or [])
        given = variables if isinstance(variables, dict) else {}
        problems = [f"{name!r} is a required property" for name in required if name not in given]
    else:
        problems = variable_problems(manifest, variables)
    return [Mistake((*use.path, "with") if variables else use.path, f"`with` of {manifest.name}: {problem}") for problem in problems]


def _mapped(step: Step, change: Callable[[AgentStep], AgentStep]) -> Step:
    match step:
        case AgentStep():
            return change(step)
        case SwitchStep():
            cases = [case.model_copy(update={"steps": [_mapped(inner, change) for inner in case.steps]}) for case in step.cases]
            return step.model_copy(update={"cases": cases})
        case DoStep() | SagaStep():
            return step.model_copy(update={"steps": [_mapped(inner, change) for inner in step.steps]})
        case _:
            return step
