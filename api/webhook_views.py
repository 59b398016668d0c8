"""JSON shapes of outgoing webhooks: what is asked, and what is shown."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import Field, JsonValue, StringConstraints, model_validator

from api.queries import Cursor, Limit
from domain.deliveries import DeliveryState
from domain.delivery_stores import Attempt, DeliveryRow
from domain.events import FILTERS_MAX
from domain.ids import parse_id
from domain.model import Value
from domain.subscriptions import OVERLAP_S, URL_CHARS_MAX, Subscription, SubscriptionDraft

OVERLAP_S_MAX = 30 * 86_400
REPLAY_MAX = 1000
"""Most entries that one request replays."""

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class WebhookRules(Value):
    """Where events go, and which. `events` are types such as `run.succeeded`, or `run.*`, or `*`."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=URL_CHARS_MAX)]
    events: Annotated[list[Annotated[str, StringConstraints(max_length=100)]], Field(min_length=1, max_length=FILTERS_MAX)]
    description: Annotated[str, StringConstraints(max_length=500)] = ""
    ordered: bool = False
    enabled: bool = True


class WebhookBody(WebhookRules):
    """A webhook to register. Without `secret` one is made, and shown once."""

    secret: Secret | None = None


class WebhookView(Value):
    """A webhook. `disabled_at` says that the endpoint answered 410; enable it again by a PUT.

    `old_secret_until` is when the secret before the last rotation stops signing.
    """

    webhook: str
    url: str
    events: list[str]
    description: str
    ordered: bool
    enabled: bool
    created_by: str
    created_at: str
    updated_at: str
    disabled_at: str | None
    disabled_reason: str | None
    throttled_until: str | None
    delivered_at: str | None
    failed_at: str | None
    old_secret_until: str | None


class WebhookWithSecret(WebhookView):
    """A webhook with the secret that was made for it: it is shown this once. None when you brought your own."""

    secret: str | None = None


class WebhookRemoved(Value):
    """The answer to a removal."""

    webhook: str
    removed: bool = True


class RotateBody(Value):
    """A new secret; the one before it goes on signing for `overlap_s` seconds."""

    secret: Secret | None = None
    overlap_s: Annotated[int, Field(ge=0, le=OVERLAP_S_MAX)] = int(OVERLAP_S)


class ReplayBody(Value):
    """Where to begin: at a position of the tenant's log (0 is its first leaf), or at a sequence of one run's ledger."""

    from_position: Annotated[int, Field(ge=0)] | None = None
    run: str | None = None
    from_sequence: Annotated[int, Field(ge=1)] = 1
    limit: Annotated[int, Field(ge=1, le=REPLAY_MAX)] = REPLAY_MAX

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReplayBody":
        if (self.from_position is None) == (self.run is None):
            raise ValueError("give from_position, or run with from_sequence")
        return self


class ReplayView(Value):
    """What a replay did: entries it read, deliveries that go out again. `next` is where to go on, null at the end."""

    read: int
    queued: int
    next: int | None


class TestView(Value):
    """The delivery of a test event."""

    __test__ = False  # pytest: this is no test

    webhook: str
    delivery: str
    event: str


class DeliveryView(Value):
    """A delivery. `event` is its webhook-id, the same on every attempt; `attempts` counts those of this round."""

    delivery: str
    webhook: str
    event: str
    type: str
    run: str | None
    sequence: int
    state: DeliveryState
    reason: str
    round: int
    attempts: int
    created_at: str
    next_attempt_at: str | None
    settled_at: str | None


class DeliveryDetail(DeliveryView):
    """A delivery with its log and its body. An attempt whose `outcome` stays `open` lost its worker, and was made again."""

    log: list[Attempt]
    body: dict[str, JsonValue]


class WebhookListQuery(Value):
    """A page of the list of webhooks."""

    limit: Limit = 50
    cursor: Cursor | None = None


class DeliveryListQuery(Value):
    """Filters of a webhook's deliveries; newest first."""

    state: DeliveryState | None = None
    type: Annotated[str, Field(max_length=100)] | None = None
    run: Annotated[str, Field(max_length=40)] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


def _webhook_id(webhook_id: Annotated[str, Path(description="whk_ and 26 characters")]) -> str:
    return parse_id(webhook_id, "whk")


def _delivery_id(delivery_id: Annotated[str, Path(description="dlv_ and 26 characters")]) -> str:
    return parse_id(delivery_id, "dlv")


WebhookIdInPath = Annotated[str, Depends(_webhook_id)]
DeliveryIdInPath = Annotated[str, Depends(_delivery_id)]
WebhookList = Annotated[WebhookListQuery, Query()]
DeliveryList = Annotated[DeliveryListQuery, Query()]


def draft_of(rules: WebhookRules) -> SubscriptionDraft:
    """Return what is asked as the domain says it; a body's secret is not part of it."""
    return SubscriptionDraft(**rules.model_dump(include=set(SubscriptionDraft.model_fields)))


def webhook_view(row: Subscription) -> WebhookView:
    """Return what is shown of a webhook."""
    return WebhookView(webhook=row.subscription, **row.model_dump(include=set(WebhookView.model_fields)))


def with_secret(row: Subscription, secret: str | None) -> WebhookWithSecret:
    """Return the same with its secret."""
    return WebhookWithSecret(**webhook_view(row).model_dump(), secret=secret)


def delivery_view(row: DeliveryRow) -> DeliveryView:
    """Return what is shown of a delivery."""
    shown = row.model_dump(include={*DeliveryView.model_fields} - {"event"})
    return DeliveryView(**shown, webhook=row.endpoint, event=row.event.id, type=row.event.type, run=row.event.run, sequence=row.event.seq)


def delivery_detail(row: DeliveryRow, log: tuple[Attempt, ...]) -> DeliveryDetail:
    """Return a delivery with its log."""
    return DeliveryDetail(**delivery_view(row).model_dump(), log=list(log), body=row.event.document())
