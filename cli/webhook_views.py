"""What people see of webhooks and deliveries. Pure: nothing is written here."""

from urllib.parse import urlsplit

from cli.views import Fields, moment
from standfast_client import Delivery, DeliveryAttempt, Webhook

WEBHOOK_COLUMNS = ("WEBHOOK", "HOST", "EVENTS", "STATE", "DELIVERED", "FAILED")
DELIVERY_COLUMNS = ("DELIVERY", "TYPE", "RUN", "STATE", "ATTEMPTS", "CREATED", "NEXT ATTEMPT")
ATTEMPT_COLUMNS = ("ROUND", "ATTEMPT", "STARTED", "OUTCOME", "STATUS", "MS", "DETAIL")


def state_of(webhook: Webhook) -> str:
    """Return whether a webhook gets events."""
    if webhook.disabled_at is not None:
        return "answered 410"
    return "enabled" if webhook.enabled else "disabled"


def webhook_row(webhook: Webhook) -> tuple[str, ...]:
    """Return a row of the list; of the URL only the host: the rest may be secret."""
    host = urlsplit(webhook.url).hostname or ""
    return webhook.webhook, host, " ".join(webhook.events), state_of(webhook), moment(webhook.delivered_at), moment(webhook.failed_at)


def webhook_fields(webhook: Webhook) -> Fields:
    """Return everything about one webhook."""
    return [
        ("webhook", webhook.webhook),
        ("secret", webhook.secret),
        ("url", webhook.url),
        ("events", " ".join(webhook.events)),
        ("description", webhook.description),
        ("ordered", "yes" if webhook.ordered else None),
        ("state", state_of(webhook)),
        ("reason", webhook.disabled_reason),
        ("left alone until", moment(webhook.throttled_until)),
        ("old secret until", moment(webhook.old_secret_until)),
        ("delivered", moment(webhook.delivered_at)),
        ("failed", moment(webhook.failed_at)),
        ("created", f"{moment(webhook.created_at)} by {webhook.created_by}"),
    ]


def delivery_row(delivery: Delivery) -> tuple[str, ...]:
    """Return a row of the list."""
    return (
        delivery.delivery,
        delivery.type,
        delivery.run or "",
        delivery.state,
        str(delivery.attempts),
        moment(delivery.created_at),
        moment(delivery.next_attempt_at),
    )


def delivery_fields(delivery: Delivery) -> Fields:
    """Return everything about one delivery but its log."""
    return [
        ("delivery", delivery.delivery),
        ("webhook-id", delivery.event),
        ("type", delivery.type),
        ("run", delivery.run),
        ("state", delivery.state),
        ("reason", delivery.reason),
        ("created", moment(delivery.created_at)),
        ("next attempt", moment(delivery.next_attempt_at)),
        ("settled", moment(delivery.settled_at)),
    ]


def attempt_row(attempt: DeliveryAttempt) -> tuple[str, ...]:
    """Return a line of the log."""
    status = "" if attempt.status is None else str(attempt.status)
    return (
        str(attempt.round),
        str(attempt.attempt),
        moment(attempt.started_at),
        attempt.outcome,
        status,
        str(attempt.duration_ms),
        attempt.detail,
    )
