"""Deliveries on a real Temporal server and a real PostgreSQL, sent to a real HTTP server."""

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.worker import Worker

from adapters.outbound.clients import GuardedClients
from adapters.sandboxes.select import SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.registry import ToolRegistry
from adapters.webhooks.channel import WebhookChannel
from domain.deliveries import WEBHOOK, DeliveryInput, DeliveryState, Schedule
from domain.delivery_stores import Attempt, DeliveryFilter, DeliveryRow, RelayStore
from domain.ids import format_id
from domain.ledger import Kind
from domain.stores import NewRun
from domain.subscriptions import Subscribers, SubscriptionDraft, format_secret
from tests.adapters.tools.tool_calls import no_secret
from tests.contracts.journal_bench import AT
from tests.fake_provider import FakeProvider
from tests.fakes_prices import FakePrices
from tests.outbound import outbound
from tests.workflows.bench import Bench, ScriptedTool, until
from wiring.relaying import OVERDUE_S, Relay, RelayParts, starter
from wiring.tools import Toolbox
from wiring.worker import WorkerParts, build_worker
from workflows.delivery import DeliveryWorkflow
from workflows.run import RunWorkflow

SHORT = Schedule(pauses_s=(0.0, 0.2, 0.4, 0.8), jitter=0.1)


@dataclass
class DeliveryHouse:
    """One tenant with its relay; `schedule` is what deliveries start with, and `skips_time` whether they wait by a clock that skips."""

    bench: Bench
    schedule: Schedule = field(default_factory=lambda: SHORT)
    timeout_s: float = 5.0
    skips_time: bool = False

    @property
    def tenant(self) -> str:
        """The tenant."""
        return self.bench.tenant

    @asynccontextmanager
    async def worker(self, *tools: ScriptedTool) -> AsyncGenerator[Worker]:
        """Run a worker that runs and delivers."""
        storage = self.bench.storage
        channel = WebhookChannel(storage.subscriptions, outbound=GuardedClients(), allow_private=True, timeout_s=self.timeout_s)
        toolbox = Toolbox(
            ToolRegistry(tools),
            DeclaredHttpTools(resolve_secret=no_secret, outbound=outbound()),
            SandboxRouter.with_all_backends(),
        )
        built = build_worker(
            WorkerParts(
                client=self.bench.env.client,
                storage=storage,
                keys=self.bench.keys,
                toolbox=toolbox,
                provider=FakeProvider(),
                prices=FakePrices(),
                task_queue=self.bench.queue,
                workflows=[RunWorkflow, DeliveryWorkflow],
                channels={WEBHOOK: channel},
            )
        )
        try:
            async with built:
                yield built
        finally:
            await channel.aclose()

    def relay(
        self,
        *,
        store: RelayStore | None = None,
        start: Callable[[DeliveryInput], Awaitable[None]] | None = None,
        holder: str = "relay",
        overdue_s: float = OVERDUE_S,
    ) -> Relay:
        """Build a relay of this tenant alone."""

        async def tenants() -> list[str]:
            """Name the tenant."""
            return [self.tenant]

        begin = starter(
            self.bench.env.client if self.skips_time else self.bench.real_time, lambda _workflow, _tenant: None, task_queue=self.bench.queue
        )
        return Relay(
            RelayParts(
                tenants=tenants,
                store=store or self.bench.storage.relay,
                audiences=[Subscribers(self.bench.storage.subscriptions)],
                start=start or begin,
                holder=holder,
                pause_s=0.05,
                schedule=self.schedule,
                lease_s=1.0,
                overdue_s=overdue_s,
                resume_every_s=0.0,
            )
        )

    @asynccontextmanager
    async def delivering(self, *tools: ScriptedTool) -> AsyncGenerator[Relay]:
        """Run a worker, and give the relay."""
        async with self.worker(*tools):
            yield self.relay()

    async def subscribe(self, url: str, *events: str, ordered: bool = False) -> tuple[str, str]:
        """Register a webhook; return its id and secret."""
        name, secret = format_id("whk", secrets.token_bytes(16)), format_secret(secrets.token_bytes(32))
        draft = SubscriptionDraft(url=url, events=events or ("*",), ordered=ordered)
        await self.bench.storage.subscriptions.create(self.tenant, name, draft, secret=secret, by="prn_a")
        return name, secret

    async def accept(self) -> str:
        """Accept a run: one entry, one event."""
        run = format_id("run", secrets.token_bytes(16))
        await self.bench.storage.runs.accept(
            NewRun(
                tenant=self.tenant,
                run=run,
                definition="claims",
                version="1.0.0",
                definition_sha256="c" * 64,
                principal="prn_a",
                correlation_id="corr",
                fingerprint="f" * 64,
                input={},
                config={},
                expression_engine="cel-1",
            )
        )
        return run

    async def append(self, run: str) -> None:
        """Append one entry: one more event."""
        await self.bench.storage.runs.append_entry(
            self.tenant, run, kind=Kind.RUN_CANCEL_REQUESTED, principal="prn_a", at=AT, data={"reason": ""}
        )

    async def rows(self, webhook: str) -> list[DeliveryRow]:
        """Return the webhook's deliveries, oldest first."""
        page = await self.bench.storage.deliveries.page(self.tenant, WEBHOOK, webhook, DeliveryFilter(limit=500))
        return list(reversed(page.items))

    async def row(self, delivery: str) -> DeliveryRow:
        """Return one delivery."""
        return (await self.bench.storage.deliveries.get(self.tenant, delivery))[0]

    async def log(self, delivery: str) -> tuple[Attempt, ...]:
        """Return its log."""
        return (await self.bench.storage.deliveries.get(self.tenant, delivery))[1]

    async def ends(self, webhook: str, state: DeliveryState, *, count: int = 1, seconds: float = 100) -> list[DeliveryRow]:
        """Wait until so many of the webhook's deliveries are in a state.

        Raises:
            AssertionError: they are not in time; it tells of each delivery what was tried and how its workflow stands.
        """

        async def look() -> list[DeliveryRow] | None:
            found = [row for row in await self.rows(webhook) if row.state is state]
            return found if len(found) >= count else None

        try:
            return await until(look, seconds=seconds)
        except TimeoutError as late:
            told = [await self._told(row) for row in await self.rows(webhook)]
            raise AssertionError(f"{count} deliveries are not {state.value} within {seconds:g} s:\n" + "\n".join(told)) from late

    async def _told(self, row: DeliveryRow) -> str:
        """Return a delivery's state, its attempts, and its workflow's last events with their times."""
        tried = [f"{line.attempt}: {line.outcome} {line.status} {line.detail}" for line in await self.log(row.delivery)]
        history = await self.bench.env.client.get_workflow_handle(row.delivery).fetch_history()
        events = [f"{event.event_time.ToDatetime():%d %H:%M:%S.%f} {EventType.Name(event.event_type)}" for event in history.events]
        return "\n  ".join([f"{row.delivery} {row.state.value}", *tried, *events[-20:]])
