"""Subscriptions: which events go to which URL, and who signs them. Pure: values, the store's port, and the audience they make.

A secret is `whsec_` and 24 to 64 random bytes in base64 (Standard Webhooks 1.0). It is shown once, when it is made.
"""

import base64
import binascii
from typing import Protocol
from urllib.parse import urlsplit

from domain.deliveries import WEBHOOK, NewDelivery, Recipient
from domain.errors import InvalidInput
from domain.events import Event, matches
from domain.model import Value
from domain.stores import Page

SECRET_PREFIX = "whsec_"  # noqa: S105  # the prefix that Standard Webhooks gives to secrets, and no secret
SECRET_BYTES = 32
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
"""Standard Webhooks 1.0, "Signature scheme": between 24 and 64 bytes."""

OVERLAP_S = 24 * 3600.0
"""How long the secret before a rotation still signs, unless the caller says otherwise."""

URL_CHARS_MAX = 2000
SUBSCRIPTIONS_MAX = 200
"""Most subscriptions of one tenant: each event is compared with all of them."""


class SubscriptionDraft(Value):
    """What a person says of a subscription. `events` are filters; `ordered`: events of one run arrive one after the other."""

    url: str
    events: tuple[str, ...]
    description: str = ""
    ordered: bool = False
    enabled: bool = True


class Subscription(SubscriptionDraft):
    """A subscription as it stands; times are RFC 3339 UTC.

    `disabled_at` and `disabled_reason` say that the endpoint itself asked for no more; `old_secret_until` is the end of a rotation.
    """

    subscription: str
    created_by: str
    created_at: str
    updated_at: str
    disabled_at: str | None = None
    disabled_reason: str | None = None
    throttled_until: str | None = None
    delivered_at: str | None = None
    failed_at: str | None = None
    old_secret_until: str | None = None


class Target(Value):
    """What the sender needs: the address, and every secret that is valid now, the newest first."""

    url: str
    secrets: tuple[str, ...]


class Listener(Value):
    """An enabled subscription as the relay sees it."""

    subscription: str
    events: tuple[str, ...]
    ordered: bool


class SubscriptionStore(Protocol):
    """Subscriptions with their secrets, sealed at rest."""

    async def create(self, tenant: str, subscription: str, draft: SubscriptionDraft, *, secret: str, by: str) -> Subscription:
        """Make one; the tenant's ledgers are relayed from now on. Raises: Conflict, there are SUBSCRIPTIONS_MAX already."""
        ...

    async def get(self, tenant: str, subscription: str) -> Subscription:
        """Raises: NotFound."""
        ...

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Subscription]:
        """Return one page, oldest first. Raises: BadRequest for a cursor that is none."""
        ...

    async def update(self, tenant: str, subscription: str, draft: SubscriptionDraft) -> Subscription:
        """Say it anew; enabling it also clears what the endpoint asked for. Raises: NotFound."""
        ...

    async def delete(self, tenant: str, subscription: str) -> None:
        """Remove it with its secrets; what is pending is discarded, its log stays. Raises: NotFound."""
        ...

    async def rotate(self, tenant: str, subscription: str, *, secret: str, overlap_s: float) -> Subscription:
        """Begin to sign with a new secret too; the ones before end after the overlap, or sooner. Raises: NotFound."""
        ...

    async def target(self, tenant: str, subscription: str) -> Target | None:
        """Return where to send and with what to sign; None when it is deleted."""
        ...

    async def listeners(self, tenant: str) -> list[Listener]:
        """Return the enabled ones whose endpoints did not ask for no more."""
        ...


class Subscribers:
    """Implements `Audience`: the webhooks of the tenant."""

    def __init__(self, store: SubscriptionStore) -> None:
        self._store = store

    async def recipients(self, tenant: str, events: list[Event]) -> list[NewDelivery]:
        """Return one delivery for each subscription that wants an event."""
        listeners = await self._store.listeners(tenant)
        return [
            NewDelivery(event=event, to=Recipient(channel=WEBHOOK, endpoint=one.subscription, ordered=one.ordered))
            for event in events
            for one in listeners
            if matches(one.events, event.type)
        ]


def format_secret(raw: bytes) -> str:
    """Return a secret as it is shown.

    Raises:
        InvalidInput: it has fewer than 24 or more than 64 bytes.
    """
    if not SECRET_BYTES_MIN <= len(raw) <= SECRET_BYTES_MAX:
        raise InvalidInput(f"a signing secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one {len(raw)}", where="/secret")
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def checked_secret(text: str) -> str:
    """Return a secret that a person brings along.

    Raises:
        InvalidInput: it is not `whsec_` with 24 to 64 bytes in base64.
    """
    try:
        raw = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True) if text.startswith(SECRET_PREFIX) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise InvalidInput("a signing secret is whsec_ followed by base64; leave it out, and one is made", where="/secret")
    return format_secret(raw)


def checked_url(url: str, *, allow_private: bool) -> str:
    """Return the URL of an endpoint.

    Args:
        url: What was given.
        allow_private: Also take http:// (STANDFAST_WEBHOOK_PRIVATE, never in production).

    Raises:
        InvalidInput: it is no https URL of a host, or carries a name and password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"that is no URL: {error}", where="/url") from error
    if len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidInput(f"the URL may have at most {URL_CHARS_MAX} printable ASCII characters without blanks", where="/url")
    if not host or parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise InvalidInput(
            "the URL must begin with https:// and name a host; for http:// and this machine, in development, set STANDFAST_WEBHOOK_PRIVATE",
            where="/url",
        )
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("the URL may carry no user, password or fragment", where="/url")
    return url
