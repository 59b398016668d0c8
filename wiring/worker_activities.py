"""What a worker is made of, and the activities made from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client

from activities.admissions import AgentAdmission
from activities.calendars import CalendarActivities
from activities.code_runs import CodeRunActivities
from activities.deliveries import DeliveryActivities
from activities.interceptor import JournalInterceptor
from activities.journal_calls import FaultPoint, JournalTools, no_fault
from activities.listeners import ListenerActivities
from activities.prompts import PromptActivities
from activities.resets import ResetWatch
from activities.run_records import RunRecordActivities
from activities.segments import SegmentActivities
from activities.tool_calls import ToolActivities
from adapters.calendars.zones import PinnedZones
from domain.admission import RunAgents
from domain.agents import PRODUCTION, StatusRules
from domain.breakers import Breakers
from domain.deliveries import Audience, Channel
from domain.effects import EffectJournal
from domain.known_secrets import KnownSecrets
from domain.mcp_stores import TenantTools
from domain.model_table import NO_ALIASES, ModelTable
from domain.policy import PolicyDecider
from domain.provider import LlmProvider, PriceBook
from wiring.agents import DefinitionAgents
from wiring.executions import describe_by
from wiring.keys import InstallationKeys, clock_text, new_token
from wiring.models import inputs_of
from wiring.policies import build_decider
from wiring.storage import Storage
from wiring.tools import Toolbox
from workflows.delivery import DeliveryWorkflow
from workflows.messages import TASK_QUEUE
from workflows.run import RunWorkflow


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """What a worker is made of; tests give their own."""

    client: Client
    storage: Storage
    keys: InstallationKeys
    toolbox: Toolbox
    provider: LlmProvider
    prices: PriceBook
    task_queue: str = TASK_QUEUE
    cached_runs_max: int = 80
    workflows: list[type] = field(default_factory=lambda: [RunWorkflow, DeliveryWorkflow])
    journal: EffectJournal | None = None
    statuses: StatusRules = PRODUCTION
    written_agents: RunAgents | None = None
    fault_point: FaultPoint = no_fault
    channels: Mapping[str, Channel] = field(default_factory=dict[str, Channel])
    audiences: Sequence[Audience] = ()
    bind_tenant: Callable[[str, str], None] = lambda _workflow, _tenant: None
    breakers: Breakers | None = None
    policy: PolicyDecider | None = None
    models: ModelTable = NO_ALIASES
    servers: TenantTools | None = None
    secrets: KnownSecrets = field(default_factory=KnownSecrets)


@dataclass(frozen=True, kw_only=True)
class Served:
    """The activities a worker serves, and what stands around each of them."""

    activities: list[Callable[..., Any]]  # what the SDK takes
    interceptor: JournalInterceptor


def served_by(parts: WorkerParts) -> Served:
    """Return every activity of the platform, with its ports."""
    storage = parts.storage
    journal = parts.journal or storage.journal
    policy = parts.policy or build_decider(storage.policies)
    records = RunRecordActivities(
        run_ledger=storage.journal,
        journal=journal,
        keys=storage.keys,
        attestation_key=parts.keys.attestation,
        substitutes=storage.substitutes,
    )
    tools = _tools(parts, policy, records)
    around = _around(parts, journal)
    return Served(
        activities=[
            tools.call_tool,
            SegmentActivities(tools=tools, journal=around, run_ledger=storage.journal).run_segment,
            _prompts(parts, policy).complete_prompt,
            records.flush_facts,
            records.check_decision,
            records.check_completion,
            records.resolve_effect,
            CalendarActivities(calendars=storage.calendars, zones=PinnedZones()).resolve_calendar,
            _code_runs(parts).open_run,
            DeliveryActivities(deliveries=storage.deliveries, channels=parts.channels).send_delivery,
            ListenerActivities(listeners=storage.listeners, secret=parts.keys.attestation).keep_listener,
        ],
        interceptor=JournalInterceptor(around),
    )


def _prompts(parts: WorkerParts, policy: PolicyDecider) -> PromptActivities:
    storage = parts.storage
    return PromptActivities(
        policy=policy,
        provider=parts.provider,
        prices=parts.prices,
        messages=storage.messages,
        payloads=storage.payloads,
        deltas=storage.deltas,
        secrets=parts.secrets,
        breakers=parts.breakers,
        input_of=inputs_of(storage),
        models=parts.models,
    )


def _tools(parts: WorkerParts, policy: PolicyDecider, records: RunRecordActivities) -> ToolActivities:
    storage = parts.storage
    return ToolActivities(
        policy=policy,
        tools=parts.toolbox.registry,
        declared=parts.toolbox.declared,
        approvals=storage.approvals,
        payloads=storage.payloads,
        records=records,
        gate=storage.tool_gate,
        servers=parts.servers,
        secrets=parts.secrets,
    )


def _around(parts: WorkerParts, journal: EffectJournal) -> JournalTools:
    storage = parts.storage
    resets = ResetWatch(resets=storage.resets, describe=describe_by(parts.client), clock=clock_text)
    written = parts.written_agents or DefinitionAgents(runs=storage.runs, definitions=storage.definitions, lineage=storage.lineage)
    admission = AgentAdmission(agents=storage.agents, written=written, rules=parts.statuses)
    return JournalTools(
        journal=journal,
        clock=clock_text,
        token=new_token,
        fault_point=parts.fault_point,
        prices=parts.prices,
        resets=resets,
        admission=admission,
    )


def _code_runs(parts: WorkerParts) -> CodeRunActivities:
    storage = parts.storage
    return CodeRunActivities(
        runs=storage.runs,
        run_ledger=storage.journal,
        specs=parts.toolbox.registry.specs,
        agents=storage.agents,
        startable=parts.statuses.startable,
        aliases=storage.aliases,
        models=parts.models,
    )
