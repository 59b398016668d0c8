"""The activity that opens the run of a hand-written workflow: its row, its first fact, and its tools as they are now.

A run of a definition is accepted by the gateway before its workflow starts. A workflow that people wrote and start themselves has nobody
who did so: it opens its own run, once, however often the activity is tried.
"""

from collections.abc import Callable

from pydantic import JsonValue
from temporalio import activity

from activities.run_records import carrier_of
from domain.agents import AgentChoice, AgentStatus, AgentStore, RegisteredAgent
from domain.canonical import digest_hex
from domain.envelope import Envelope, Receipt
from domain.errors import AgentRefused, InvalidInput, NotFound
from domain.expressions import ENGINE
from domain.model import Wire
from domain.model_table import NO_ALIASES, AliasStore, ModelTable
from domain.pinned_agents import PinnedAgent, choose, pinned_agent
from domain.program import PinnedTool
from domain.resolved_models import resolved_agent
from domain.runs import Projection, RunLedger, RunStatus
from domain.stores import NewRun, RunStore
from domain.tools import ToolSpec
from domain.versions import newest

OPEN_RUN = "standfast.open_run"


class OpenRunRequest(Wire):
    """Open a run: `definition` is the workflow's type; `tools` and `agents` are `name` or `name@range`."""

    definition: str
    version: str
    tools: list[str]
    agents: list[str] = []


def code_sha256(definition: str, version: str) -> str:
    """Return what stands for a hand-written workflow's definition in its run: its name and version say all that is known of it."""
    return digest_hex("standfast:code:v1", {"definition": definition, "version": version})


class CodeRunActivities:
    """Opens runs.

    `specs` returns the tools of this worker, `startable` are the statuses of agents that a run may begin to use; `models` are the
    operator's aliases, and `aliases` the tenants' own.
    """

    def __init__(
        self,
        *,
        runs: RunStore,
        run_ledger: RunLedger,
        specs: Callable[[], list[ToolSpec]],
        agents: AgentStore,
        startable: frozenset[AgentStatus],
        aliases: AliasStore,
        models: ModelTable = NO_ALIASES,
    ) -> None:
        self._runs = runs
        self._ledger = run_ledger
        self._specs = specs
        self._agents = agents
        self._startable = startable
        self._aliases = aliases
        self._models = models

    @activity.defn(name=OPEN_RUN)
    async def open_run(self, envelope: Envelope) -> Receipt:
        """Return the pinned tools and agents, when the run has its row and its first fact.

        Raises:
            InvalidInput: the run is another workflow's, or a tool is not there.
            AgentRefused: an agent is not there, not in a status to begin with, or its model is none.
        """
        request = OpenRunRequest.model_validate(envelope.request)
        chosen = await self._chosen(envelope.tenant, request.agents)
        wanted = dict.fromkeys(tool for agent in chosen for tool in agent.manifest.tools)
        agents: dict[str, JsonValue] = {one.pin.name: one.model_dump(mode="json") for one in await self._resolved(envelope.tenant, chosen)}
        tools = dict(self._pinned(reference) for reference in request.tools) | dict(self._pinned(one, shown=True) for one in wanted)
        sha256 = code_sha256(request.definition, request.version)
        row = await self._runs.accept(
            NewRun(
                tenant=envelope.tenant,
                run=envelope.run,
                definition=request.definition,
                version=request.version,
                definition_sha256=sha256,
                principal=envelope.principal,
                correlation_id=envelope.correlation_id,
                fingerprint=sha256,
                input=None,
                config={},
                expression_engine=ENGINE,
            )
        )
        if row.definition_sha256 != sha256:
            raise InvalidInput(f"{envelope.run} is a run of {row.definition} {row.version}: start the workflow under an id of its own")
        head = await self._ledger.flush(carrier_of(envelope), Projection(status=RunStatus.RUNNING), fact_seq=len(envelope.facts))
        return Receipt(fact_head=head, fields={"tools": tools, **({"agents": agents} if agents else {})})

    async def _chosen(self, tenant: str, references: list[str]) -> list[RegisteredAgent]:
        """Return the versions of agents, of those that they work with too.

        Raises:
            AgentRefused: there is none that a run may begin to use.
        """
        if not references:
            return []
        try:
            return choose(references, AgentChoice(agents=tuple(await self._agents.all(tenant)), startable=self._startable))
        except (NotFound, InvalidInput) as error:
            raise AgentRefused(error.detail) from error

    async def _resolved(self, tenant: str, chosen: list[RegisteredAgent]) -> list[PinnedAgent]:
        """Return the agents with what their models stand for now; the run keeps that.

        Raises:
            AgentRefused: a word stands for nothing, or for a model that cannot do what its agent asks.
        """
        own = {one.alias: one for one in await self._aliases.all(tenant)} if chosen else {}
        models = self._models.with_tenant(own)
        return [resolved_agent(pinned_agent(agent), models) for agent in chosen]

    def _pinned(self, reference: str, *, shown: bool = False) -> tuple[str, JsonValue]:
        """A tool's name and pin; only what a model is `shown` has a description and a schema.

        Raises:
            InvalidInput: this worker has none such.
        """
        name, _, wanted = reference.partition("@")
        versions = {spec.version: spec for spec in self._specs() if spec.name == name}
        best = newest([wanted] if wanted else [], list(versions))
        if best is None:
            raise InvalidInput(f"this worker has no tool {reference}; of {name} it has {', '.join(sorted(versions)) or 'none'}")
        known = {field: getattr(versions[best], field) for field in PinnedTool.model_fields if field != "declaration"}
        pinned = PinnedTool.model_validate(known if shown else {**known, "description": "", "input_schema": {}})
        return name, pinned.model_dump(mode="json")
