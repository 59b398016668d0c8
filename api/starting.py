"""Starts an accepted run: compile its definition, cut its input down to what expressions read, start the workflow.

The start route and the sweeper share it; both may run it for the same row at the same time (JOURNAL §8).
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from api.agent_deps import AgentDeps
from api.model_deps import ModelDeps
from api.tool_deps import ToolDeps, usable_tools, with_registered
from domain.agent_uses import agent_names
from domain.agents import AgentChoice
from domain.errors import ExpressionFailed, InvalidDefinition
from domain.expressions import render
from domain.labels import input_labels
from domain.program import Program
from domain.projection import project
from domain.registry import DefinitionDraft, ProgramCompiler, RegisteredDefinition
from domain.stores import RunRow
from domain.tools import ToolSpec
from workflows.messages import PROGRAM_BYTES_MAX, RunInput

SUMMARY_BYTES_MAX = 160
"""A summary's payload may have 400 bytes (TEMPORAL.md §4), and encryption adds about 200."""


class AcceptedInputs(Protocol):
    """Where accepted inputs are read; a RunStore is one."""

    async def input_of(self, tenant: str, run: str) -> tuple[JsonValue, dict[str, JsonValue]]:
        """Return (input, config) as they were accepted. Raises: NotFound, ReferenceMissing."""
        ...


class DefinitionVersions(Protocol):
    """Where versions are read; a DefinitionStore is one."""

    async def get(self, tenant: str, name: str, version_range: str | None) -> RegisteredDefinition:
        """Return the highest version in a range. Raises: NotFound."""
        ...


class WorkflowStarter(Protocol):
    """What starts workflows; a RunStarter is one."""

    async def start(self, start: RunInput, *, summary: str) -> None:
        """Start; already started is success. Raises: Unavailable."""
        ...


class StartPorts(Protocol):
    """What a start needs; GatewayDeps has it."""

    @property
    def runs(self) -> AcceptedInputs:
        """The accepted inputs."""
        ...

    @property
    def definitions(self) -> DefinitionVersions:
        """The registry."""
        ...

    @property
    def agents(self) -> AgentDeps:
        """The registered agents."""
        ...

    @property
    def models(self) -> ModelDeps:
        """What definitions may name as models."""
        ...

    @property
    def temporal(self) -> WorkflowStarter:
        """Temporal."""
        ...

    @property
    def compile_program(self) -> ProgramCompiler:
        """The compiler."""
        ...

    @property
    def tools(self) -> ToolDeps:
        """The registry of tools."""
        ...

    @property
    def tool_specs(self) -> Callable[[], list[ToolSpec]]:
        """The tools there are now."""
        ...


class Prepared(NamedTuple):
    """A program, the projected input it starts with, and whose data the definition says that is."""

    program: Program
    input_fields: dict[str, JsonValue]
    subject: str | None = None


async def prepare(
    ports: StartPorts, tenant: str, definition: DefinitionDraft, *, run_input: JsonValue, config: dict[str, JsonValue]
) -> Prepared:
    """Compile a definition for one run, with the tenant's agents as they are now; nothing is stored or sent.

    Raises:
        InvalidDefinition: a tool or an approved agent is gone, `config` breaks its schema, or the program is over 1.5 MB.
        ProjectionTooLarge: expressions read more than 8 KiB of the input.
        ExpressionFailed: the definition's `subject` finds no name in it.
    """
    tools = await usable_tools(ports, tenant)
    agents, models = await agents_for(ports.agents, tenant, definition), await ports.models.table_for(tenant)
    program = ports.compile_program(
        with_registered(definition, tools), tools=list(tools.specs), config=config, agents=agents, models=models
    )
    size = len(program.model_dump_json().encode())
    if size > PROGRAM_BYTES_MAX:
        raise InvalidDefinition(
            f"{definition.name} {definition.version} compiles to {size} bytes, and at most {PROGRAM_BYTES_MAX} fit into a start:"
            " shorten its prompts and schemas or split it"
        )
    return Prepared(program, project(run_input, program.input_projection), subject_of(program, run_input))


async def agents_for(agents: AgentDeps, tenant: str, definition: DefinitionDraft) -> AgentChoice:
    """Return the registered agents that a definition names, and which of their versions may be begun with here."""
    names = agent_names(definition.document)
    return AgentChoice(agents=tuple(await agents.store.named(tenant, names)) if names else (), startable=agents.startable)


def subject_of(program: Program, run_input: JsonValue) -> str | None:
    """Return the name of the data subject as the definition finds it in the input, None when it names none.

    Raises:
        ExpressionFailed: it is not there, or is no text or number.
    """
    if program.subject is None:
        return None
    found = render(program.subject, {"input": run_input, "config": dict(program.config)})
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
        raise ExpressionFailed("the definition's `subject` gives no name: it must be a text or a whole number, and not empty")
    return str(found)


async def start_accepted(ports: StartPorts, row: RunRow, prepared: Prepared | None = None) -> None:
    """Start the workflow of an accepted row, from the row alone unless it is prepared already.

    Raises:
        NotFound, InvalidDefinition, ReferenceMissing: the row can never start. Unavailable: not now.
    """
    if prepared is None:
        definition = await ports.definitions.get(row.tenant, row.definition, row.version)
        run_input, config = await ports.runs.input_of(row.tenant, row.run)
        prepared = await prepare(ports, row.tenant, definition, run_input=run_input, config=config)
    start = RunInput(
        run=row.run,
        tenant=row.tenant,
        principal=row.principal,
        correlation_id=row.correlation_id,
        program=prepared.program.model_copy(update={"priced_at": row.created_at}),
        input_fields=prepared.input_fields,
        input_labels=input_labels(row.principal, row.input_labels),
    )
    summary = f"{row.definition} {row.version}"
    await ports.temporal.start(start, summary=summary.encode()[:SUMMARY_BYTES_MAX].decode(errors="ignore"))
