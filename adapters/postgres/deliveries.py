"""The rows of deliveries: what an attempt finds, what it leaves, and the delivery log."""

from psycopg.types.numeric import Int4

from adapters.postgres import relay_queries as sql
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.relay import insert_deliveries
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339, rfc3339_or_none, storable
from domain.deliveries import DETAIL_CHARS_MAX, AttemptResult, DeliveryState, NewDelivery, Next, Outgoing
from domain.delivery_stores import Attempt, DeliveryFilter, DeliveryRow
from domain.errors import NotFound
from domain.events import Event, delivery_id
from domain.stores import Page

CAUSES = {"gone": "endpoint-gone", "refused": "delivery-refused"}
"""Causes of dead letters by the last attempt's outcome; any other is a delivery whose schedule is over."""

FAILED, DISABLED = "delivery-failed", "endpoint-disabled"


class PostgresDeliveryStore:
    """Implements `DeliveryStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, tenant: str, delivery: str, *, round_: int, attempt: int) -> Outgoing | AttemptResult | DeliveryState:
        """Write down that an attempt begins.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        given = {"tenant": tenant, "delivery": delivery, "round": Int4(round_), "attempt": Int4(attempt)}
        async with self._db.tenant(tenant) as tx:
            row = await _locked(tx, tenant, delivery)
            state = DeliveryState(row["state"])
            if row["round"] != round_:
                return DeliveryState.DISCARDED
            if state is not DeliveryState.PENDING:
                return state
            if row["disabled_at"] is not None:
                await _give_up(tx, tenant, delivery, DISABLED, row["disabled_reason"] or "the endpoint is disabled")
                return DeliveryState.DEAD
            if (row["throttled_s"] or 0.0) > 0:
                later = {
                    "tenant": tenant,
                    "delivery": delivery,
                    "state": "pending",
                    "reason": "",
                    "tried": 0,
                    "pause_s": row["throttled_s"],
                }
                await tx.execute(sql.SETTLE, later)
                return AttemptResult(outcome="busy", detail="the endpoint asked for a pause", retry_after_s=row["throttled_s"])
            await tx.execute(sql.BEGIN_ATTEMPT, given)
        return Outgoing(
            tenant=tenant,
            delivery=delivery,
            channel=row["channel"],
            endpoint=row["endpoint"],
            event=Event.model_validate_json(row["document"]),
            round=round_,
            attempt=attempt,
            at=rfc3339(row["now"]),
        )

    async def settle(self, sent: Outgoing, result: AttemptResult, then: Next) -> None:
        """Write down what came of an attempt; a round that is over keeps its log and changes nothing else."""
        detail = storable(result.detail)[:DETAIL_CHARS_MAX]
        ended = {
            "tenant": sent.tenant,
            "delivery": sent.delivery,
            "round": Int4(sent.round),
            "attempt": Int4(sent.attempt),
            "outcome": result.outcome,
            "status": result.status,
            "detail": detail,
            "duration_ms": Int4(result.duration_ms),
        }
        async with self._db.tenant(sent.tenant) as tx:
            row = await _locked(tx, sent.tenant, sent.delivery)
            await tx.execute(sql.END_ATTEMPT, ended)
            await _note_endpoint(tx, sent, result, then, detail)
            if row["round"] != sent.round or row["state"] != DeliveryState.PENDING:
                return
            settled = {
                "tenant": sent.tenant,
                "delivery": sent.delivery,
                "state": then.state.value,
                "reason": "" if then.state is DeliveryState.DELIVERED else detail,
                "tried": 0 if result.outcome == "busy" else 1,
                "pause_s": then.pause_s,
            }
            await tx.execute(sql.SETTLE, settled)
            if then.state is DeliveryState.DEAD:
                cause = CAUSES.get(result.outcome, FAILED)
                letter = {"tenant": sent.tenant, "delivery": sent.delivery, "cause": cause, "detail": detail}
                await tx.execute(sql.DEAD_LETTER, letter)

    async def add(self, tenant: str, deliveries: list[NewDelivery]) -> list[str]:
        """Write deliveries that the relay did not make."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.ACTIVATE, {"tenant": tenant})
            return await insert_deliveries(tx, tenant, deliveries)

    async def replay(self, tenant: str, deliveries: list[NewDelivery]) -> int:
        """Write them, or begin a new round of those that are settled."""
        ids = [delivery_id(one.event.id, one.to.channel, one.to.endpoint) for one in deliveries]
        async with self._db.tenant(tenant) as tx:
            await tx.execute(sql.ACTIVATE, {"tenant": tenant})
            new = await insert_deliveries(tx, tenant, deliveries)
            again = await tx.rows(sql.REPLAY, {"tenant": tenant, "ids": ids})
            await tx.execute(sql.CLOSE_MANY, {"tenant": tenant, "ids": [row["delivery"] for row in again]})
        return len(new) + len(again)

    async def get(self, tenant: str, delivery: str) -> tuple[DeliveryRow, tuple[Attempt, ...]]:
        """Return a delivery with its log.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        given = {"tenant": tenant, "delivery": delivery}
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.DELIVERY, given)
            if row is None:
                raise NotFound(f"there is no delivery {delivery}")
            lines = await tx.rows(sql.ATTEMPTS, given)
        return delivery_row(row), tuple(_attempt(line) for line in lines)

    async def page(self, tenant: str, channel: str, endpoint: str, where: DeliveryFilter) -> Page[DeliveryRow]:
        """Return one page, newest first.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        created_at, before = decode_cursor(where.cursor, 2) if where.cursor else ("infinity", "")
        given = {
            "tenant": tenant,
            "channel": channel,
            "endpoint": endpoint,
            "state": None if where.state is None else where.state.value,
            "type": where.type,
            "run": where.run,
            "created_at": created_at,
            "before": before,
            "limit": where.limit + 1,
        }
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.PAGE, given)
        items = tuple(delivery_row(row) for row in rows[: where.limit])
        last = items[-1] if len(rows) > where.limit else None
        return Page(items=items, next_cursor=None if last is None else encode_cursor(last.created_at, last.delivery))

    async def redeliver(self, tenant: str, delivery: str) -> DeliveryRow:
        """Begin a new round; its dead letters are closed.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        given = {"tenant": tenant, "delivery": delivery}
        async with self._db.tenant(tenant) as tx:
            await _locked(tx, tenant, delivery)
            row = await tx.row(sql.REDELIVER, given)
            await tx.execute(sql.CLOSE_LETTERS, given)
        if row is None:
            raise NotFound(f"there is no delivery {delivery}")
        return delivery_row(row)


async def _locked(tx: Transaction, tenant: str, delivery: str) -> Row:
    """Return the row, locked, with what is known of its endpoint.

    Raises:
        NotFound: there is none of that id in the tenant.
    """
    row = await tx.row(sql.LOCK_DELIVERY, {"tenant": tenant, "delivery": delivery})
    if row is None:
        raise NotFound(f"there is no delivery {delivery}")
    return row


async def _give_up(tx: Transaction, tenant: str, delivery: str, cause: str, detail: str) -> None:
    given = {"tenant": tenant, "delivery": delivery, "state": DeliveryState.DEAD.value, "reason": detail, "tried": 0, "pause_s": 0.0}
    await tx.execute(sql.SETTLE, given)
    await tx.execute(sql.DEAD_LETTER, {"tenant": tenant, "delivery": delivery, "cause": cause, "detail": detail})


async def _note_endpoint(tx: Transaction, sent: Outgoing, result: AttemptResult, then: Next, detail: str) -> None:
    if result.outcome == "busy":
        return
    given = {
        "tenant": sent.tenant,
        "channel": sent.channel,
        "endpoint": sent.endpoint,
        "throttle_s": then.throttle_s,
        "disable": then.disable,
        "reason": detail,
        "delivered": result.outcome == "sent",
    }
    await tx.execute(sql.NOTE_ENDPOINT, given)


def delivery_row(row: Row) -> DeliveryRow:
    """Return a row as the domain's value."""
    return DeliveryRow(
        delivery=row["delivery"],
        channel=row["channel"],
        endpoint=row["endpoint"],
        event=Event.model_validate_json(row["document"]),
        state=DeliveryState(row["state"]),
        reason=row["reason"],
        round=row["round"],
        attempts=row["attempts"],
        created_at=rfc3339(row["created_at"]),
        next_attempt_at=rfc3339_or_none(row["next_attempt_at"]),
        settled_at=rfc3339_or_none(row["settled_at"]),
    )


def _attempt(row: Row) -> Attempt:
    return Attempt(
        round=row["round"],
        attempt=row["attempt"],
        started_at=rfc3339(row["started_at"]),
        outcome=row["outcome"],
        status=row["status"],
        detail=row["detail"],
        duration_ms=row["duration_ms"],
    )
