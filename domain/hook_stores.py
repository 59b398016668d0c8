"""The storage ports of inbound webhooks: hooks with their secrets, and the requests that were verified. Pure: Protocols and values only."""

from typing import Literal, Protocol

from domain.dead_letters import NewDeadLetter
from domain.hooks import Hook, HookRules, PlannedSignal
from domain.model import Value
from domain.stores import NewRun, Page

RequestState = Literal["started", "waiting", "sending", "delivered", "ignored", "dead"]
"""started a run; waiting for a run that listens; sending the signal to `run`; delivered to it; ignored by the hook's `when`; given up."""


class HeldRequest(Value):
    """What is kept sealed of a request until it is done: body (Latin-1, so that every byte is kept), event, and the signal it became."""

    body: str = ""
    event: str | None = None
    signal: PlannedSignal | None = None


class NewHookRequest(Value):
    """One verified request of the hook `hook`, named `source`.

    Attributes:
        webhook_id: Under which it counts once.
        content: By what else it is known again: an HMAC of its body where the scheme does not sign the id, else the id once more.
        first: The state it is accepted in.
        at: When, RFC 3339 UTC.
        held: What is kept of it, None for what is done at once.
    """

    tenant: str
    hook: str
    source: str
    webhook_id: str
    content: str
    first: RequestState
    correlation_id: str
    at: str
    held: HeldRequest | None = None


class HookRequest(Value):
    """One request as its row says; `first` is the state it was accepted in, which its answer tells for ever."""

    tenant: str
    hook: str
    webhook_id: str
    first: RequestState
    state: RequestState
    run: str | None = None
    correlation_id: str
    received_at: str
    settled_at: str | None = None
    attempts: int = 0
    detail: str | None = None

    @property
    def subject(self) -> str:
        """What a dead letter calls it."""
        return f"{self.hook}/{self.webhook_id}"


class FoundHook(Value):
    """An enabled hook with its valid secrets as they are: for the gateway's verification only, never shown."""

    hook: Hook
    secrets: tuple[str, ...]


class HookStore(Protocol):
    """Hooks and their secrets."""

    async def create(self, hook: Hook, *, secret_id: str, secret: str) -> Hook:
        """Insert a hook with its first secret, sealed. Raises: Conflict when the name is taken."""
        ...

    async def change(self, tenant: str, hook: str, rules: HookRules, *, at: str) -> Hook:
        """Replace what may be changed. Raises: NotFound, Conflict."""
        ...

    async def get(self, tenant: str, hook: str) -> Hook:
        """Raises: NotFound."""
        ...

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Hook]:
        """Return one page, by name."""
        ...

    async def remove(self, tenant: str, hook: str, *, at: str) -> None:
        """Take a hook and its secrets away for good; its requests stay. Raises: NotFound."""
        ...

    async def rotate(self, tenant: str, hook: str, *, secret_id: str, secret: str, at: str, old_until: str) -> Hook:
        """Add a secret; those before it are valid until `old_until` at most. Raises: NotFound, Conflict when too many are valid."""
        ...

    async def find(self, hook: str, *, at: str) -> FoundHook | None:
        """Return an enabled hook by its address, of whatever tenant, with the secrets that are valid then."""
        ...


class HookRequestStore(Protocol):
    """The requests of hooks."""

    async def accept(
        self, request: NewHookRequest, *, run: NewRun | None = None, letter: NewDeadLetter | None = None
    ) -> tuple[HookRequest, bool]:
        """Insert the request with its run (and `gateway:hook:received`) or its dead letter in one transaction.

        Returns:
            Its row, and whether it is new: one that is known by id or content is returned as it stands, and nothing is written.
        """
        ...

    async def get(self, tenant: str, hook: str, webhook_id: str) -> HookRequest:
        """Raises: NotFound."""
        ...

    async def page(self, tenant: str, hook: str, *, limit: int, cursor: str | None) -> Page[HookRequest]:
        """Return one page, newest first. Raises: NotFound for an unknown hook."""
        ...

    async def held(self, tenant: str, hook: str, webhook_id: str) -> HeldRequest | None:
        """Return what is kept of a request, None when it is done. Raises: NotFound, ReferenceMissing."""
        ...

    async def unsettled(self, tenant: str, *, idle_seconds: float, limit: int) -> list[HookRequest]:
        """Return waiting and sending requests that were not tried for that long, those tried longest ago first."""
        ...

    async def aim(self, tenant: str, hook: str, webhook_id: str, *, hashed: str | None, at: str) -> HookRequest:
        """Claim a run for a waiting request's signal: the one it names, or the open listener of this hash that has waited longest.

        In the same transaction the run's ledger gets `gateway:signal:sent` with the stored payload. The row stays `waiting` when there is
        nobody; one that is not waiting is returned as it is. Each call counts an attempt.
        """
        ...

    async def unaim(self, tenant: str, hook: str, webhook_id: str) -> None:
        """Let a sending request wait for another run: this one has ended."""
        ...

    async def settle(
        self,
        tenant: str,
        hook: str,
        webhook_id: str,
        *,
        state: RequestState,
        detail: str | None = None,
        letter: NewDeadLetter | None = None,
    ) -> None:
        """End an unsettled request as delivered or dead, with its dead letter in the same transaction; a settled one stays as it is."""
        ...

    async def revive(self, request: NewHookRequest, *, run: NewRun | None = None) -> HookRequest:
        """Take a dead request up again, with its run, once: one that is not dead is returned as it is. Raises: NotFound."""
        ...
