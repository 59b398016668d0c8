"""PostgreSQL and what stands on it: one pool per process, every store on it."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from adapters.codec.cipher import TenantCipher
from adapters.memory.hashing import HashingEmbedder
from adapters.postgres.agents import PostgresAgentStore
from adapters.postgres.anchorage import PostgresAnchorage
from adapters.postgres.approvals import PostgresApprovalStore
from adapters.postgres.budgets import PostgresBudgetStore
from adapters.postgres.bulk_redrives import PostgresBulkRedriveStore
from adapters.postgres.calendars import PostgresCalendarStore
from adapters.postgres.channels import PostgresChannelStore
from adapters.postgres.child_runs import PostgresChildRuns
from adapters.postgres.costs import PostgresCostStore
from adapters.postgres.dead_letters import PostgresDeadLetterStore
from adapters.postgres.definitions import PostgresDefinitionStore
from adapters.postgres.deliveries import PostgresDeliveryStore
from adapters.postgres.deltas import PostgresDeltaSink
from adapters.postgres.hook_requests import PostgresHookRequestStore
from adapters.postgres.hooks import PostgresHookStore
from adapters.postgres.idempotency import PostgresIdempotencyStore
from adapters.postgres.journal import PostgresJournal
from adapters.postgres.keys import PostgresKeyStore
from adapters.postgres.ledger import PostgresLedgerReader
from adapters.postgres.lineage import PostgresLineageStore
from adapters.postgres.listeners import PostgresListenerStore
from adapters.postgres.mcp_servers import PostgresMcpServers
from adapters.postgres.mcp_tokens import PostgresMcpTokens
from adapters.postgres.memory import PostgresMemory
from adapters.postgres.messages import PostgresMessageStore
from adapters.postgres.model_aliases import PostgresAliasStore
from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.policies import PostgresPolicyStore
from adapters.postgres.pool import Database
from adapters.postgres.relay import PostgresLedgerPast, PostgresRelay
from adapters.postgres.removals import PostgresRemovalStore
from adapters.postgres.resets import PostgresResetStore
from adapters.postgres.retention import PostgresRetentionStore
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.secret_references import PostgresSecretReferences
from adapters.postgres.streams import PostgresStreamReader
from adapters.postgres.subject_ciphers import SubjectCiphers
from adapters.postgres.subscriptions import PostgresSubscriptionStore
from adapters.postgres.substitutes import PostgresSubstituteStore
from adapters.postgres.task_desk import PostgresTaskDesk
from adapters.postgres.tasks import PostgresTaskStore
from adapters.postgres.tool_audit import PostgresCallAudit
from adapters.postgres.tool_gate import PostgresToolGate
from adapters.postgres.tool_store import PostgresToolStore
from adapters.postgres.tool_watch import PostgresToolWatch
from adapters.postgres.tree_reader import PostgresTreeReader
from adapters.postgres.vault import PayloadLimits, Vault
from adapters.postgres.workspace import PostgresWorkspace
from domain.memory import Embedder
from domain.objects import ObjectStore


@dataclass(frozen=True)
class Storage:
    """The stores of one process."""

    database: Database
    journal: PostgresJournal
    runs: PostgresRunStore
    ledger: PostgresLedgerReader
    payloads: PostgresPayloadStore
    messages: PostgresMessageStore
    approvals: PostgresApprovalStore
    tasks: PostgresTaskStore
    definitions: PostgresDefinitionStore
    agents: PostgresAgentStore
    keys: PostgresKeyStore
    idempotency: PostgresIdempotencyStore
    tree: PostgresTreeReader
    anchorage: PostgresAnchorage
    lineage: PostgresLineageStore
    resets: PostgresResetStore
    removals: PostgresRemovalStore
    retention: PostgresRetentionStore
    objects: ObjectStore | None
    budgets: PostgresBudgetStore
    costs: PostgresCostStore
    relay: PostgresRelay
    ledger_past: PostgresLedgerPast
    deliveries: PostgresDeliveryStore
    subscriptions: PostgresSubscriptionStore
    hooks: PostgresHookStore
    hook_requests: PostgresHookRequestStore
    listeners: PostgresListenerStore
    channels: PostgresChannelStore
    calendars: PostgresCalendarStore
    dead_letters: PostgresDeadLetterStore
    bulk_redrives: PostgresBulkRedriveStore
    task_desk: PostgresTaskDesk
    substitutes: PostgresSubstituteStore
    policies: PostgresPolicyStore
    aliases: PostgresAliasStore
    tools: PostgresToolStore
    tool_gate: PostgresToolGate
    tool_audit: PostgresCallAudit
    tool_watch: PostgresToolWatch
    deltas: PostgresDeltaSink
    streams: PostgresStreamReader
    mcp_servers: PostgresMcpServers
    mcp_tokens: PostgresMcpTokens
    secret_references: PostgresSecretReferences
    workspace: PostgresWorkspace
    memory: PostgresMemory
    child_runs: PostgresChildRuns


class _Ground(NamedTuple):
    """The stores that others stand on."""

    runs: PostgresRunStore
    payloads: PostgresPayloadStore
    tasks: PostgresTaskStore
    definitions: PostgresDefinitionStore
    letters: PostgresDeadLetterStore

    @classmethod
    def over(cls, database: Database, vault: Vault) -> Self:
        """Make them over one pool."""
        return cls(
            runs=PostgresRunStore(database, vault),
            payloads=PostgresPayloadStore(database, vault),
            tasks=PostgresTaskStore(database, vault),
            definitions=PostgresDefinitionStore(database),
            letters=PostgresDeadLetterStore(database, vault),
        )


def build_storage(
    database: Database,
    cipher: TenantCipher,
    *,
    objects: ObjectStore | None = None,
    limits: PayloadLimits | None = None,
    embedder: Embedder | None = None,
) -> Storage:
    """Return the stores over one pool, which share what they remember of data subjects' keys; large payloads go to `objects`.

    Without `embedder` memory finds texts by their words.
    """
    vault = Vault(SubjectCiphers(database, cipher), objects=objects, limits=limits)
    ground = _Ground.over(database, vault)
    return Storage(
        database=database,
        journal=PostgresJournal(database, vault),
        runs=ground.runs,
        ledger=PostgresLedgerReader(database),
        payloads=ground.payloads,
        messages=PostgresMessageStore(database, vault),
        approvals=PostgresApprovalStore(database, vault),
        tasks=ground.tasks,
        definitions=ground.definitions,
        agents=PostgresAgentStore(database),
        keys=PostgresKeyStore(database),
        idempotency=PostgresIdempotencyStore(database, cipher),
        tree=PostgresTreeReader(database),
        anchorage=PostgresAnchorage(database),
        removals=PostgresRemovalStore(database, vault),
        retention=PostgresRetentionStore(database, cipher),
        objects=objects,
        budgets=PostgresBudgetStore(database),
        costs=PostgresCostStore(database),
        relay=PostgresRelay(database),
        ledger_past=PostgresLedgerPast(database),
        deliveries=PostgresDeliveryStore(database),
        subscriptions=PostgresSubscriptionStore(database, cipher),
        hooks=PostgresHookStore(database, cipher),
        hook_requests=PostgresHookRequestStore(database, vault, ground.runs),
        listeners=PostgresListenerStore(database),
        channels=PostgresChannelStore(database, cipher),
        calendars=PostgresCalendarStore(database),
        dead_letters=ground.letters,
        bulk_redrives=PostgresBulkRedriveStore(database, cipher, ground.letters),
        task_desk=PostgresTaskDesk(database, ground.tasks),
        substitutes=PostgresSubstituteStore(database),
        policies=PostgresPolicyStore(database),
        aliases=PostgresAliasStore(database),
        tools=PostgresToolStore(database),
        tool_gate=PostgresToolGate(database),
        tool_audit=PostgresCallAudit(database),
        tool_watch=PostgresToolWatch(database),
        deltas=PostgresDeltaSink(database, vault),
        streams=PostgresStreamReader(database, vault),
        lineage=PostgresLineageStore(database, vault, ground.runs, ground.payloads),
        resets=PostgresResetStore(database),
        mcp_servers=PostgresMcpServers(database, cipher),
        mcp_tokens=PostgresMcpTokens(database, cipher),
        secret_references=PostgresSecretReferences(database),
        workspace=PostgresWorkspace(database, vault),
        memory=PostgresMemory(database, vault, embedder or HashingEmbedder()),
        child_runs=PostgresChildRuns(database, ground.runs, ground.definitions),
    )
