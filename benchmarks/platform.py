"""Standfast's side of a measurement: the real worker and run workflow over real stores, with definitions of N instant steps."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import JsonValue
from temporalio.client import Client
from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from adapters.codec.cipher import TenantCipher
from adapters.definitions.yaml_reader import YamlBundleReader
from adapters.outbound.clients import GuardedClients
from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from adapters.sandboxes.select import SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.registry import ToolRegistry
from benchmarks.servers import Servers
from domain.compile import compile_program
from domain.effects import EffectClass
from domain.program import Execution, Program
from domain.projection import project
from domain.provider import LlmProvider
from domain.stores import NewRun
from domain.tools import Tool, ToolCall, ToolSpec
from wiring.keys import InstallationKeys, new_id
from wiring.models import build_models
from wiring.prices import build_prices
from wiring.processes import keep_loaded
from wiring.settings import ModelSettings
from wiring.storage import Storage, build_storage
from wiring.temporal import TemporalLink, connect
from wiring.tools import Toolbox
from wiring.worker import WorkerParts, build_worker
from workflows.messages import RUN_WORKFLOW, TASK_QUEUE, RunInput, RunResult

TENANT = "default"
PRINCIPAL = "prn_bench"


class InstantTool:
    """A built-in tool that returns its argument: the cheapest effect there is, with its intent and outcome in the journal."""

    spec = ToolSpec(
        name="bench.instant",
        version="1.0.0",
        description="Returns n.",
        input_schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        output_schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        effect_class=EffectClass.READ,
        timeout_s=5,
    )

    async def call(self, call: ToolCall) -> JsonValue:
        """Return the argument."""
        return {"n": call.arguments["n"]}


def program_of(steps: int, execution: Execution | None = None) -> Program:
    """Return the compiled program of `steps` tool calls in sequence; each evaluates one expression, the output another.

    Raises:
        AssertionError: the definition has mistakes.
    """
    return _compiled(["input.n"] * steps, f"execution: {execution}\n" if execution is not None else "")


def chain_of(steps: int) -> Program:
    """Return the compiled program of `steps` tool calls, each of which reads the output of the one before it.

    Raises:
        AssertionError: the definition has mistakes.
    """
    return _compiled(["input.n", *(f"steps.s{number}.output.n" for number in range(steps - 1))], "")


def _compiled(arguments: list[str], said: str) -> Program:
    """Compile the calls s0, s1 … with these expressions for their argument.

    Raises:
        AssertionError: the definition has mistakes.
    """
    steps = len(arguments)
    calls = "".join(
        f'  - s{number}: {{call: bench.instant, with: {{n: "${{ {argument} }}"}}}}\n' for number, argument in enumerate(arguments)
    )
    text = (
        f"standfast: 1\nname: bench-{steps}\nversion: 1.0.0\n{said}"
        "input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}\n"
        f'do:\n{calls}output: "${{ steps.s{steps - 1}.output.n }}"\n'
    )
    drafts, problems = YamlBundleReader().read({"bench.yaml": text}, tools=[InstantTool.spec])
    if problems:
        raise AssertionError("; ".join(map(str, problems)))
    return compile_program(drafts[0], tools=[InstantTool.spec], config={})


@dataclass(frozen=True)
class Platform:
    """A running worker and what starts runs beside it, in one process."""

    link: TemporalLink
    storage: Storage
    toolbox: Toolbox

    async def accept(self, program: Program) -> RunInput:
        """Do the gateway's part, which is not measured: the row of a new run, and the start input made of it."""
        run = new_id("run")
        given: dict[str, JsonValue] = {"n": 1}
        await self.storage.runs.accept(
            NewRun(
                tenant=TENANT,
                run=run,
                definition=program.name,
                version=program.version,
                definition_sha256=program.sha256,
                principal=PRINCIPAL,
                correlation_id=run,
                fingerprint="0" * 64,
                input=given,
                config={},
                expression_engine=program.expression_engine,
            )
        )
        self.link.tenants.bind(run, TENANT)
        fields = project(given, program.input_projection)
        return RunInput(run=run, tenant=TENANT, principal=PRINCIPAL, correlation_id=run, program=program, input_fields=fields)

    async def run(self, start: RunInput, *, eager: bool = True) -> RunResult:
        """Start the run as the gateway does, but eagerly unless told otherwise, and wait for its result."""
        words = {"TenantId": TENANT, "Definition": start.program.name, "RunStatus": "running"}
        return await self.link.client.execute_workflow(
            RUN_WORKFLOW,
            start,
            id=start.run,
            task_queue=TASK_QUEUE,
            result_type=RunResult,
            request_eager_start=eager,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(SearchAttributeKey.for_keyword(name), word) for name, word in words.items()]
            ),
            static_summary=start.program.name,
            priority=Priority(fairness_key=TENANT),
        )


@asynccontextmanager
async def platform(
    there: Servers, *, tools: Sequence[Tool] = (), provider: LlmProvider | None = None, workflows: Sequence[type] = ()
) -> AsyncGenerator[Platform]:
    """Migrate, connect with the payload codec on, and run the worker that `wiring.worker` builds, with `tools` beside the instant one.

    `provider` answers for every model instead of the configured ones; `workflows` run beside the platform's own.
    """
    keys = InstallationKeys(there.folder / "master.key")
    cipher = TenantCipher(keys.master)
    migrated = await asyncio.to_thread(migrate, there.owner_url, app_password=keys.app_password)
    link = await connect(there.temporal_address, namespace="default", cipher=cipher)
    declared = DeclaredHttpTools(resolve_secret=no_secret, outbound=GuardedClients())
    toolbox = Toolbox(ToolRegistry([InstantTool(), *tools]), declared, SandboxRouter.with_all_backends())
    models = ModelSettings()
    async with Database(migrated.app_url or there.owner_url) as database:
        storage = build_storage(database, cipher)
        parts = WorkerParts(
            client=link.client,
            storage=storage,
            keys=keys,
            toolbox=toolbox,
            provider=provider or build_models(models, GuardedClients()),
            prices=build_prices(models),
        )
        async with build_worker(dataclasses.replace(parts, workflows=[*parts.workflows, *workflows])):
            keep_loaded()
            yield Platform(link, storage, toolbox)
        await toolbox.aclose()


def plain_client(link: TemporalLink) -> Client:
    """Return a client on the same connection with Temporal's default converter: what a hand-written workflow would use."""
    return Client(link.client.service_client, namespace=link.client.namespace)


async def no_secret(_tenant: str, name: str) -> str:
    """Refuse: measurements use no secrets.

    Raises:
        LookupError: always.
    """
    raise LookupError(name)
