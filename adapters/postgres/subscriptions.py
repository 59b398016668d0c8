"""Subscriptions and their secrets; address and secrets are sealed under the tenant's key."""

from typing import cast

from adapters.postgres import relay_queries
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none, storable
from domain.errors import Conflict, NotFound
from domain.stores import Page, PayloadCipher
from domain.subscriptions import SUBSCRIPTIONS_MAX, Listener, Subscription, SubscriptionDraft, Target

_ROW = b"""
SELECT s.*, n.disabled_at, n.disabled_reason, n.throttled_until, n.delivered_at, n.failed_at, (
    SELECT max(k.expires_at) FROM subscription_secrets k
    WHERE k.tenant_id = s.tenant_id AND k.subscription = s.subscription AND k.expires_at > clock_timestamp()) AS old_secret_until
FROM subscriptions s LEFT JOIN delivery_endpoints n
    ON n.tenant_id = s.tenant_id AND n.channel = 'webhook' AND n.endpoint = s.subscription
WHERE s.tenant_id = %(tenant)s AND s.deleted_at IS NULL
"""
_ONE = _ROW + b" AND s.subscription = %(subscription)s"
_PAGE = _ROW + (
    b" AND (s.created_at, s.subscription) > (%(created_at)s::timestamptz, %(after)s) ORDER BY s.created_at, s.subscription LIMIT %(limit)s"
)

_COUNT = b"SELECT count(*) AS n FROM subscriptions WHERE tenant_id = %(tenant)s AND deleted_at IS NULL"

_INSERT = b"""
INSERT INTO subscriptions (tenant_id, subscription, url_sealed, description, events, ordered, enabled, created_by)
VALUES (%(tenant)s, %(subscription)s, %(url)s, %(description)s, %(events)s, %(ordered)s, %(enabled)s, %(by)s)
ON CONFLICT DO NOTHING
"""

_UPDATE = b"""
UPDATE subscriptions SET url_sealed = %(url)s, description = %(description)s, events = %(events)s, ordered = %(ordered)s,
    enabled = %(enabled)s, updated_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s AND deleted_at IS NULL
"""

_CLEAR = b"""
UPDATE delivery_endpoints SET disabled_at = NULL, disabled_reason = NULL, throttled_until = NULL
WHERE tenant_id = %(tenant)s AND channel = 'webhook' AND endpoint = %(subscription)s
"""

_DELETE = b"""
UPDATE subscriptions SET deleted_at = clock_timestamp(), enabled = false
WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s AND deleted_at IS NULL
"""

_DISCARD = b"""
UPDATE deliveries SET state = 'discarded', reason = 'the webhook was deleted', settled_at = clock_timestamp(), next_attempt_at = NULL
WHERE tenant_id = %(tenant)s AND channel = 'webhook' AND endpoint = %(subscription)s AND state = 'pending'
"""

_END_SECRETS = b"""
UPDATE subscription_secrets SET expires_at = least(expires_at, clock_timestamp() + %(overlap_s)s * interval '1 second')
WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s
"""

_GENERATION = b"""
SELECT coalesce(max(generation), 0) + 1 AS generation FROM subscription_secrets
WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s
"""

_ADD_SECRET = b"""
INSERT INTO subscription_secrets (tenant_id, subscription, generation, sealed)
VALUES (%(tenant)s, %(subscription)s, %(generation)s, %(sealed)s)
"""

_FORGET_SECRETS = b"DELETE FROM subscription_secrets WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s"

_FORGET_EXPIRED = _FORGET_SECRETS + b" AND expires_at <= clock_timestamp()"

_SECRETS = b"""
SELECT generation, sealed FROM subscription_secrets
WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY generation DESC
"""

_LISTENERS = b"""
SELECT s.subscription, s.events, s.ordered FROM subscriptions s LEFT JOIN delivery_endpoints n
    ON n.tenant_id = s.tenant_id AND n.channel = 'webhook' AND n.endpoint = s.subscription
WHERE s.tenant_id = %(tenant)s AND s.deleted_at IS NULL AND s.enabled AND n.disabled_at IS NULL
ORDER BY s.created_at, s.subscription
"""


class PostgresSubscriptionStore:
    """Implements `SubscriptionStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def create(self, tenant: str, subscription: str, draft: SubscriptionDraft, *, secret: str, by: str) -> Subscription:
        """Make one; a repeated id is the same request again.

        Raises:
            Conflict: the tenant has as many as it may.
        """
        async with self._db.tenant(tenant) as tx:
            await tx.execute(relay_queries.ACTIVATE, {"tenant": tenant})
            count = await tx.row(_COUNT, {"tenant": tenant})
            if count is not None and count["n"] >= SUBSCRIPTIONS_MAX:
                raise Conflict(f"a tenant has at most {SUBSCRIPTIONS_MAX} webhooks: delete one first")
            if await tx.affected(_INSERT, {**self._fields(tenant, subscription, draft), "by": by}):
                await self._add_secret(tx, tenant, subscription, secret)
            return self._subscription(await _one(tx, tenant, subscription))

    async def get(self, tenant: str, subscription: str) -> Subscription:
        """Return one.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            return self._subscription(await _one(tx, tenant, subscription))

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Subscription]:
        """Return one page, oldest first.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        created_at, after = decode_cursor(cursor, 2) if cursor else ("-infinity", "")
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_PAGE, {"tenant": tenant, "created_at": created_at, "after": after, "limit": limit + 1})
        items = tuple(self._subscription(row) for row in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return Page(items=items, next_cursor=None if last is None else encode_cursor(last.created_at, last.subscription))

    async def update(self, tenant: str, subscription: str, draft: SubscriptionDraft) -> Subscription:
        """Say it anew.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            await tx.execute(_UPDATE, self._fields(tenant, subscription, draft))
            if draft.enabled:
                await tx.execute(_CLEAR, {"tenant": tenant, "subscription": subscription})
            return self._subscription(await _one(tx, tenant, subscription))

    async def delete(self, tenant: str, subscription: str) -> None:
        """Remove it.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        given = {"tenant": tenant, "subscription": subscription}
        async with self._db.tenant(tenant) as tx:
            if not await tx.affected(_DELETE, given):
                raise NotFound(f"there is no webhook {subscription}")
            await tx.execute(_FORGET_SECRETS, given)
            await tx.execute(_DISCARD, given)

    async def rotate(self, tenant: str, subscription: str, *, secret: str, overlap_s: float) -> Subscription:
        """Begin the next secret's time.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        given = {"tenant": tenant, "subscription": subscription}
        async with self._db.tenant(tenant) as tx:
            await tx.execute(
                b"SELECT 1 FROM subscriptions WHERE tenant_id = %(tenant)s AND subscription = %(subscription)s FOR UPDATE", given
            )
            await _one(tx, tenant, subscription)
            await tx.execute(_END_SECRETS, {**given, "overlap_s": overlap_s})
            await tx.execute(_FORGET_EXPIRED, given)
            await self._add_secret(tx, tenant, subscription, secret)
            return self._subscription(await _one(tx, tenant, subscription))

    async def target(self, tenant: str, subscription: str) -> Target | None:
        """Return where to send and what signs."""
        given = {"tenant": tenant, "subscription": subscription}
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(_ONE, given)
            secrets = await tx.rows(_SECRETS, given)
        if row is None:
            return None
        opened = [self._opened(tenant, _secret_place(subscription, one["generation"]), one["sealed"]) for one in secrets]
        return Target(url=self._subscription(row).url, secrets=tuple(opened))

    async def listeners(self, tenant: str) -> list[Listener]:
        """Return who is to hear."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(_LISTENERS, {"tenant": tenant})
        return [Listener(subscription=row["subscription"], events=tuple(row["events"]), ordered=row["ordered"]) for row in rows]

    def _fields(self, tenant: str, subscription: str, draft: SubscriptionDraft) -> dict[str, object]:
        return {
            "tenant": tenant,
            "subscription": subscription,
            "url": seal_text(self._cipher, tenant, _url_place(subscription), draft.url),
            "description": storable(draft.description),
            "events": list(draft.events),
            "ordered": draft.ordered,
            "enabled": draft.enabled,
        }

    async def _add_secret(self, tx: Transaction, tenant: str, subscription: str, secret: str) -> None:
        given = {"tenant": tenant, "subscription": subscription}
        row = await tx.row(_GENERATION, given)
        generation = 1 if row is None else int(row["generation"])
        sealed = seal_text(self._cipher, tenant, _secret_place(subscription, generation), secret)
        await tx.execute(_ADD_SECRET, {**given, "generation": generation, "sealed": sealed})

    def _opened(self, tenant: str, place: str, sealed: bytes) -> str:
        return cast("str", open_text(self._cipher, tenant, place, sealed))

    def _subscription(self, row: Row) -> Subscription:
        return Subscription(
            subscription=row["subscription"],
            url=self._opened(row["tenant_id"], _url_place(row["subscription"]), row["url_sealed"]),
            events=tuple(row["events"]),
            description=row["description"],
            ordered=row["ordered"],
            enabled=row["enabled"],
            created_by=row["created_by"],
            created_at=rfc3339(row["created_at"]),
            updated_at=rfc3339(row["updated_at"]),
            disabled_at=rfc3339_or_none(row["disabled_at"]),
            disabled_reason=row["disabled_reason"],
            throttled_until=rfc3339_or_none(row["throttled_until"]),
            delivered_at=rfc3339_or_none(row["delivered_at"]),
            failed_at=rfc3339_or_none(row["failed_at"]),
            old_secret_until=rfc3339_or_none(row["old_secret_until"]),
        )


def _url_place(subscription: str) -> str:
    return f"subscriptions/{subscription}"


def _secret_place(subscription: str, generation: int) -> str:
    return f"subscription_secrets/{subscription}/{generation}"


async def _one(tx: Transaction, tenant: str, subscription: str) -> Row:
    row = await tx.row(_ONE, {"tenant": tenant, "subscription": subscription})
    if row is None:
        raise NotFound(f"there is no webhook {subscription}")
    return row
