"""What the worker's check of agents stands on: the statuses of an installation, and the agents that a run's definition has in it."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, cast

from pydantic import JsonValue

from domain.agents import DEVELOPMENT, PRODUCTION, StatusRules
from domain.definition_parse import parse_definition
from domain.errors import NotFound
from domain.lineage import LineageStore
from domain.program import AgentStep, Program, Step
from domain.stepper import walk
from domain.stores import DefinitionStore, RunStore
from wiring.settings import Environment

RUNS_KNOWN_MAX: Final = 2048
"""Runs whose agents a worker remembers: they never change."""


def status_rules(environment: Environment) -> StatusRules:
    """Return what the statuses of agents mean there."""
    return PRODUCTION if environment == "production" else DEVELOPMENT


class DefinitionAgents:
    """A `RunAgents` over the registry of definitions; a run's row says which one is its own, and a fork's start what was changed."""

    def __init__(self, *, runs: RunStore, definitions: DefinitionStore, lineage: LineageStore) -> None:
        self._runs = runs
        self._definitions = definitions
        self._lineage = lineage
        self._known: OrderedDict[tuple[str, str], Mapping[str, AgentStep] | None] = OrderedDict()

    async def agents_of(self, tenant: str, run: str) -> Mapping[str, AgentStep] | None:
        """Return the agents by step; None when the run is of no registered definition. Raises: NotFound."""
        key = (tenant, run)
        if key not in self._known:
            self._known[key] = await self._read(tenant, run)
            if len(self._known) > RUNS_KNOWN_MAX:
                self._known.popitem(last=False)
        return self._known[key]

    async def _read(self, tenant: str, run: str) -> Mapping[str, AgentStep] | None:
        row = await self._runs.get(tenant, run)
        if row.parent_run is not None:
            start = await self._lineage.forked_start(tenant, run)
            if start is not None:  # the gateway stored it when it made the fork: it has the changed prompt or model in it
                return _agents(Program.model_validate(cast("dict[str, JsonValue]", start["program"])).steps)
        try:
            definition = await self._definitions.get(tenant, row.definition, row.version)
        except NotFound:
            return None
        if definition.sha256 != row.definition_sha256:
            return None
        return _agents(parse_definition(definition.document).steps)


def _agents(steps: list[Step]) -> Mapping[str, AgentStep]:
    return {step.path: step for step in walk(steps) if isinstance(step, AgentStep)}
