"""The agents of runs whose programs tests make themselves: such a program counts as a definition that is registered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.admission import RunAgents
from domain.program import AgentStep, Program
from domain.stepper import walk


@dataclass
class FakeRunAgents:
    """A `RunAgents`: the programs that a test started, and behind them the real one."""

    otherwise: RunAgents | None = None
    programs: dict[str, Program] = field(default_factory=dict[str, Program])

    async def agents_of(self, tenant: str, run: str) -> Mapping[str, AgentStep] | None:
        """Return the agents of a started program by step."""
        program = self.programs.get(run)
        if program is None:
            return None if self.otherwise is None else await self.otherwise.agents_of(tenant, run)
        return {step.path: step for step in walk(program.steps) if isinstance(step, AgentStep)}
