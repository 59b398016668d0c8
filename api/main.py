"""Starts the gateway process; the one module of this room that knows wiring."""

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from datetime import UTC, datetime

import uvicorn

from api.agent_deps import AgentDeps
from api.app import create_app
from api.channel_deps import ChannelDeps
from api.dead_letter_deps import DeadLetterDeps
from api.delivery_redriving import DeliveryRedriver
from api.deps import GatewayDeps
from api.histories import TemporalHistories
from api.hook_deps import HookDeps
from api.mcp_deps import McpDeps, SecretDeps
from api.model_deps import ModelDeps
from api.money_deps import MoneyDeps
from api.policy_views import PolicyDeps
from api.residue import ResidueRemover
from api.reviewing_deps import ReviewingDeps
from api.stream_deps import StreamDeps
from api.subject_deps import SubjectDeps
from api.sweeper import Sweeper
from api.temporal import TemporalRuns
from api.tool_deps import ToolDeps
from api.webhook_deps import WebhookDeps
from domain.dead_letters import DeadLetterKind
from domain.errors import InvalidInput, StandfastError, Unavailable
from wiring.gateway import GatewayParts, gateway_parts
from wiring.keys import new_id
from wiring.logs import set_up_logs
from wiring.policies import build_engine, shipped_sets
from wiring.processes import keep_loaded, may_start, run_loop
from wiring.settings import Environment, PlatformSettings, WebhookSettings, WorkerSettings
from wiring.storage import Storage

log = logging.getLogger(__name__)

STOP_GRACE_S = 3
"""Seconds that open requests may take after a stop."""


def gateway_deps(parts: GatewayParts) -> GatewayDeps:
    """Return the gateway's ports over open parts."""
    storage, ui = parts.storage, parts.temporal_settings.ui_url
    port = ui.rsplit(":", 1)[-1].strip("/") if ui else "8233"
    development = parts.platform.environment != "production"

    async def temporal_ready() -> None:
        if not await parts.link.client.service_client.check_health():
            raise Unavailable("the Temporal server is not healthy")

    async def database_ready() -> None:
        await storage.runs.tenants()

    return GatewayDeps(
        runs=storage.runs,
        ledger=storage.ledger,
        tree=storage.tree,
        sealer=parts.sealer,
        approvals=storage.approvals,
        tasks=storage.tasks,
        task_desk=storage.task_desk,
        definitions=storage.definitions,
        keys=storage.keys,
        idempotency=storage.idempotency,
        lineage=storage.lineage,
        dead_letters=_dead_letters(storage),
        subjects=_subjects(parts),
        hooks=HookDeps(hooks=storage.hooks, requests=storage.hook_requests),
        webhooks=_webhooks(storage, parts.platform.environment),
        models=ModelDeps(aliases=storage.aliases, table=parts.models),
        money=MoneyDeps(budgets=storage.budgets, costs=storage.costs, prices=parts.prices),
        reviewing=_reviewing(parts),
        mcp=McpDeps(servers=storage.mcp_servers, connections=parts.mcp.tools, authorizations=parts.mcp.authorizer),
        memory=storage.memory,
        policies=PolicyDeps(store=storage.policies, shipped=shipped_sets(), engine=build_engine()),
        secrets=SecretDeps(references=storage.secret_references, sources=parts.secret_sources),
        agents=AgentDeps(store=storage.agents, reader=parts.agent_reader, startable=parts.statuses.startable),
        tools=_tools(parts),
        streams=StreamDeps(reader=storage.streams, watching=parts.watching),
        channels=ChannelDeps(
            store=storage.channels,
            link_keys=parts.keys.review_links,
            form_key=parts.keys.review_forms,
            kinds=parts.channel_kinds,
            activate=storage.relay.activate,
        ),
        bundle_reader=parts.bundle_reader,
        compile_program=parts.compile_program,
        tool_specs=parts.tool_specs,
        temporal=TemporalRuns(parts.link.client, parts.link.tenants.bind),
        new_id=new_id,
        now=lambda: datetime.now(UTC),
        key_pepper=parts.keys.pepper,
        run_id_key=parts.keys.run_ids,
        attestation_key=parts.keys.attestation,
        codec_server=parts.codec,
        codec_origins=tuple(dict.fromkeys([f"http://{host}:{port}" for host in ("localhost", "127.0.0.1")])),
        codec_loopback_tenants=(parts.platform.tenant,) if development else (),
        ready_checks={"postgres": database_ready, "temporal": temporal_ready},
        decision_timeout_s=parts.gateway.rpc_timeout_s,
    )


def _subjects(parts: GatewayParts) -> SubjectDeps:
    storage = parts.storage
    return SubjectDeps(
        removals=storage.removals,
        retention=storage.retention,
        histories=TemporalHistories(parts.link.client),
        objects=storage.objects,
        pseudonym_key=parts.keys.subjects,
    )


def _tools(parts: GatewayParts) -> ToolDeps:
    storage = parts.storage
    return ToolDeps(
        gate=parts.sandbox_gate,
        store=storage.tools,
        audit=storage.tool_audit,
        anomalies=storage.tool_audit,
        read_document=parts.read_document,
        servers=parts.mcp.tools,
    )


def _dead_letters(storage: Storage) -> DeadLetterDeps:
    redrivers = {DeadLetterKind.DELIVERY: DeliveryRedriver(storage.deliveries)}
    return DeadLetterDeps(letters=storage.dead_letters, bulk=storage.bulk_redrives, redrivers=redrivers)


def _webhooks(storage: Storage, environment: Environment) -> WebhookDeps:
    return WebhookDeps(
        subscriptions=storage.subscriptions,
        deliveries=storage.deliveries,
        past=storage.ledger_past,
        allow_private=WebhookSettings().private_in(environment),
    )


def _reviewing(parts: GatewayParts) -> ReviewingDeps:
    storage = parts.storage
    return ReviewingDeps(
        calendars=storage.calendars,
        zones=parts.zones,
        substitutes=storage.substitutes,
        messages=storage.messages,
        payloads=storage.payloads,
    )


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; the server would end the process without saying which setting to change.

    Raises:
        InvalidInput: the address is in use, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = "Set STANDFAST_GATEWAY_PORT to a free port, or stop what uses this one"
        raise InvalidInput(f"the gateway cannot listen on {host}, port {port}: {reason}. {advice}") from error


async def run_gateway(stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    if not await may_start(PlatformSettings().start_file, stop):
        return
    async with gateway_parts() as parts:
        deps = gateway_deps(parts)
        listening = listening_socket(parts.gateway.host, parts.gateway.port)
        config = uvicorn.Config(
            create_app(deps),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )
        server = uvicorn.Server(config)
        keep_loaded()
        sweeper = asyncio.create_task(Sweeper(deps, pause_s=WorkerSettings().sweep_seconds).run())
        remover = ResidueRemover(deps.subjects, tenants=deps.runs, now=deps.now)
        clearing = asyncio.create_task(remover.run(pause_s=WorkerSettings().sweep_seconds))
        watching = asyncio.create_task(parts.watching.run())
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()  # first: open streams end, and their watchers come again elsewhere
        server.should_exit = True
        await serving
        for task in (watching, sweeper, clearing, stopping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _until_signalled() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run_gateway(stop)


def main() -> int:
    """Run the gateway until SIGINT or SIGTERM; returns the exit code."""
    platform = PlatformSettings()
    set_up_logs(style=platform.log_format, level=platform.log_level)
    try:
        run_loop(_until_signalled)
    except StandfastError as error:
        log.error("%s", error.detail)  # noqa: TRY400 - a sentence for the operator, not a traceback
        return 6 if error.status == 503 else 2
    return 0
