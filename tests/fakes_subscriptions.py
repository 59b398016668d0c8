"""Subscriptions in memory, honest to the docstring of their port; tests/contracts runs one suite on it and on PostgreSQL."""

from datetime import timedelta

from domain.deliveries import WEBHOOK, DeliveryState
from domain.errors import Conflict, NotFound
from domain.stores import Page
from domain.subscriptions import SUBSCRIPTIONS_MAX, Listener, Subscription, SubscriptionDraft, Target
from tests.fakes_database import paged
from tests.fakes_deliveries import DeliveryTables, EndpointState, text_of


class FakeSubscriptionStore:
    """Implements `SubscriptionStore`."""

    def __init__(self, tables: DeliveryTables) -> None:
        self._tables = tables

    async def create(self, tenant: str, subscription: str, draft: SubscriptionDraft, *, secret: str, by: str) -> Subscription:
        """Make one; a repeated id is the same request again."""
        self._tables.activate(tenant)
        if len([owner for owner, _ in self._tables.subscriptions if owner == tenant]) >= SUBSCRIPTIONS_MAX:
            raise Conflict(f"a tenant has at most {SUBSCRIPTIONS_MAX} webhooks: delete one first")
        if (tenant, subscription) not in self._tables.subscriptions:
            now = self._tables.database.now()
            made = Subscription(**draft.model_dump(), subscription=subscription, created_by=by, created_at=now, updated_at=now)
            self._tables.subscriptions[tenant, subscription] = made
            self._tables.secrets[tenant, subscription] = [(secret, None)]
        return await self.get(tenant, subscription)

    async def get(self, tenant: str, subscription: str) -> Subscription:
        """Return one."""
        if (tenant, subscription) not in self._tables.subscriptions:
            raise NotFound(f"there is no webhook {subscription}")
        known = self._tables.endpoints.get((tenant, WEBHOOK, subscription), EndpointState())
        ends = [ends for _, ends in self._tables.secrets[tenant, subscription] if ends is not None and ends > self._tables.database.time]
        shown = {
            "disabled_at": known.disabled_at,
            "disabled_reason": known.disabled,
            "throttled_until": None if known.throttled_until is None else text_of(known.throttled_until),
            "old_secret_until": text_of(max(ends)) if ends else None,
        }
        return self._tables.subscriptions[tenant, subscription].model_copy(update=shown)

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Subscription]:
        """Return one page, oldest first."""
        rows = [await self.get(owner, name) for owner, name in self._tables.subscriptions if owner == tenant]
        return paged(rows, key=lambda row: (row.created_at, row.subscription), limit=limit, cursor=cursor)

    async def update(self, tenant: str, subscription: str, draft: SubscriptionDraft) -> Subscription:
        """Say it anew."""
        row = await self.get(tenant, subscription)
        self._tables.subscriptions[tenant, subscription] = row.model_copy(
            update={**draft.model_dump(), "updated_at": self._tables.database.now()}
        )
        if draft.enabled:
            self._tables.endpoints[tenant, WEBHOOK, subscription] = EndpointState()
        return await self.get(tenant, subscription)

    async def delete(self, tenant: str, subscription: str) -> None:
        """Remove it."""
        await self.get(tenant, subscription)
        del self._tables.subscriptions[tenant, subscription], self._tables.secrets[tenant, subscription]
        for (owner, delivery), row in list(self._tables.rows.items()):
            if (owner, row.channel, row.endpoint, row.state) == (tenant, WEBHOOK, subscription, DeliveryState.PENDING):
                gone = {"reason": "the webhook was deleted", "settled_at": self._tables.database.now(), "next_attempt_at": None}
                self._tables.change(owner, delivery, state=DeliveryState.DISCARDED, **gone)

    async def rotate(self, tenant: str, subscription: str, *, secret: str, overlap_s: float) -> Subscription:
        """Begin the next secret's time."""
        await self.get(tenant, subscription)
        end = self._tables.database.time + timedelta(seconds=overlap_s)
        kept = [(old, end if ends is None else min(ends, end)) for old, ends in self._tables.secrets[tenant, subscription]]
        self._tables.secrets[tenant, subscription] = [(secret, None), *kept]
        return await self.get(tenant, subscription)

    async def target(self, tenant: str, subscription: str) -> Target | None:
        """Return where to send and what signs."""
        if (tenant, subscription) not in self._tables.subscriptions:
            return None
        now = self._tables.database.time
        living = [secret for secret, ends in self._tables.secrets[tenant, subscription] if ends is None or ends > now]
        return Target(url=self._tables.subscriptions[tenant, subscription].url, secrets=tuple(living))

    async def listeners(self, tenant: str) -> list[Listener]:
        """Return who is to hear."""
        rows = [await self.get(owner, name) for owner, name in self._tables.subscriptions if owner == tenant]
        return [
            Listener(subscription=row.subscription, events=row.events, ordered=row.ordered)
            for row in rows
            if row.enabled and row.disabled_at is None
        ]
