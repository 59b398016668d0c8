"""What the gateway answers about outgoing webhooks and their deliveries. Times are RFC 3339 UTC."""

from pydantic import JsonValue

from standfast_client.models import Received


class Webhook(Received):
    """A webhook. `secret` is in the answer that made it, and never again; `disabled_at` says that the endpoint answered 410."""

    webhook: str
    url: str
    events: list[str]
    description: str = ""
    ordered: bool = False
    enabled: bool = True
    created_by: str
    created_at: str
    updated_at: str
    disabled_at: str | None = None
    disabled_reason: str | None = None
    throttled_until: str | None = None
    delivered_at: str | None = None
    failed_at: str | None = None
    old_secret_until: str | None = None
    secret: str | None = None


class DeliveryAttempt(Received):
    """One line of a delivery's log; `outcome` is `sent`, `failed`, `throttled`, `gone`, `refused`, or `open`."""

    round: int
    attempt: int
    started_at: str
    outcome: str
    status: int | None = None
    detail: str = ""
    duration_ms: int = 0


class Delivery(Received):
    """A delivery. `event` is the `webhook-id` of every attempt; `log` and `body` are there when one is shown alone."""

    delivery: str
    webhook: str
    event: str
    type: str
    run: str | None = None
    sequence: int
    state: str
    reason: str = ""
    round: int
    attempts: int
    created_at: str
    next_attempt_at: str | None = None
    settled_at: str | None = None
    log: list[DeliveryAttempt] = []
    body: dict[str, JsonValue] = {}


class TestDelivery(Received):
    """The delivery of a test event."""

    __test__ = False  # pytest: this is no test

    webhook: str
    delivery: str
    event: str


class Replay(Received):
    """What one portion of a replay did: entries read, deliveries that go out again, and where to go on (None at the end)."""

    read: int
    queued: int
    next: int | None = None


class WebhookRemoved(Received):
    """The answer to a removal."""

    webhook: str
    removed: bool = True
