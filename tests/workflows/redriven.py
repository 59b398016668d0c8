"""The bench of redrives and forks: registered definitions, and the gateway's own services on the real stores and the real server."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import LiteralString

from pydantic import JsonValue

from adapters.definitions.yaml_reader import YamlBundleReader
from api.context import RequestContext
from api.deps import GatewayDeps
from api.lineage_views import ForkBody, RedriveBody
from api.redriving import Redriving
from api.starting import start_accepted
from api.sweeper import Sweeper
from api.temporal import RunStarter, TemporalRuns
from domain.expressions import ENGINE
from domain.ids import format_id
from domain.principals import Principal, Role
from domain.stores import NewRun, RunRow
from tests.api.gateway import gateway
from tests.workflows.bench import REQUESTER, Bench, LiveRun, ScriptedTool, until
from workflows.messages import RunResult


def fresh_id(prefix: str) -> str:
    """Return a random id."""
    return format_id(prefix, secrets.token_bytes(16))


def bind_nobody(workflow_id: str, tenant: str) -> None:
    """Tell no codec: payloads are plain here."""
    del workflow_id, tenant


@dataclass
class Station:
    """A gateway's services over one bench; tests register definitions and start, redrive and fork runs."""

    bench: Bench
    tools: tuple[ScriptedTool, ...]
    config: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def deps(self, temporal: RunStarter | None = None) -> GatewayDeps:
        """Return the gateway's ports."""
        storage = self.bench.storage
        ports: dict[str, object] = {
            "runs": storage.runs,
            "ledger": storage.ledger,
            "approvals": storage.approvals,
            "tasks": storage.tasks,
            "definitions": storage.definitions,
            "lineage": storage.lineage,
            "tool_specs": lambda: [tool.spec for tool in self.tools],
            "temporal": temporal or self.starter(),
            "now": lambda: datetime.now(UTC),
            "attestation_key": self.bench.keys.attestation,
        }
        with ThreadPoolExecutor(max_workers=1) as thread:  # the builder makes keys on an event loop of its own
            return thread.submit(lambda: gateway(None, send_s=20, **ports)).result().deps

    def starter(self) -> TemporalRuns:
        """Return the port to the test's server and queue; runs live by the clock."""
        return TemporalRuns(self.bench.real_time, bind_nobody, task_queue=self.bench.queue)

    def sweeper(self) -> Sweeper:
        """Return a sweeper that waits for nobody."""
        return Sweeper(self.deps(), pause_s=0)

    async def register(self, text: str) -> None:
        """Register a definition of the name `test`."""
        head = "standfast: 1\nname: test\nversion: 1.0.0\ninput: {schema: {type: object}}\n"
        drafts, problems = YamlBundleReader().read({"test.yaml": head + text}, tools=[tool.spec for tool in self.tools])
        assert not problems, problems
        await self.bench.storage.definitions.register(self.bench.tenant, drafts[0], principal=REQUESTER)

    async def start(self, text: str, *, given: JsonValue = None) -> LiveRun:
        """Register the definition and start a run of it, as the gateway does."""
        await self.register(text)
        definition = await self.bench.storage.definitions.get(self.bench.tenant, "test", None)
        run = fresh_id("run")
        row = await self.bench.storage.runs.accept(
            NewRun(
                tenant=self.bench.tenant,
                run=run,
                definition="test",
                version=definition.version,
                definition_sha256=definition.sha256,
                principal=REQUESTER,
                correlation_id="corr",
                fingerprint="f" * 64,
                input={"n": 1} if given is None else given,
                config=self.config,
                expression_engine=ENGINE,
            )
        )
        await start_accepted(self.deps(), row)
        return self.live(run)

    def live(self, run: str) -> LiveRun:
        """Return the means to look at a run; its handle is of the latest execution."""
        return LiveRun(self.bench, run, self.bench.env.client.get_workflow_handle(run, result_type=RunResult))

    def context(self, role: Role = Role.OPERATOR, key: str | None = None) -> RequestContext:
        """Return a request's context."""
        caller = Principal(id="prn_operator", tenant=self.bench.tenant, role=role, reviewer_roles=(), name="operator")
        return RequestContext(correlation_id="corr-2", caller=caller, idempotency_key=key)

    async def redrive(self, run: str, *, temporal: RunStarter | None = None) -> LiveRun:
        """Redrive a run and return its next execution."""
        await Redriving(self.deps(temporal)).redrive(self.context(), run, RedriveBody(reason="mended"))
        return self.live(run)

    async def fork(self, run: str, at: str, *, role: Role = Role.OPERATOR, key: str | None = None, **body: object) -> LiveRun:
        """Fork a run and return the fork."""
        asked = ForkBody.model_validate({"at": at, **body})
        row, _ = await Redriving(self.deps()).fork(self.context(role, key), run, asked)
        return self.live(row.run)

    async def age(self, run: str) -> None:
        """Let a continuation be older than the sweeper's patience, and its lease."""
        await self._change(
            "UPDATE continuations SET created_at = created_at - interval '1 minute', lease_until = clock_timestamp()"
            " WHERE tenant_id = %s AND run = %s",
            run,
        )

    async def forget_start(self, run: str) -> None:
        """Forget that a continuation was started, as a crash just after the start does."""
        await self._change(
            "UPDATE continuations SET started_at = NULL, lease_until = clock_timestamp() WHERE tenant_id = %s AND run = %s", run
        )

    async def _change(self, query: LiteralString, run: str) -> None:
        async with self.bench.storage.database.tenant(self.bench.tenant) as tx:
            await tx.execute(query, [self.bench.tenant, run])

    async def ended(self, run: LiveRun) -> RunRow:
        """Wait for the end of a run that may end badly, and return its row."""
        await asyncio.gather(run.handle.result(), return_exceptions=True)

        async def closed() -> RunRow | None:
            row = await run.row()
            return row if row.status.closed else None

        return await until(closed)
