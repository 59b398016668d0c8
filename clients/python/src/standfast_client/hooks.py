"""What the gateway answers about inbound webhooks."""

from pydantic import JsonValue

from standfast_client.models import Received


class Hook(Received):
    """A registered sender. `address` is where it posts, below the gateway's URL; `secrets` are the valid ones by id, with their ends.

    `secret` is filled in the answers that make one, and shown this once.
    """

    hook: str
    name: str
    address: str
    scheme: str
    action: dict[str, JsonValue]
    when: str | None = None
    tolerance_s: int
    rate_per_minute: int
    enabled: bool
    secrets: dict[str, str | None]
    secret: str | None = None
    created_by: str
    created_at: str
    updated_at: str


class HookRemoved(Received):
    """The answer to a removal."""

    hook: str
    removed: bool


class HookRequest(Received):
    """One request of a sender, and how far it is."""

    webhook_id: str
    state: str
    run: str | None
    correlation_id: str
    received_at: str
    settled_at: str | None
    attempts: int
    detail: str | None


class SignalSent(Received):
    """A signal that is with its run."""

    run: str
    signal: str
    id: str
