"""All fake stores over one memory, for tests that need no database; tests/contracts runs the same suite on them and on PostgreSQL."""

from dataclasses import dataclass, field
from functools import cached_property

from tests.fake_lineage import FakeLineageStore
from tests.fake_log import FakeLog
from tests.fakes_agents import FakeAgentStore
from tests.fakes_calendars import FakeCalendarStore
from tests.fakes_channels import FakeChannelStore
from tests.fakes_database import MemoryDatabase
from tests.fakes_dead_letters import FakeBulkRedriveStore, FakeDeadLetterStore
from tests.fakes_deliveries import DeliveryTables, FakeDeliveryStore, FakeLedgerPast
from tests.fakes_hooks import FakeHookRequestStore, FakeHookStore, FakeListenerStore
from tests.fakes_inbox import FakeApprovalStore, FakeTaskStore
from tests.fakes_mcp import FakeMcpConnections, FakeMcpServers, FakeSecretReferences
from tests.fakes_messages import FakeMessageStore
from tests.fakes_money import FakeBudgetStore, FakeCostStore
from tests.fakes_registry import FakeDefinitionStore, FakeIdempotencyStore, FakeKeyStore
from tests.fakes_runs import FakeLedgerReader, FakePayloadStore, FakeRunLedger, FakeRunStore
from tests.fakes_streams import FakeStreams, FakeWatching
from tests.fakes_subjects import FakeRemovalStore, FakeRetentionStore
from tests.fakes_subscriptions import FakeSubscriptionStore
from tests.fakes_substitutes import FakeSubstituteStore
from tests.fakes_tasks import FakeTaskDesk
from tests.fakes_tools import FakeCallAudit, FakeToolStore


@dataclass
class FakeStores:
    """Every store a gateway has, and the worker's run ledger. `database.time` is the clock."""

    database: MemoryDatabase = field(default_factory=MemoryDatabase)

    @cached_property
    def runs(self) -> FakeRunStore:
        """Runs."""
        return FakeRunStore(self.database)

    @cached_property
    def run_ledger(self) -> FakeRunLedger:
        """What a worker writes."""
        return FakeRunLedger(self.database)

    @cached_property
    def ledger(self) -> FakeLedgerReader:
        """Ledgers."""
        return FakeLedgerReader(self.database)

    @cached_property
    def log(self) -> FakeLog:
        """The Merkle log over the ledgers: sealer, reader and anchorage."""
        return FakeLog(self.database)

    @cached_property
    def lineage(self) -> FakeLineageStore:
        """Redrives and forks."""
        return FakeLineageStore(self.database, self.runs)

    @cached_property
    def payloads(self) -> FakePayloadStore:
        """Payloads."""
        return FakePayloadStore(self.database)

    @cached_property
    def approvals(self) -> FakeApprovalStore:
        """Approvals and decisions."""
        return FakeApprovalStore(self.database)

    @cached_property
    def tasks(self) -> FakeTaskStore:
        """Human tasks."""
        return FakeTaskStore(self.database)

    @cached_property
    def task_desk(self) -> FakeTaskDesk:
        """Human tasks as people work with them."""
        return FakeTaskDesk(self.database)

    @cached_property
    def dead_letters(self) -> FakeDeadLetterStore:
        """What was given up."""
        return FakeDeadLetterStore(self.database)

    @cached_property
    def bulk_redrives(self) -> FakeBulkRedriveStore:
        """Redrives of many dead letters."""
        return FakeBulkRedriveStore(self.database, self.dead_letters)

    @cached_property
    def delivery_tables(self) -> DeliveryTables:
        """The rows that relay, deliveries and subscriptions share."""
        return DeliveryTables(self.database)

    @cached_property
    def deliveries(self) -> FakeDeliveryStore:
        """Deliveries."""
        return FakeDeliveryStore(self.delivery_tables)

    @cached_property
    def subscriptions(self) -> FakeSubscriptionStore:
        """Outgoing webhooks."""
        return FakeSubscriptionStore(self.delivery_tables)

    @cached_property
    def ledger_past(self) -> FakeLedgerPast:
        """What replays read."""
        return FakeLedgerPast(self.database)

    @cached_property
    def hooks(self) -> FakeHookStore:
        """Inbound webhooks."""
        return FakeHookStore(self.database)

    @cached_property
    def listeners(self) -> FakeListenerStore:
        """Steps that listen."""
        return FakeListenerStore(self.database)

    @cached_property
    def hook_requests(self) -> FakeHookRequestStore:
        """What inbound webhooks were sent."""
        return FakeHookRequestStore(self.database, hooks=self.hooks, runs=self.runs, letters=self.dead_letters, listeners=self.listeners)

    @cached_property
    def agents(self) -> FakeAgentStore:
        """Registered agents and prompts."""
        return FakeAgentStore()

    @cached_property
    def definitions(self) -> FakeDefinitionStore:
        """The registry."""
        return FakeDefinitionStore(self.database)

    @cached_property
    def keys(self) -> FakeKeyStore:
        """Keys."""
        return FakeKeyStore()

    @cached_property
    def channels(self) -> FakeChannelStore:
        """Channels to reviewers."""
        return FakeChannelStore(self.keys.principals)

    @cached_property
    def mcp_servers(self) -> FakeMcpServers:
        """MCP servers."""
        return FakeMcpServers()

    @cached_property
    def mcp_connections(self) -> FakeMcpConnections:
        """What MCP servers list."""
        return FakeMcpConnections(self.mcp_servers)

    @cached_property
    def secret_references(self) -> FakeSecretReferences:
        """References of secrets."""
        return FakeSecretReferences()

    @cached_property
    def budgets(self) -> FakeBudgetStore:
        """Budgets."""
        return FakeBudgetStore(self.database, self.definitions)

    @cached_property
    def streams(self) -> FakeStreams:
        """Deltas and who reads them."""
        return FakeStreams(self.database)

    @cached_property
    def watching(self) -> FakeWatching:
        """Who wakes watchers."""
        return FakeWatching()

    @cached_property
    def messages(self) -> FakeMessageStore:
        """Conversations."""
        return FakeMessageStore()

    @cached_property
    def calendars(self) -> FakeCalendarStore:
        """Calendars."""
        return FakeCalendarStore()

    @cached_property
    def substitutes(self) -> FakeSubstituteStore:
        """Substitutes."""
        return FakeSubstituteStore(self.keys, lambda: self.database.time)

    @cached_property
    def tools(self) -> FakeToolStore:
        """Registered tools and grants."""
        return FakeToolStore()

    @cached_property
    def tool_audit(self) -> FakeCallAudit:
        """Calls of tools."""
        return FakeCallAudit()

    @cached_property
    def costs(self) -> FakeCostStore:
        """Settled costs."""
        return FakeCostStore(self.database)

    @cached_property
    def retention(self) -> FakeRetentionStore:
        """Retention rules and legal holds."""
        return FakeRetentionStore(self.database)

    @cached_property
    def removals(self) -> FakeRemovalStore:
        """Erasures and purges."""
        return FakeRemovalStore(self.database, self.retention, self.dead_letters)

    @cached_property
    def idempotency(self) -> FakeIdempotencyStore:
        """Idempotency-Keys."""
        return FakeIdempotencyStore(self.database)
