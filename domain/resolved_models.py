"""The models of an agent as a run keeps them: aliases give way to what they stand for when the run starts, with the chain behind. Pure."""

from collections.abc import Callable

from domain.capabilities import lacks
from domain.definition_models import wanted_of
from domain.definition_scope import Scope
from domain.errors import AgentRefused
from domain.fallbacks import FALLBACKS_MAX, Fallback
from domain.model_table import ModelAlias, ModelTable
from domain.pinned_agents import PinnedAgent, filled
from domain.program import AgentStep

Meaning = Callable[[str], ModelAlias]
"""What the text of a model stands for; raises where it stands for nothing."""


def resolved_chain(step: AgentStep, mean: Meaning) -> tuple[str, list[Fallback]]:
    """Return a step's model and who takes over: what is behind its alias comes before the step's own fallbacks."""
    meant = mean(step.model)
    chain = list(meant.fallbacks)
    for one in step.fallbacks:
        other = mean(one.model)
        chain += [Fallback(model=other.model, on=one.on), *other.fallbacks]
    return meant.model, chain[:FALLBACKS_MAX]


def unfit(step: AgentStep, models: ModelTable, scope: Scope | None = None) -> list[str]:
    """Return what the models of a resolved step do not take of what it asks, as sentences."""
    wanted = wanted_of(step, scope)
    asked = [step.model, *(one.model for one in step.fallbacks)]
    return [sentence for model in asked for _, sentence in lacks(model, models.able(model), wanted)]


def resolved_agent(agent: PinnedAgent, models: ModelTable) -> PinnedAgent:
    """Return a registered agent with the models that its words stand for now.

    Raises:
        AgentRefused: a word stands for nothing, or a model behind one cannot do what the agent asks.
    """
    label = f"the agent {agent.pin.name} {agent.pin.version}"

    def mean(name: str) -> ModelAlias:
        meant = models.resolve(name)
        if meant is None:
            raise AgentRefused(f"{label} names the model `{name}`, which is no alias that is set: {models.instead(name)}")
        return meant

    model, chain = resolved_chain(filled(AgentStep(path=agent.pin.name, model="", instructions=""), agent), mean)
    resolved = agent.model_copy(update={"model": model, "fallbacks": chain})
    problems = unfit(filled(AgentStep(path=agent.pin.name, model="", instructions=""), resolved), models)
    if problems:
        raise AgentRefused(f"{label}: {'; '.join(problems)}")
    return resolved
