"""The worker process: Temporal's pollers, the activities with their ports, and the journal interceptor around them."""

import asyncio
import dataclasses
import logging
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version

from temporalio.worker import Worker

from adapters.codec.cipher import TenantCipher
from adapters.models.breakers import PurgatoryBreakers
from adapters.postgres.pool import Database
from adapters.postgres.schema_version import check_schema_version
from domain.errors import StandfastError
from domain.expressions import ENGINE
from wiring.agents import status_rules
from wiring.builtins import build_ports
from wiring.channels import build_audiences, build_channels
from wiring.embedding import build_embedder
from wiring.faults import fault_point
from wiring.keys import InstallationKeys, new_token
from wiring.logs import redact_logs, set_up_logs
from wiring.mcp import build_mcp
from wiring.model_table import build_table
from wiring.models import build_models
from wiring.objects import build_objects, payload_limits
from wiring.outbound import build_outbound
from wiring.prices import build_prices
from wiring.processes import keep_loaded, may_start, run_loop, say_not_ready, say_ready
from wiring.relaying import RelayParts, relaying, starter
from wiring.sealing import sealing
from wiring.secrets import build_secrets
from wiring.settings import (
    DatabaseSettings,
    FaultSettings,
    ModelSettings,
    OutboundSettings,
    PayloadSettings,
    PlatformSettings,
    SecretSettings,
    TemporalSettings,
    WebhookSettings,
    WorkerSettings,
    required_database_url,
    required_temporal_address,
)
from wiring.storage import build_storage
from wiring.temporal import connect
from wiring.tool_watching import ToolWatchParts, watching_tools
from wiring.tools import build_toolbox
from wiring.worker_activities import WorkerParts, served_by
from wiring.workflow_plugins import plugin_workflows
from workflows.delivery import DeliveryWorkflow
from workflows.run import RunWorkflow

log = logging.getLogger(__name__)

BUILD_ID = f"standfast-{version('standfast')}+{ENGINE}"
"""What code runs a workflow: our version and the expression engine's (JOURNAL §10). The SDK's own would hash every module for 3 s."""

GRACE = timedelta(seconds=4)
"""How long running activities may finish after a stop; the supervisor kills after 10 s."""


STICKY = timedelta(seconds=1)
"""How long a run's next task waits for the worker that has the run in its cache: after a kill -9 every decision waits this long once."""


def build_worker(parts: WorkerParts) -> Worker:
    """Return the worker, ready to run."""
    served = served_by(parts)
    return Worker(
        parts.client,
        task_queue=parts.task_queue,
        workflows=parts.workflows,
        activities=served.activities,
        interceptors=[served.interceptor],
        build_id=BUILD_ID,
        max_cached_workflows=parts.cached_runs_max,
        graceful_shutdown_timeout=GRACE,
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_concurrent_activities=200,
    )


@asynccontextmanager
async def worker_parts() -> AsyncGenerator[WorkerParts]:
    """Open everything the settings name.

    Raises:
        InvalidInput: a setting is missing. Unavailable: PostgreSQL or Temporal does not answer, or the schema is not this version's.
    """
    platform, worker = PlatformSettings(), WorkerSettings()
    keys, payloads = InstallationKeys(platform.key_path), PayloadSettings()
    cipher = TenantCipher(keys.master)
    temporal, database_settings = TemporalSettings(), DatabaseSettings()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(required_database_url(database_settings), max_size=database_settings.pool_max))
        await check_schema_version(database)
        link = await connect(required_temporal_address(temporal), namespace=temporal.namespace, cipher=cipher)
        models = ModelSettings()
        outbound, prices = build_outbound(platform.environment), build_prices(models)
        provider = build_models(models, outbound)
        stack.push_async_callback(provider.aclose)
        embedder = build_embedder(OutboundSettings(), models, prices, outbound)
        stack.push_async_callback(embedder.aclose)
        objects, limits = build_objects(platform, payloads), payload_limits(payloads)
        storage = build_storage(database, cipher, objects=objects, limits=limits, embedder=embedder)
        stack.push_async_callback(storage.deltas.aclose)
        secrets = build_secrets(storage.secret_references, platform, SecretSettings())
        stack.push_async_callback(secrets.aclose)
        redact_logs(secrets.known)
        toolbox = build_toolbox(environment=platform.environment, resolve=secrets.resolve, ports=partial(build_ports, storage))
        stack.push_async_callback(toolbox.aclose)
        channels = build_channels(storage, platform, WebhookSettings(), keys=keys)
        for channel in channels.values():
            stack.push_async_callback(channel.aclose)
        yield WorkerParts(
            client=link.client,
            storage=storage,
            keys=keys,
            toolbox=toolbox,
            provider=provider,
            prices=prices,
            breakers=PurgatoryBreakers(),
            models=build_table(models),
            cached_runs_max=worker.cached_runs,
            statuses=status_rules(platform.environment),
            workflows=[RunWorkflow, DeliveryWorkflow, *plugin_workflows()],
            fault_point=fault_point(platform, FaultSettings()),
            channels=channels,
            audiences=build_audiences(storage),
            bind_tenant=link.tenants.bind,
            servers=build_mcp(storage, secrets=secrets, environment=platform.environment).tools,
            secrets=secrets.known,
        )


def relay_parts(parts: WorkerParts) -> RelayParts:
    """Return what this worker's relay works with."""
    settings = WebhookSettings()
    return RelayParts(
        tenants=parts.storage.runs.tenants,
        store=parts.storage.relay,
        audiences=parts.audiences,
        start=starter(parts.client, parts.bind_tenant, task_queue=parts.task_queue),
        holder=new_token(),
        pause_s=settings.relay_seconds,
        keep_days=settings.delivery_days,
    )


def tool_watch_parts(parts: WorkerParts) -> ToolWatchParts:
    """Return what this worker's watch over tool calls works with."""
    mode = WorkerSettings().tool_watch
    if mode is None:
        mode = "quarantine" if PlatformSettings().environment == "production" else "report"
    return ToolWatchParts(tenants=parts.storage.runs.tenants, store=parts.storage.tool_watch, holder=new_token(), mode=mode)


async def run_worker(stop: asyncio.Event, *, workflows: Sequence[type] = ()) -> None:
    """Run until `stop` is set, with `workflows` beside the installed ones; the ready file is there while it polls."""
    ready = WorkerSettings().ready_file
    say_not_ready(ready)
    if not await may_start(PlatformSettings().start_file, stop):
        return
    async with (
        worker_parts() as parts,
        build_worker(dataclasses.replace(parts, workflows=[*parts.workflows, *workflows])),
        sealing(parts.storage, parts.keys, stop),
        relaying(relay_parts(parts), stop),
        watching_tools(tool_watch_parts(parts), stop),
    ):
        keep_loaded()
        say_ready(ready)
        log.info("the worker polls %s", parts.task_queue)
        await stop.wait()
        say_not_ready(ready)
        log.info("the worker stops")


async def _until_signalled(workflows: Sequence[type]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    await run_worker(stop, workflows=workflows)


def main(*, workflows: Sequence[type] = ()) -> int:
    """Run a worker until SIGINT or SIGTERM, with `workflows` beside the installed ones; returns the exit code.

    The caller ends the process with `leave`.
    """
    platform = PlatformSettings()
    set_up_logs(style=platform.log_format, level=platform.log_level)
    try:
        run_loop(lambda: _until_signalled(workflows))
    except StandfastError as error:
        log.error("%s", error.detail)  # noqa: TRY400 - a sentence for the operator, not a traceback
        return 6 if error.status == 503 else 2
    return 0
