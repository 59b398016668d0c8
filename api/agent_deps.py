"""What registered agents and prompts need beside the other stores."""

from dataclasses import dataclass

from domain.agents import AgentStatus, AgentStore
from domain.registry import AgentReader


@dataclass(frozen=True, kw_only=True)
class AgentDeps:
    """The ports; `startable` are the statuses in which a version may be begun with here."""

    store: AgentStore
    reader: AgentReader
    startable: frozenset[AgentStatus]
