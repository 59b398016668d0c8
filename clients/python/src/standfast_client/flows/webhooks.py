"""Outgoing webhooks."""

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import JsonValue

from standfast_client.exchange import Flow, Link, delete, get, parse, post, put
from standfast_client.flows.paging import paged
from standfast_client.webhooks import Delivery, Replay, TestDelivery, Webhook, WebhookRemoved

ROOT = "/webhooks"


def create(
    link: Link, url: str, events: Sequence[str], *, description: str, ordered: bool, secret: str | None, idempotency_key: str | None
) -> Flow[Webhook]:
    """Register a webhook."""
    body: dict[str, JsonValue] = {"url": url, "events": list(events), "description": description, "ordered": ordered, "secret": secret}
    return parse((yield from link.ask(post(ROOT, body, idempotency_key=idempotency_key))), Webhook)


def webhook(link: Link, webhook_id: str) -> Flow[Webhook]:
    """Read one webhook."""
    return parse((yield from link.ask(get(_place(webhook_id)))), Webhook)


def webhooks(link: Link, *, limit: int) -> Flow[list[Webhook]]:
    """Read webhooks, oldest first, up to `limit`."""
    return (yield from paged(link, ROOT, Webhook, limit))


def change(
    link: Link,
    webhook_id: str,
    *,
    url: str | None,
    events: Sequence[str] | None,
    description: str | None,
    ordered: bool | None,
    enabled: bool | None,
    idempotency_key: str | None,
) -> Flow[Webhook]:
    """Change what is given; the rest stays as it is read now."""
    now = yield from webhook(link, webhook_id)
    body: dict[str, JsonValue] = {
        "url": now.url if url is None else url,
        "events": list(now.events if events is None else events),
        "description": now.description if description is None else description,
        "ordered": now.ordered if ordered is None else ordered,
        "enabled": now.enabled if enabled is None else enabled,
    }
    return parse((yield from link.ask(put(_place(webhook_id), body, idempotency_key=idempotency_key))), Webhook)


def remove(link: Link, webhook_id: str, *, idempotency_key: str | None) -> Flow[WebhookRemoved]:
    """Take a webhook away."""
    return parse((yield from link.ask(delete(_place(webhook_id), idempotency_key=idempotency_key))), WebhookRemoved)


def rotate(link: Link, webhook_id: str, *, overlap_s: int | None, secret: str | None, idempotency_key: str | None) -> Flow[Webhook]:
    """Begin a new secret."""
    request = post(f"{_place(webhook_id)}/rotate", {"overlap_s": overlap_s, "secret": secret}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Webhook)


def send_test(link: Link, webhook_id: str, *, idempotency_key: str | None) -> Flow[TestDelivery]:
    """Send a test event."""
    return parse((yield from link.ask(post(f"{_place(webhook_id)}/test", {}, idempotency_key=idempotency_key))), TestDelivery)


def replay(link: Link, webhook_id: str, *, from_position: int | None, run: str | None, from_sequence: int | None) -> Flow[Replay]:
    """Send past events again, portion after portion, until the end; return the sums."""
    read = queued = 0
    while True:
        begin = {"from_position": from_position} if run is None else {"run": run, "from_sequence": from_sequence}
        done = parse((yield from link.ask(post(f"{_place(webhook_id)}/replay", {**begin}, idempotency_key=None))), Replay)
        read, queued = read + done.read, queued + done.queued
        if done.next is None:
            return Replay(read=read, queued=queued)
        from_position, from_sequence = (done.next, None) if run is None else (None, done.next)


def deliveries(link: Link, webhook_id: str, *, state: str | None, type_: str | None, run: str | None, limit: int) -> Flow[list[Delivery]]:
    """Read a webhook's deliveries, newest first, up to `limit`."""
    return (yield from paged(link, f"{_place(webhook_id)}/deliveries", Delivery, limit, state=state, type=type_, run=run))


def delivery(link: Link, webhook_id: str, delivery_id: str) -> Flow[Delivery]:
    """Read one delivery with its log."""
    return parse((yield from link.ask(get(_delivery(webhook_id, delivery_id)))), Delivery)


def redeliver(link: Link, webhook_id: str, delivery_id: str, *, idempotency_key: str | None) -> Flow[Delivery]:
    """Send a delivery again."""
    request = post(f"{_delivery(webhook_id, delivery_id)}/redeliver", {}, idempotency_key=idempotency_key)
    return parse((yield from link.ask(request)), Delivery)


def _place(webhook_id: str) -> str:
    return f"{ROOT}/{quote(webhook_id, safe='')}"


def _delivery(webhook_id: str, delivery_id: str) -> str:
    return f"{_place(webhook_id)}/deliveries/{quote(delivery_id, safe='')}"
