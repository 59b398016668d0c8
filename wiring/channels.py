"""The channels of deliveries and who hears of events."""

from adapters.tools.egress import resolve_host
from adapters.webhooks.channel import WebhookChannel
from domain.deliveries import Audience, Channel
from domain.errors import InvalidInput
from domain.subscriptions import Subscribers
from wiring.settings import PlatformSettings, WebhookSettings
from wiring.storage import Storage


def webhooks_may_be_private(platform: PlatformSettings, webhooks: WebhookSettings) -> bool:
    """Return whether webhooks may go to private addresses and over http.

    Raises:
        InvalidInput: the settings ask for that in production.
    """
    if webhooks.allow_private and platform.environment == "production":
        raise InvalidInput("STANDFAST_WEBHOOK_PRIVATE is for development: in production, webhooks go to public https addresses only")
    return webhooks.allow_private


def build_channels(storage: Storage, platform: PlatformSettings, webhooks: WebhookSettings) -> dict[str, Channel]:
    """Return the channels by kind.

    Raises:
        InvalidInput: a setting cannot be used.
    """
    private = webhooks_may_be_private(platform, webhooks)
    built: list[Channel] = [WebhookChannel(storage.subscriptions, resolve=resolve_host, allow_private=private)]
    return {channel.kind: channel for channel in built}


def build_audiences(storage: Storage) -> list[Audience]:
    """Return who is asked about each event."""
    return [Subscribers(storage.subscriptions)]
