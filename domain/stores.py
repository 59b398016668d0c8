"""The storage ports of gateway and worker, and the values they exchange. Pure: Protocols and values only.

Every method works inside one tenant: the adapter sets it for the transaction, and another tenant's rows do not exist. Times are
RFC 3339 UTC strings. Cursors are opaque strings.
"""

from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from domain.labels import Label
from domain.ledger import StoredEntry
from domain.model import Value
from domain.principals import Principal, Role
from domain.provider import Message
from domain.registry import DefinitionDraft, RegisteredDefinition
from domain.runs import RunStatus

T = TypeVar("T")


class NewRun(Value):
    """A run to accept. `fingerprint` is the digest of the start request; `input` and `config` are stored encrypted.

    `subject` is its data subject's pseudonym, or None: then the run is its own (domain/subjects.py). `input_labels` say where the input
    comes from that is not the principal's own.
    """

    tenant: str
    run: str
    definition: str
    version: str
    definition_sha256: str
    principal: str
    correlation_id: str
    fingerprint: str
    input: JsonValue
    config: dict[str, JsonValue]
    expression_engine: str
    subject: str | None = None
    input_labels: list[Label] = []


class RunRow(Value):
    """A run as its row says. `usage` figures are sums over the run; a fork names its parent, where it left it, and what writes do."""

    tenant: str
    run: str
    definition: str
    version: str
    definition_sha256: str
    principal: str
    correlation_id: str
    fingerprint: str
    status: RunStatus
    reason: str | None = None
    waits_for: str | None = None
    epoch: int | None = None
    created_at: str
    updated_at: str
    closed_at: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    model: str | None = None
    error: dict[str, str] | None = None
    head_seq: int = 0
    head_hash: str = ""
    parent_run: str | None = None
    fork_step: str | None = None
    fork_effects: str | None = None
    subject: str | None = None
    erased_at: str | None = None
    erasure: str | None = None
    input_labels: list[Label] = []


class RunFilter(Value):
    """Filters of the list of runs; newest first."""

    status: tuple[RunStatus, ...] = ()
    definition: str | None = None
    limit: int = 50
    cursor: str | None = None


class Page(Value, Generic[T]):
    """One page and the cursor of the next, None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class EffectRow(Value):
    """One effect for a run's trace; `output_digest` is of what it gave, None where nothing is stored or it is erased."""

    step: str
    visit: int
    call: str
    subject: str
    effect_class: str
    state: str
    attempt: int
    started_at: str
    ended_at: str | None
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    model: str | None
    error: dict[str, str] | None
    output_digest: str | None = None


class RunStore(Protocol):
    """Runs, from the gateway's side and the sweeper's."""

    async def accept(self, run: NewRun) -> RunRow:
        """Insert the run's row, its input payload and `gateway:run:accepted` in one transaction; an existing row is returned as it is."""
        ...

    async def get(self, tenant: str, run: str) -> RunRow:
        """Raises: NotFound."""
        ...

    async def page(self, tenant: str, where: RunFilter) -> Page[RunRow]:
        """Return one page, newest first."""
        ...

    async def input_of(self, tenant: str, run: str) -> tuple[JsonValue, dict[str, JsonValue]]:
        """Return (input, config) as they were accepted. Raises: NotFound, ReferenceMissing."""
        ...

    async def result_of(self, tenant: str, run: str) -> JsonValue:
        """Return the result of a succeeded run, else None. Raises: NotFound, ReferenceMissing."""
        ...

    async def effects_of(self, tenant: str, run: str) -> list[EffectRow]:
        """Return the run's effects in order of their start."""
        ...

    async def tenants(self) -> list[str]:
        """Return all tenant ids (the one SECURITY DEFINER function)."""
        ...

    async def accepted_before(self, tenant: str, *, seconds: float, limit: int) -> list[RunRow]:
        """Return `accepted` rows without an epoch that are older than that, oldest first; forks have a start of their own."""
        ...

    async def open_runs(self, tenant: str, *, idle_seconds: float, limit: int) -> list[RunRow]:
        """Return started rows that are not closed and were not updated for that long, oldest update first; none whose redrive waits."""
        ...

    async def close_externally(self, tenant: str, run: str, *, status: RunStatus, reason: str, at: str, epoch: int | None) -> bool:
        """Close a row of this epoch that no workflow code can close any more; False if it was closed, or has gone on meanwhile.

        The entry is `platform:run:start_expired` for EXPIRED, else `platform:run:ended_externally`.
        """
        ...

    async def touch(self, tenant: str, run: str) -> None:
        """Set the row's update time, so that the reconciler looks at others first."""
        ...

    async def append_entry(
        self, tenant: str, run: str, *, kind: str, principal: str, at: str, data: dict[str, JsonValue], content: JsonValue = None
    ) -> str | None:
        """Append one gateway or platform entry to the run's chain.

        `data` stands in it in plain text; `content`, what a person wrote, becomes a payload that it names and whose digest it keeps: its
        reference is returned.
        """
        ...


class LedgerReader(Protocol):
    """Reads a run's ledger."""

    async def entries(self, tenant: str, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Return entries with sequence > `after`, in order. Raises: NotFound for an unknown run."""
        ...

    async def head(self, tenant: str, run: str) -> tuple[int, bytes]:
        """Return (sequence, hash) of the run's row. Raises: NotFound."""
        ...


class PayloadStore(Protocol):
    """Payloads apart from the ledger, encrypted."""

    async def get(self, tenant: str, ref: str) -> JsonValue:
        """Raises: ReferenceMissing."""
        ...

    async def put(self, tenant: str, run: str, value: JsonValue) -> str:
        """Store a value and return its reference."""
        ...


class ConversationHead(Value):
    """A conversation as it travels: how many messages, and the digest of the last, chained over all."""

    count: int
    digest: str


class MessageStore(Protocol):
    """Conversations, message by message, encrypted; a conversation is named by run, step and visit."""

    async def append(self, tenant: str, run: str, conversation: str, head: ConversationHead, messages: list[Message]) -> ConversationHead:
        """Append after `head`; the same messages again change nothing. Raises: FactDiverged when others stand there."""
        ...

    async def load(self, tenant: str, run: str, conversation: str, head: ConversationHead) -> list[Message]:
        """Return the first `head.count` messages. Raises: ReferenceMissing when some are gone or the digest differs."""
        ...


class MessageReader(Protocol):
    """What people may read of conversations."""

    async def last(self, tenant: str, run: str, conversation: str, *, limit: int) -> list[Message]:
        """Return the last messages in their order; none when there are none, or they are erased."""
        ...


class DefinitionStore(Protocol):
    """Immutable definition versions."""

    async def register(self, tenant: str, draft: DefinitionDraft, *, principal: str) -> RegisteredDefinition:
        """Insert a version; the same content again is no-op. Raises: VersionExists with other content."""
        ...

    async def get(self, tenant: str, name: str, version_range: str | None) -> RegisteredDefinition:
        """Return the highest version in an npm-style range (None: the highest). Raises: NotFound, naming what there is."""
        ...

    async def all(self, tenant: str) -> list[RegisteredDefinition]:
        """Return every version, by name, then newest first."""
        ...


class KeyStore(Protocol):
    """API keys and principals."""

    async def authenticate(self, key_id: str, secret_hmac: bytes) -> Principal | None:
        """Return the principal of a live key, compared in constant time, or None. Works before a tenant is known."""
        ...

    async def principal(self, tenant: str, principal: str) -> Principal:
        """Return the principal with its live roles. Raises: NotFound."""
        ...

    async def create(
        self, tenant: str, *, key_id: str, secret_hmac: bytes, principal: str, name: str, role: Role, reviewer_roles: tuple[str, ...]
    ) -> None:
        """Insert a principal, if it is new, and a key for it."""
        ...

    async def set_reviewer_roles(self, tenant: str, principal: str, reviewer_roles: tuple[str, ...]) -> None:
        """Replace the reviewer roles. Raises: NotFound."""
        ...

    async def revoke(self, tenant: str, key_id: str) -> None:
        """Make a key dead at once. Raises: NotFound."""
        ...


class StoredAnswer(Value):
    """A finished answer to replay byte for byte."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


class IdempotencyStore(Protocol):
    """Idempotency-Key rows; a row in flight has a lease, so a crash does not block its key for ever."""

    async def begin(self, tenant: str, *, route: str, key: str, fingerprint: str, lease_s: float) -> StoredAnswer | None:
        """Claim the key, or return the stored answer.

        Raises:
            IdempotencyKeyReused: another fingerprint. RequestInFlight: claimed, and its lease lives.
        """
        ...

    async def finish(self, tenant: str, *, route: str, key: str, answer: StoredAnswer) -> None:
        """Store the answer."""
        ...

    async def release(self, tenant: str, *, route: str, key: str) -> None:
        """Give the key back: nothing was kept, the same key may carry another body."""
        ...


class PayloadCipher(Protocol):
    """Encrypts what is stored: zstd, then AES-256-GCM under the tenant's data key, or under a data subject's (`under`)."""

    def seal(self, tenant: str, aad: str, plain: bytes) -> bytes:
        """Return the sealed bytes; `aad` names the place (run or table)."""
        ...

    def open(self, tenant: str, aad: str, sealed: bytes) -> bytes:
        """Raises: ReferenceMissing when the key is gone or the bytes or their place changed."""
        ...

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """Return a new random key for a data subject, wrapped under the tenant's key."""
        ...

    def under(self, tenant: str, key_id: str, wrapped: bytes) -> "PayloadCipher":
        """Return the cipher whose key that is; it opens what the tenant's key sealed as well. Raises: ReferenceMissing."""
        ...
