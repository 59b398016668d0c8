"""The ports of outgoing webhooks, as the gateway holds them."""

from dataclasses import dataclass

from domain.delivery_stores import DeliveryStore, LedgerPast
from domain.subscriptions import SubscriptionStore


@dataclass(frozen=True, kw_only=True)
class WebhookDeps:
    """Subscriptions, their deliveries, and the past for replays. `allow_private` also takes http:// URLs; never in production."""

    subscriptions: SubscriptionStore
    deliveries: DeliveryStore
    past: LedgerPast
    allow_private: bool = False
