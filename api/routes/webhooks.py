"""`/v1/webhooks`: where events go, and what became of each delivery."""

import secrets
from enum import Enum

from fastapi import FastAPI

from api.changes import tell
from api.context import Context
from api.deps import GatewayDeps, instant
from api.webhook_views import (
    DeliveryDetail,
    DeliveryIdInPath,
    DeliveryList,
    DeliveryView,
    ReplayBody,
    ReplayView,
    RotateBody,
    TestView,
    WebhookBody,
    WebhookIdInPath,
    WebhookList,
    WebhookRemoved,
    WebhookRules,
    WebhookView,
    WebhookWithSecret,
    delivery_detail,
    delivery_view,
    draft_of,
    webhook_view,
    with_secret,
)
from domain.deliveries import WEBHOOK, NewDelivery, Recipient
from domain.delivery_stores import Attempt, DeliveryFilter, DeliveryRow
from domain.errors import NotFound
from domain.events import WEBHOOK_TEST, Event, checked_filters, delivery_id, events_of, matches
from domain.ids import parse_id
from domain.stores import Page
from domain.subscriptions import SECRET_BYTES, SubscriptionDraft, checked_secret, checked_url, format_secret


class WebhookRoutes:
    """Webhooks over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._subscriptions = deps.webhooks.subscriptions
        self._deliveries = deps.webhooks.deliveries

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["webhooks"]
        add, one = app.router.add_api_route, "/v1/webhooks/{webhook_id}"
        delivery = f"{one}/deliveries/{{delivery_id}}"
        add("/v1/webhooks", self.create_webhook, methods=["POST"], tags=tags, status_code=201)
        add("/v1/webhooks", self.list_webhooks, methods=["GET"], tags=tags)
        add(one, self.get_webhook, methods=["GET"], tags=tags)
        add(one, self.change_webhook, methods=["PUT"], tags=tags)
        add(one, self.remove_webhook, methods=["DELETE"], tags=tags)
        add(f"{one}/rotate", self.rotate_webhook_secret, methods=["POST"], tags=tags)
        add(f"{one}/test", self.send_test_event, methods=["POST"], tags=tags, status_code=202)
        add(f"{one}/replay", self.replay_events, methods=["POST"], tags=tags, status_code=202)
        add(f"{one}/deliveries", self.list_deliveries, methods=["GET"], tags=tags)
        add(delivery, self.get_delivery, methods=["GET"], tags=tags)
        add(f"{delivery}/redeliver", self.redeliver, methods=["POST"], tags=tags, status_code=202)

    async def create_webhook(self, body: WebhookBody, context: Context) -> WebhookWithSecret:
        """Register a URL for events from now on. The secret that signs its deliveries is shown this once, unless you bring your own.

        Raises:
            InvalidInput: URL, event types or secret cannot be used. Conflict: there are too many.
        """
        draft, secret = self._checked(body), _secret(body.secret)
        principal = context.principal
        row = await self._subscriptions.create(principal.tenant, self._deps.new_id("whk"), draft, secret=secret, by=principal.id)
        tell(context, "registered", row.subscription)
        context.kept = True
        return with_secret(row, None if body.secret else secret)

    async def list_webhooks(self, where: WebhookList, context: Context) -> Page[WebhookView]:
        """List webhooks, oldest first."""
        page = await self._subscriptions.page(context.principal.tenant, limit=where.limit, cursor=where.cursor)
        return Page[WebhookView](items=tuple(webhook_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_webhook(self, webhook_id: WebhookIdInPath, context: Context) -> WebhookView:
        """Show one webhook."""
        return webhook_view(await self._subscriptions.get(context.principal.tenant, webhook_id))

    async def change_webhook(self, webhook_id: WebhookIdInPath, body: WebhookRules, context: Context) -> WebhookView:
        """Replace where events go, and which; its secret stays. Enabling it clears that the endpoint answered 410.

        Raises:
            NotFound: no such webhook. InvalidInput: URL or event types cannot be used.
        """
        row = await self._subscriptions.update(context.principal.tenant, webhook_id, self._checked(body))
        tell(context, "changed", webhook_id)
        context.kept = True
        return webhook_view(row)

    async def remove_webhook(self, webhook_id: WebhookIdInPath, context: Context) -> WebhookRemoved:
        """Take a webhook away, with its secrets; deliveries that wait are discarded."""
        await self._subscriptions.delete(context.principal.tenant, webhook_id)
        tell(context, "removed", webhook_id)
        context.kept = True
        return WebhookRemoved(webhook=webhook_id)

    async def rotate_webhook_secret(self, webhook_id: WebhookIdInPath, body: RotateBody, context: Context) -> WebhookWithSecret:
        """Begin a new secret; during the overlap each delivery carries a signature of both, so that nothing is refused meanwhile."""
        secret = _secret(body.secret)
        row = await self._subscriptions.rotate(context.principal.tenant, webhook_id, secret=secret, overlap_s=body.overlap_s)
        tell(context, "given a new secret", webhook_id)
        context.kept = True
        return with_secret(row, None if body.secret else secret)

    async def send_test_event(self, webhook_id: WebhookIdInPath, context: Context) -> TestView:
        """Send a `webhook.test` event, whatever types the webhook takes; look at its delivery for what came of it."""
        principal = context.principal
        row = await self._subscriptions.get(principal.tenant, webhook_id)
        event = Event(
            id=self._deps.new_id("evt"),
            type=WEBHOOK_TEST,
            at=instant(self._deps.now()),
            tenant=principal.tenant,
            run=None,
            data={"webhook": webhook_id, "requested_by": principal.id, "correlation_id": context.correlation_id},
        )
        to = Recipient(channel=WEBHOOK, endpoint=row.subscription)
        await self._deliveries.add(principal.tenant, [NewDelivery(event=event, to=to)])
        context.kept = True
        return TestView(webhook=webhook_id, delivery=delivery_id(event.id, WEBHOOK, webhook_id), event=event.id)

    async def replay_events(self, webhook_id: WebhookIdInPath, body: ReplayBody, context: Context) -> ReplayView:
        """Send past events again, under the ids they had: from a position of the log, or from a sequence of one run.

        Raises:
            NotFound: no such webhook, or no such run.
        """
        tenant = context.principal.tenant
        row = await self._subscriptions.get(tenant, webhook_id)
        if body.run is None:
            past = await self._deps.webhooks.past.from_position(tenant, body.from_position or 0, limit=body.limit)
        else:
            run = parse_id(body.run, "run")
            past = await self._deps.webhooks.past.of_run(tenant, run, body.from_sequence, limit=body.limit)
        to = Recipient(channel=WEBHOOK, endpoint=row.subscription, ordered=row.ordered)
        events = [event for entry in past.entries for event in events_of(entry) if matches(row.events, event.type)]
        queued = await self._deliveries.replay(tenant, [NewDelivery(event=event, to=to) for event in events]) if events else 0
        context.kept = True
        return ReplayView(read=len(past.entries), queued=queued, next=past.next)

    async def list_deliveries(self, webhook_id: WebhookIdInPath, where: DeliveryList, context: Context) -> Page[DeliveryView]:
        """List a webhook's deliveries, newest first."""
        tenant = context.principal.tenant
        await self._subscriptions.get(tenant, webhook_id)
        page = await self._deliveries.page(tenant, WEBHOOK, webhook_id, DeliveryFilter(**where.model_dump()))
        return Page[DeliveryView](items=tuple(delivery_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_delivery(self, webhook_id: WebhookIdInPath, delivery_id: DeliveryIdInPath, context: Context) -> DeliveryDetail:
        """Show one delivery with its body and every attempt."""
        return delivery_detail(*await self._of(context.principal.tenant, webhook_id, delivery_id))

    async def redeliver(self, webhook_id: WebhookIdInPath, delivery_id: DeliveryIdInPath, context: Context) -> DeliveryView:
        """Send a delivery again, at once, under the same webhook-id; a new round of the schedule begins."""
        tenant = context.principal.tenant
        await self._of(tenant, webhook_id, delivery_id)
        row = await self._deliveries.redeliver(tenant, delivery_id)
        context.kept = True
        return delivery_view(row)

    async def _of(self, tenant: str, webhook: str, delivery: str) -> tuple[DeliveryRow, tuple[Attempt, ...]]:
        await self._subscriptions.get(tenant, webhook)
        row, log = await self._deliveries.get(tenant, delivery)
        if (row.channel, row.endpoint) != (WEBHOOK, webhook):
            raise NotFound(f"webhook {webhook} has no delivery {delivery}")
        return row, log

    def _checked(self, rules: WebhookRules) -> SubscriptionDraft:
        draft = draft_of(rules)
        checked_url(draft.url, allow_private=self._deps.webhooks.allow_private)
        return draft.model_copy(update={"events": checked_filters(draft.events)})


def _secret(given: str | None) -> str:
    """Return the secret that was given, once it is known to be usable, or a new one."""
    return format_secret(secrets.token_bytes(SECRET_BYTES)) if given is None else checked_secret(given)
