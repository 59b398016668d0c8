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
from domain.pinned_agents import choose, pinned_agent
from domain.program import PinnedTool
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
    """Opens runs; `specs` returns the tools of this worker, `startable` are the statuses of agents that a run may begin to use."""

    def __init__(
        self,
        *,
        runs: RunStore,
        run_ledger: RunLedger,
        specs: Callable[[], list[ToolSpec]],
        agents: AgentStore,
        startable: frozenset[AgentStatus],
    ) -> None:
        self._runs = runs
        self._ledger = run_ledger
        self._specs = specs
        self._agents = agents
        self._startable = startable

    @activity.defn(name=OPEN_RUN)
    async def open_run(self, envelope: Envelope) -> Receipt:
        """Return the pinned tools and agents, when the run has its row and its first fact.

        Raises:
            InvalidInput: the run is another workflow's, or a tool is not there.
            AgentRefused: an agent is not there, or not in a status to begin with.
        """
        request = OpenRunRequest.model_validate(envelope.request)
        chosen = await self._chosen(envelope.tenant, request.agents)
        wanted = dict.fromkeys(tool for agent in chosen for tool in agent.manifest.tools)
        agents: dict[str, JsonValue] = {agent.name: pinned_agent(agent).model_dump(mode="json") for agent in chosen}
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
