"""Registered agents as a run holds them: the parts of a version that workflow code needs, as they were when the run started. Pure.

The instructions stay in the registry: the worker puts them in before each model call.
"""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from domain.admission import ASK_TOOL, HAND_OFF_TOOL, tool_of
from domain.agents import AgentChoice, RegisteredAgent, text_sha256
from domain.budget import BudgetRule
from domain.effects import EffectClass, RetryClass
from domain.errors import InvalidInput
from domain.fallbacks import Fallback
from domain.model import Wire
from domain.program import AgentPin, AgentStep, PinnedTool
from domain.versions import newest

AGENT_TIMEOUT_S = 86_400.0
"""How long an agent may work that another one asked; its own limits end it sooner."""


class PinnedAgent(Wire):
    """One version. `tools` are names, `asks` and `hands_off_to` those of agents."""

    pin: AgentPin
    description: str = ""
    model: str
    fallbacks: list[Fallback] = []
    max_call_usd_micros: int | None = None
    temperature: float | None = None
    parallel_tools: bool | None = None
    instructions_sha256: str = ""
    tools: list[str] = []
    asks: list[str] = []
    hands_off_to: list[str] = []
    max_turns: int = 8
    max_output_tokens: int = 4096
    timeout_s: float | None = None
    budget: BudgetRule | None = None
    output_schema: dict[str, JsonValue] | None = None

    @property
    def others(self) -> dict[str, str]:
        """The agents that it may ask or hand its task to, by the names of the tools it does so with."""
        asked = {tool_of(ASK_TOOL, name): name for name in self.asks}
        return asked | {tool_of(HAND_OFF_TOOL, name): name for name in self.hands_off_to}


def pinned_agent(agent: RegisteredAgent) -> PinnedAgent:
    """Return what a run holds of a version."""
    said, limits = agent.manifest, agent.manifest.limits
    return PinnedAgent(
        pin=AgentPin(name=agent.name, version=agent.version, sha256=agent.sha256),
        description=said.description,
        model=said.model,
        fallbacks=list(said.fallbacks),
        max_call_usd_micros=said.max_call_usd_micros,
        temperature=said.temperature,
        parallel_tools=said.parallel_tools,
        instructions_sha256=text_sha256(said.instructions.text),
        tools=said.tool_names,
        asks=[one.partition("@")[0] for one in said.asks],
        hands_off_to=[one.partition("@")[0] for one in said.hands_off_to],
        max_turns=limits.max_turns,
        max_output_tokens=limits.max_output_tokens,
        timeout_s=limits.timeout_s,
        budget=limits.budget,
        output_schema=said.output_schema,
    )


def filled(step: AgentStep, agent: PinnedAgent) -> AgentStep:
    """Return the step with what the version says; a limit of both is the narrower one."""
    timeouts = [timeout for timeout in (step.timeout_s, agent.timeout_s) if timeout is not None]
    return step.model_copy(
        update={
            "pin": agent.pin,
            "model": agent.model,
            "fallbacks": agent.fallbacks,
            "max_call_usd_micros": agent.max_call_usd_micros,
            "temperature": agent.temperature,
            "parallel_tools": agent.parallel_tools,
            "instructions": "",
            "instructions_sha256": agent.instructions_sha256,
            "tools": [*agent.tools, *agent.others],
            "max_turns": agent.max_turns,
            "max_output_tokens": agent.max_output_tokens,
            "output_schema": agent.output_schema,
            "timeout_s": min(timeouts, default=None),
            "budget": narrower(step.budget, agent.budget),
        }
    )


def narrower(one: BudgetRule | None, other: BudgetRule | None) -> BudgetRule | None:
    """Return a budget that keeps within both."""
    if one is None or other is None:
        return one or other
    pairs = {unit: (getattr(one, unit), getattr(other, unit)) for unit in BudgetRule.model_fields}
    limits = {unit: min((limit for limit in pair if limit is not None), default=None) for unit, pair in pairs.items()}
    return BudgetRule.model_validate(limits)


def choose(references: Iterable[str], choice: AgentChoice) -> list[RegisteredAgent]:
    """Return the versions for `name@range` references, and for what those agents ask and hand off to, each agent once.

    Raises:
        NotFound: there is none, or none that may be begun with.
        InvalidInput: two references want different versions of one agent.
    """
    chosen: dict[str, RegisteredAgent] = {}
    waiting = list(references)
    while waiting:
        reference = waiting.pop(0)
        name, _, wanted = reference.partition("@")
        known = chosen.get(name)
        if known is None:
            known = chosen[name] = choice.pick(reference)
            waiting += [*known.manifest.asks, *known.manifest.hands_off_to]
        elif wanted and newest([wanted], [known.version]) is None:
            raise InvalidInput(f"this run needs {reference}, and another part of it the version {known.version} of {name}")
    return list(chosen.values())


def tools_for_others(agents: Mapping[str, PinnedAgent]) -> dict[str, PinnedTool]:
    """Return the tools by which agents ask each other, and hand their tasks on, as their models see them."""
    found: dict[str, PinnedTool] = {}
    for agent in agents.values():
        for tool, name in agent.others.items():
            found[tool] = _tool(tool, agents[name])
    return found


def _tool(name: str, agent: PinnedAgent) -> PinnedTool:
    asks = name.startswith(ASK_TOOL)
    key, meant = ("task", "What it shall do, with all it needs to know.") if asks else ("why", "Why it shall take over.")
    lead = "Ask the agent" if asks else "Hand the whole task, with all that was said, over to the agent"
    return PinnedTool(
        name=name,
        version=agent.pin.version,
        description=f"{lead} {agent.pin.name}: {agent.description or 'no description'}",
        input_schema={"type": "object", "required": [key], "properties": {key: {"type": "string", "description": meant}}},
        effect_class=EffectClass.NONE,
        retry_class=RetryClass.IDEMPOTENT,
        timeout_s=AGENT_TIMEOUT_S,
        trust="trusted",  # an answer brings along the labels of its own conversation
    )
