"""The bench of workflow tests: real workers on a real Temporal server and a real PostgreSQL, with tools that tests script."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from pydantic import JsonValue
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from adapters.sandboxes.select import SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.registry import ToolRegistry
from domain.approval import Decision, OpenApproval, attest
from domain.completion import TaskCompletion, attest_completion
from domain.effects import EffectClass, EffectJournal, RetryClass
from domain.ids import format_id
from domain.ledger import Verification
from domain.people_stores import TaskRow
from domain.principals import Role
from domain.program import Program
from domain.runs import RunStatus
from domain.stores import NewRun, RunRow
from domain.tools import ToolCall, ToolSpec
from tests.adapters.tools.tool_calls import no_secret
from tests.fake_provider import FakeProvider
from tests.fakes_prices import FakePrices
from tests.fakes_run_agents import FakeRunAgents
from tests.outbound import outbound
from tests.quiet_runs import quiet
from tests.standing_ledger import standing
from wiring.agents import DefinitionAgents
from wiring.keys import InstallationKeys
from wiring.storage import Storage
from wiring.tools import Toolbox
from wiring.worker import WorkerParts, build_worker
from workflows.couriers import STATUS
from workflows.messages import COMPLETE_TASK, DECIDE_APPROVAL, RUN_STATE, DecisionResult, RunInput, RunResult, RunState
from workflows.run import RunWorkflow

QUIET = ("WORKFLOW_TASK_COMPLETED", "TIMER_STARTED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_EXECUTION_UPDATE_COMPLETED")
"""Last events of a run that waits."""

REQUESTER = "prn_starter"
REVIEWER = "prn_reviewer"
OTHER_REVIEWER = "prn_reviewer_2"

T = TypeVar("T")
Line = JsonValue | Exception | Callable[[ToolCall], Awaitable[JsonValue]]
"""A line of a tool's script."""


async def until(probe: Callable[[], Awaitable[T | None]], *, seconds: float = 100) -> T:
    """Ask again until there is an answer that is neither None nor False, and return it."""
    async with asyncio.timeout(seconds):
        while True:
            found = await probe()
            if found is not None and found is not False:
                return found
            await asyncio.sleep(0.02)  # the pause between two looks; the condition decides


class ScriptedTool:
    """A tool that plays a script: values are returned, errors raised, functions awaited; an empty script answers `{}`."""

    def __init__(
        self,
        name: str,
        *script: Line,
        effect_class: EffectClass = EffectClass.MONEY,
        retry_class: RetryClass = RetryClass.IDEMPOTENT,
        output_schema: dict[str, JsonValue] | None = None,
    ) -> None:
        self.spec = ToolSpec(
            name=name,
            version="1.0.0",
            description=name,
            input_schema={"type": "object"},
            output_schema=output_schema or {},
            effect_class=effect_class,
            retry_class=retry_class,
        )
        self.script = list(script)
        self.calls: list[ToolCall] = []

    async def call(self, call: ToolCall) -> JsonValue:
        """Play the next line."""
        self.calls.append(call)
        line: Line = self.script.pop(0) if self.script else {}
        if isinstance(line, Exception):
            raise line
        if callable(line):
            return await line(call)
        return line


@dataclass
class Gate:
    """A line of a script that waits until the test opens it; `reached` tells that the tool is in it."""

    answer: JsonValue = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _call: ToolCall) -> JsonValue:
        """Wait."""
        self.reached.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self.answer


@dataclass
class LiveRun:
    """A started run and the means to look at it."""

    bench: "Bench"
    run: str
    handle: WorkflowHandle[RunWorkflow, RunResult]

    async def state(self) -> RunState:
        """Ask the workflow."""
        return await self.handle.query(RUN_STATE, result_type=RunState)

    async def row(self) -> RunRow:
        """Return the run's row."""
        return await self.bench.storage.runs.get(self.bench.tenant, self.run)

    async def approval(self) -> OpenApproval:
        """Return the open approval, once the inbox has it too."""

        async def look() -> OpenApproval | None:
            open_ones = [a for a in (await self.state()).approvals if a.decision is None]
            waiting = (await self.row()).status is RunStatus.WAITING
            return open_ones[0] if open_ones and waiting else None

        return await until(look)

    async def task(self, kind: str) -> TaskRow:
        """Return the open human task of a kind."""

        async def look() -> TaskRow | None:
            page = await self.bench.storage.tasks.page(self.bench.tenant, state="open", limit=50, cursor=None)
            return next((row for row in page.items if row.run == self.run and row.projection.kind == kind), None)

        return await until(look)

    def decision(self, opened: OpenApproval, *, verdict: str = "approve", by: str = REVIEWER, **more: object) -> Decision:
        """Build a decision with the gateway's attestation."""
        said = {"decision_id": format_id("dec", secrets.token_bytes(16)), "verdict": verdict, "principal": by, "comment": ""}
        bare = Decision.model_validate({**said, "approval": opened.approval, "digest": opened.digest, **more})
        mark = attest(self.bench.keys.attestation, tenant=self.bench.tenant, run=self.run, decision=bare)
        return bare.model_copy(update={"attestation": mark})

    async def decide(self, decision: Decision, *, within: timedelta | None = None) -> DecisionResult:
        """Send a decision as the gateway does: the update id is the decision's id."""
        return await self.handle.execute_update(  # pyright: ignore[reportUnknownMemberType] - the SDK leaves a type argument open
            DECIDE_APPROVAL, decision, id=decision.decision_id, result_type=DecisionResult, rpc_timeout=within
        )

    async def complete(self, task: TaskRow, resolution: str, *, output: JsonValue = None) -> None:
        """Answer a human task."""
        said = {"task": task.projection.task, "resolution": resolution, "output": output, "principal": REVIEWER}
        await self.tell(TaskCompletion.model_validate(said))

    async def tell(self, completion: TaskCompletion) -> None:
        """Send an answer as the gateway does, attested."""
        await self.handle.signal(COMPLETE_TASK, self.attested(completion))

    def attested(self, completion: TaskCompletion) -> TaskCompletion:
        """Return an answer with the gateway's attestation."""
        return attest_completion(self.bench.keys.attestation, tenant=self.bench.tenant, run=self.run, completion=completion)

    async def shown_status(self) -> str | None:
        """Return what Temporal's lists show of the run's status."""
        found = await self.handle.describe()
        return found.typed_search_attributes.get(STATUS)

    async def failure(self) -> str | None:
        """Wait for the end of a run that shall fail, and return its code; a cancelled run gives `cancelled`."""
        [ended] = await asyncio.gather(self.handle.result(), return_exceptions=True)
        if isinstance(ended, RunResult):
            return None
        assert isinstance(ended, WorkflowFailureError), ended
        if isinstance(ended.cause, CancelledError):
            return "cancelled"
        assert isinstance(ended.cause, ApplicationError), ended.cause
        return ended.cause.type

    async def kinds(self) -> list[str]:
        """Return the kinds of the run's ledger, in order, after verifying it."""
        entries, verdict = await standing(self.bench.storage.ledger, self.bench.tenant, self.run)
        assert verdict.ok, verdict.broken
        return [entry.kind for entry in entries]

    async def events(self) -> list[str]:
        """Return the names of the events of the current execution."""
        history = await self.handle.fetch_history()
        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events]

    async def settled_events(self) -> list[str]:
        """Return the events once no workflow task is under way."""

        async def look() -> list[str] | None:
            events = await self.events()
            return events if events[-1] in QUIET else None

        return await until(look)

    async def pass_time(self, time: timedelta) -> None:
        """Move the run's clock, once it waits for nothing but the clock and people."""
        await quiet(self.handle)
        await self.bench.env.fast_forward(self.handle, time)

    async def waits_for_event(self, name: str) -> None:
        """Wait until the history has an event."""

        async def look() -> bool:
            return name in await self.events()

        await until(look)


@dataclass
class Bench:
    """One test's corner: a tenant and a task queue of its own on the shared servers."""

    env: WorkflowEnvironment
    storage: Storage
    keys: InstallationKeys
    tenant: str = field(default_factory=lambda: f"t-{secrets.token_hex(6)}")
    queue: str = field(default_factory=lambda: f"q-{secrets.token_hex(6)}")
    run_agents: FakeRunAgents = field(init=False)

    def __post_init__(self) -> None:
        stores = self.storage
        self.run_agents = FakeRunAgents(DefinitionAgents(runs=stores.runs, definitions=stores.definitions, lineage=stores.lineage))

    @property
    def real_time(self) -> Client:
        """A client whose workflows live by the clock; those that `env.client` starts skip the time in which they wait.

        The environment's own switch is one for all: two starts at the same time may leave it off for every test that follows.
        """
        skipping = self.env.client
        return Client(skipping.service_client, namespace=skipping.namespace, data_converter=skipping.data_converter)

    async def add_reviewers(self) -> None:
        """Make two reviewers with the role `payer`, and let the requester be one too."""
        for place, who in enumerate((REVIEWER, OTHER_REVIEWER, REQUESTER)):
            secret = secrets.token_bytes(32)
            await self.storage.keys.create(
                self.tenant,
                key_id=f"{self.tenant}{place}",
                secret_hmac=secret,
                principal=who,
                name=who,
                role=Role.APPROVER,
                reviewer_roles=("payer",),
            )

    def worker(
        self,
        *tools: ScriptedTool,
        workflow: type = RunWorkflow,
        workflows: Sequence[type] = (),
        provider: FakeProvider | None = None,
        journal: EffectJournal | None = None,
    ) -> Worker:
        """Build the platform's worker over these tools."""
        toolbox = Toolbox(
            ToolRegistry(tools),
            DeclaredHttpTools(resolve_secret=no_secret, outbound=outbound()),
            SandboxRouter.with_all_backends(),
        )
        return build_worker(
            WorkerParts(
                client=self.env.client,
                storage=self.storage,
                keys=self.keys,
                toolbox=toolbox,
                provider=provider or FakeProvider(),
                prices=FakePrices(),
                task_queue=self.queue,
                workflows=[*workflows] or [workflow],
                journal=journal,
                written_agents=self.run_agents,
            )
        )

    async def start(self, program: Program, *, given: JsonValue = None, history_max: int | None = None) -> LiveRun:
        """Accept and start a run, as the gateway does; its clock runs as ours."""
        run = format_id("run", secrets.token_bytes(16))
        self.run_agents.programs[run] = program
        value: JsonValue = {"n": 1} if given is None else given
        await self.storage.runs.accept(
            NewRun(
                tenant=self.tenant,
                run=run,
                definition=program.name,
                version=program.version,
                definition_sha256=program.sha256,
                principal=REQUESTER,
                correlation_id="corr",
                fingerprint="f" * 64,
                input=value,
                config={},
                expression_engine=program.expression_engine,
            )
        )
        message = RunInput(
            run=run,
            tenant=self.tenant,
            principal=REQUESTER,
            correlation_id="corr",
            program=program,
            input_fields={"": value},
            history_max=history_max,
        )
        return await self.begin(RunWorkflow.run, message, run=run)

    async def begin(self, workflow: Callable[..., Awaitable[object]], *arguments: object, run: str) -> LiveRun:
        """Start a run's workflow, of whatever class; it lives by the clock."""
        handle = await self.real_time.start_workflow(workflow, args=arguments, id=run, task_queue=self.queue)
        return LiveRun(self, run, handle)  # pyright: ignore[reportArgumentType] - the handle says nothing of the workflow's class

    async def verdict(self, run: str) -> Verification:
        """Verify a run's ledger against its head."""
        return (await standing(self.storage.ledger, self.tenant, run))[1]

    @asynccontextmanager
    async def running(self, program: Program, *tools: ScriptedTool, **more: object) -> AsyncGenerator[LiveRun]:
        """Start a run beside a worker with these tools."""
        async with self.worker(*tools):
            yield await self.start(program, **more)  # pyright: ignore[reportArgumentType] - start's own keywords
