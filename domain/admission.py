"""Whether a model call is one of an agent that may run: registered and not retired, or written in the definition its run is of. Pure.

The worker asks before every model call, whoever started the workflow, and however. What a workflow says of itself proves nothing: a
registered agent's words come from the registry, and those of a definition are compared with the definition that the run's row names.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from pydantic import JsonValue

from domain.agents import RegisteredAgent, StatusRules
from domain.errors import AgentRefused
from domain.fallbacks import Fallback
from domain.model import Value
from domain.model_table import MODEL
from domain.program import AgentPin, AgentStep

ASK_TOOL: Final = "ask."
HAND_OFF_TOOL: Final = "hand_off."
"""What the tools begin with by which an agent asks another one, or hands its task to one."""

_HOLE: Final = re.compile(r"\$\{.*?\}", re.DOTALL)


class AskedCall(Value):
    """What a model call asks for, as far as it may be checked; `tools` are their names."""

    tenant: str
    run: str
    step: str
    model: str
    others: tuple[str, ...] = ()
    instructions: str
    tools: tuple[str, ...]
    output_schema: dict[str, JsonValue] | None
    max_output_tokens: int
    max_call_usd_micros: int | None = None


class RunAgents(Protocol):
    """The agents that a run's own definition has written in it."""

    async def agents_of(self, tenant: str, run: str) -> Mapping[str, AgentStep] | None:
        """Return them by step, as the registered definition of the run's row says, with the changes of a fork.

        None when the run is of no registered definition. Raises: NotFound, when there is no such run.
        """
        ...


def tool_of(prefix: str, agent: str) -> str:
    """Return the name of the tool by which an agent (`name` or `name@range`) is asked, or handed a task."""
    return prefix + agent.partition("@")[0].replace("-", "_")


def check_registered(asked: AskedCall, pin: AgentPin, found: RegisteredAgent | None, rules: StatusRules) -> RegisteredAgent:
    """Return the registered agent when this call is its own.

    Raises:
        AgentRefused: it is not there, not in use, was tampered with, or the call asks for more than the agent may.
    """
    label = f"the agent {pin.name} {pin.version}"
    if found is None:
        raise AgentRefused(f"{label} is not registered")
    if found.sha256 != pin.sha256 or found.manifest.sha256() != pin.sha256:
        raise AgentRefused(f"{label} is not what is registered under this name: its SHA-256 is another")
    if found.status not in rules.running:
        raise AgentRefused(f"{label} is {found.status}, and only {' or '.join(sorted(rules.running))} agents run here")
    said = found.manifest
    allowed = {
        *said.tool_names,
        *(tool_of(ASK_TOOL, one) for one in said.asks),
        *(tool_of(HAND_OFF_TOOL, one) for one in said.hands_off_to),
    }
    limits = said.limits
    _compare(label, asked, tools=allowed, model=_model(said.model, asked), schema=said.output_schema, tokens=limits.max_output_tokens)
    _compare_chain(label, asked, said.model, said.fallbacks, most=said.max_call_usd_micros)
    return found


def check_written(asked: AskedCall, step: str, agents: Mapping[str, AgentStep] | None) -> None:
    """Let a call through whose agent stands in the definition of its run.

    Raises:
        AgentRefused: it does not, or not so.
    """
    if agents is None:
        raise AgentRefused(f"{asked.run} is of no registered definition, so that its agents must be registered: name one by `agent`")
    written = agents.get(step)
    if written is None or written.uses is not None:
        raise AgentRefused(f"the definition of {asked.run} has no agent of its own at {step!r}")
    label = f"the agent at {step!r}"
    model = _model(written.model, asked)
    _compare(label, asked, tools=written.tools, model=model, schema=written.output_schema, tokens=written.max_output_tokens)
    _compare_chain(label, asked, written.model, written.fallbacks, most=written.max_call_usd_micros)
    if not rendered_from(written.instructions, asked.instructions):
        raise AgentRefused(f"{label} is told something else than its definition says")


def _whole(model: str) -> bool:
    """Whether it is a model as it stands, and no alias or expression, whose meaning a run keeps from its start."""
    return MODEL.fullmatch(model) is not None and "${" not in model


def _model(said: str, asked: AskedCall) -> str:
    return said if _whole(said) else asked.model


def _compare_chain(label: str, asked: AskedCall, model: str, fallbacks: Iterable[Fallback], *, most: int | None) -> None:
    """Compare the models that may take over, where none of their names is an alias, and the most that a call may cost.

    Raises:
        AgentRefused: there are others, or a call may cost more.
    """
    said = [model, *(one.model for one in fallbacks)]
    others = sorted(set(asked.others) - set(said))
    if others and all(_whole(name) for name in said):
        raise AgentRefused(f"{label} may not fall back on {', '.join(others)}")
    if most is not None and (asked.max_call_usd_micros is None or asked.max_call_usd_micros > most):
        raise AgentRefused(f"{label} may not make calls for more than its `max_call_usd`")


def _compare(label: str, asked: AskedCall, *, tools: Iterable[str], model: str, schema: dict[str, JsonValue] | None, tokens: int) -> None:
    """Compare what is asked with what may be.

    Raises:
        AgentRefused: it is more, or something else.
    """
    more = sorted(set(asked.tools) - set(tools))
    if more:
        raise AgentRefused(f"{label} may not call {', '.join(more)}")
    if asked.model != model:
        raise AgentRefused(f"{label} is of the model {model}, and not of {asked.model}")
    if asked.output_schema not in (None, schema) or asked.max_output_tokens > tokens:
        raise AgentRefused(f"{label} answers by another schema, or with more tokens, than it may")


def rendered_from(template: str, text: str) -> bool:
    """Whether a text can come from a template with `${ }` holes: what stands around them is there, in this order."""
    parts = _HOLE.split(template)
    if len(parts) == 1:
        return text == template
    if not text.startswith(parts[0]) or not text.endswith(parts[-1]) or len(text) < len(parts[0]) + len(parts[-1]):
        return False
    place, end = len(parts[0]), len(text) - len(parts[-1])
    for part in parts[1:-1]:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
