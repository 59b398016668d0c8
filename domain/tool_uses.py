"""Who asks for which tools in a definition: agents by their names, and the definition's own steps. Pure."""

from domain.definition_parse import parse_definition
from domain.definition_scope import walk
from domain.program import AgentStep, CallStep
from domain.registry import DefinitionDraft


def tools_asked(definition: DefinitionDraft) -> dict[str, set[str | None]]:
    """Return, by tool, the agents that a definition lets call it; None stands for its `call` steps and compensations.

    What a registered agent calls is known to its own registration.
    """
    asked: dict[str, set[str | None]] = {}
    for step in walk(parse_definition(definition.document).steps):
        if isinstance(step, CallStep):
            for tool in (step.tool, *((step.compensate.tool,) if step.compensate else ())):
                asked.setdefault(tool, set()).add(None)
        elif isinstance(step, AgentStep) and step.uses is None:
            for tool in step.tools:
                asked.setdefault(tool, set()).add(f"{definition.name}/{step.path}")
    return asked
