"""What the gateway is built from: ports and values, nothing read from the environment."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from api.agent_deps import AgentDeps
from api.channel_deps import ChannelDeps
from api.dead_letter_deps import DeadLetterDeps
from api.hook_deps import HookDeps
from api.mcp_deps import McpDeps, SecretDeps
from api.model_deps import ModelDeps
from api.money_deps import MoneyDeps
from api.policy_views import PolicyDeps
from api.reviewing_deps import ReviewingDeps
from api.stream_deps import StreamDeps
from api.subject_deps import SubjectDeps
from api.temporal import RunStarter
from api.tool_deps import ToolDeps
from api.webhook_deps import WebhookDeps
from domain.lineage import LineageStore
from domain.memory import MemoryDesk
from domain.people_stores import ApprovalStore, TaskStore
from domain.registry import BundleReader, ProgramCompiler
from domain.sealing import SealStore, TreeReader
from domain.stores import DefinitionStore, IdempotencyStore, KeyStore, LedgerReader, RunStore
from domain.task_stores import TaskDesk
from domain.tools import ToolSpec


class CodecServer(Protocol):
    """Opens and seals Temporal payloads for the Web UI; bodies are proto3 JSON of `Payloads`."""

    async def decode(self, body: bytes, may_read: Callable[[str], bool]) -> bytes:
        """Open what `may_read(tenant)` allows. Raises: BadRequest, Forbidden, ReferenceMissing."""
        ...

    async def encode(self, body: bytes, *, tenant: str, workflow_id: str) -> bytes:
        """Seal for one workflow. Raises: BadRequest."""
        ...


ReadyCheck = Callable[[], Awaitable[None]]
"""Raises when a part the gateway needs does not work."""


@dataclass(frozen=True, kw_only=True)
class GatewayDeps:
    """The gateway's ports. `key_pepper`, `run_id_key` and `attestation_key` are 32 secret bytes each.

    `codec_origins` are the exact origins of Web UIs; with `codec_loopback_tenants` such a UI on this machine may open the
    payloads of those tenants without a key (development only; empty in production).
    """

    runs: RunStore
    ledger: LedgerReader
    tree: TreeReader
    sealer: SealStore
    approvals: ApprovalStore
    tasks: TaskStore
    task_desk: TaskDesk
    definitions: DefinitionStore
    keys: KeyStore
    idempotency: IdempotencyStore
    lineage: LineageStore
    dead_letters: DeadLetterDeps
    subjects: SubjectDeps
    money: MoneyDeps
    models: ModelDeps
    hooks: HookDeps
    webhooks: WebhookDeps
    channels: ChannelDeps
    reviewing: ReviewingDeps
    mcp: McpDeps
    memory: MemoryDesk
    policies: PolicyDeps
    secrets: SecretDeps
    streams: StreamDeps
    agents: AgentDeps
    tools: ToolDeps
    bundle_reader: BundleReader
    compile_program: ProgramCompiler
    tool_specs: Callable[[], list[ToolSpec]]
    temporal: RunStarter
    new_id: Callable[[str], str]
    now: Callable[[], datetime]
    key_pepper: bytes
    run_id_key: bytes
    attestation_key: bytes
    codec_server: CodecServer
    codec_origins: tuple[str, ...] = ()
    codec_loopback_tenants: tuple[str, ...] = ()
    ready_checks: Mapping[str, ReadyCheck] = field(default_factory=dict[str, ReadyCheck])
    decision_timeout_s: float = 10.0


def instant(now: datetime) -> str:
    """Return an aware time as RFC 3339 UTC with microseconds."""
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")
