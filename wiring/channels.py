"""The channels of deliveries and who hears of events."""

from collections.abc import Callable
from urllib.parse import urlsplit

from activities.review_messages import MessagePorts, ReviewMessages
from activities.reviewer_audience import ReviewerAudience
from adapters.webhooks.channel import WebhookChannel
from domain.channels import ChannelContext
from domain.deliveries import Audience, Channel
from domain.errors import InvalidInput
from domain.subscriptions import Subscribers
from wiring.channel_plugins import load_entry_points
from wiring.keys import InstallationKeys
from wiring.outbound import build_outbound
from wiring.settings import ChannelSettings, GatewaySettings, PlatformSettings, WebhookSettings
from wiring.storage import Storage


def build_channels(
    storage: Storage, platform: PlatformSettings, webhooks: WebhookSettings, *, keys: InstallationKeys | None = None
) -> dict[str, Channel]:
    """Return the channels by kind; those to reviewers come by entry points, and only with the `keys` that sign their links.

    Raises:
        InvalidInput: a setting cannot be used.
    """
    private = webhooks.private_in(platform.environment)
    built: list[Channel] = [WebhookChannel(storage.subscriptions, outbound=build_outbound(platform.environment), allow_private=private)]
    if keys is not None:
        built += load_entry_points(_context(storage, platform, keys, ChannelSettings()))
    return {channel.kind: channel for channel in built}


def build_audiences(storage: Storage) -> list[Audience]:
    """Return who is asked about each event."""
    reviewers = ReviewerAudience(channels=storage.channels, approvals=storage.approvals, substitutes=storage.substitutes, keys=storage.keys)
    return [Subscribers(storage.subscriptions), reviewers]


def public_url(settings: ChannelSettings, gateway: GatewaySettings, *, production: bool) -> str:
    """Return the address at which reviewers reach the gateway, without a slash at its end.

    Raises:
        InvalidInput: it is no URL, or, in production, no https URL.
    """
    host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
    url = (settings.public_url or f"http://{host}:{gateway.port}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise InvalidInput("STANDFAST_PUBLIC_URL is no address of a site: write it as https://standfast.example")
    if production and settings.public_url is not None and parts.scheme != "https":
        raise InvalidInput("STANDFAST_PUBLIC_URL must begin with https:// in production: whoever reads a signed link can decide")
    return url


def _context(storage: Storage, platform: PlatformSettings, keys: InstallationKeys, settings: ChannelSettings) -> ChannelContext:
    """Return what channels to reviewers are built on."""
    production = platform.environment == "production"
    site = public_url(settings, GatewaySettings(), production=production)
    ports = MessagePorts(
        channels=storage.channels,
        approvals=storage.approvals,
        tasks=storage.tasks,
        runs=storage.runs,
        keys=storage.keys,
        substitutes=storage.substitutes,
    )
    messages = ReviewMessages(ports, link_keys=keys.review_links, page_url=lambda token: f"{site}/a/{token}")
    setting = channel_setting(settings)
    return ChannelContext(messages=messages, setting=setting, outbound=build_outbound(platform.environment), allow_private=not production)


def channel_setting(settings: ChannelSettings) -> Callable[[str], str]:
    """Return the function that gives a setting by its name; LookupError when it is not set."""
    password = settings.smtp_password
    named = {
        "STANDFAST_SMTP_HOST": settings.smtp_host,
        "STANDFAST_SMTP_PORT": None if settings.smtp_port is None else str(settings.smtp_port),
        "STANDFAST_SMTP_SECURITY": settings.smtp_security,
        "STANDFAST_SMTP_USERNAME": settings.smtp_username,
        "STANDFAST_SMTP_PASSWORD": None if password is None else password.get_secret_value(),
        "STANDFAST_MAIL_FROM": settings.mail_from,
    }
    given = {name: value for name, value in named.items() if value is not None}

    def setting(name: str) -> str:
        if name in given:
            return given[name]
        if name in settings.plugins:
            return settings.plugins[name].get_secret_value()
        raise LookupError(f"the setting {name} is not set: add it to STANDFAST_CHANNEL_SETTINGS")

    return setting
