"""Relay and deliveries in memory, honest to the docstrings of their ports; tests/contracts runs one suite on them and on PostgreSQL."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain.deliveries import AttemptResult, DeliveryInput, DeliveryState, NewDelivery, Next, Outgoing
from domain.delivery_stores import ENDPOINT_IN_FLIGHT_MAX, RELAY_ENTRIES_MAX, Attempt, DeliveryFilter, DeliveryRow, Past, Unread
from domain.errors import NotFound
from domain.events import RelayEntry, delivery_id
from domain.ledger import EntryBody, StoredEntry
from domain.stores import Page, RunRow
from domain.subscriptions import Subscription
from tests.fakes_database import Key, MemoryDatabase, paged

Place = tuple[str, str, str]


@dataclass
class EndpointState:
    """What is known of an endpoint."""

    throttled_until: datetime | None = None
    disabled: str | None = None
    disabled_at: str | None = None


@dataclass
class DeliveryTables:
    """The rows that the three fakes share."""

    database: MemoryDatabase
    since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    leases: dict[str, tuple[int, str, datetime]] = field(default_factory=dict[str, tuple[int, str, datetime]])
    cursors: dict[Key, int] = field(default_factory=dict[Key, int])
    rows: dict[Key, DeliveryRow] = field(default_factory=dict[Key, DeliveryRow])
    ordered: set[Key] = field(default_factory=set[Key])
    started: dict[Key, int] = field(default_factory=dict[Key, int])
    log: dict[Key, list[Attempt]] = field(default_factory=dict[Key, list[Attempt]])
    endpoints: dict[Place, EndpointState] = field(default_factory=dict[Place, EndpointState])
    letters: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    subscriptions: dict[Key, Subscription] = field(default_factory=dict[Key, Subscription])
    secrets: dict[Key, list[tuple[str, datetime | None]]] = field(default_factory=dict[Key, list[tuple[str, datetime | None]]])

    def activate(self, tenant: str) -> None:
        """Begin to relay."""
        self.since.setdefault(tenant, self.database.time)

    def insert(self, tenant: str, deliveries: list[NewDelivery]) -> list[str]:
        """Write rows for those that have none."""
        new: list[str] = []
        for one in deliveries:
            identity = delivery_id(one.event.id, one.to.channel, one.to.endpoint)
            if (tenant, identity) in self.rows:
                continue
            new.append(identity)
            self.rows[tenant, identity] = DeliveryRow(
                delivery=identity,
                channel=one.to.channel,
                endpoint=one.to.endpoint,
                event=one.event,
                state=DeliveryState.PENDING,
                created_at=self.database.now(),
            )
            if one.to.ordered:
                self.ordered.add((tenant, identity))
            self.endpoint(tenant, one.to.channel, one.to.endpoint)
        return new

    def endpoint(self, tenant: str, channel: str, endpoint: str) -> EndpointState:
        """Return what is known of it."""
        return self.endpoints.setdefault((tenant, channel, endpoint), EndpointState())

    def row(self, tenant: str, delivery: str) -> DeliveryRow:
        """Return a row.

        Raises:
            NotFound: there is none.
        """
        if (tenant, delivery) not in self.rows:
            raise NotFound(f"there is no delivery {delivery}")
        return self.rows[tenant, delivery]

    def change(self, tenant: str, delivery: str, **changes: object) -> DeliveryRow:
        """Change a row."""
        self.rows[tenant, delivery] = self.row(tenant, delivery).model_copy(update=changes)
        return self.rows[tenant, delivery]

    def give_up(self, tenant: str, delivery: str, cause: str, reason: str) -> None:
        """Make it dead, with its dead letter."""
        self.change(tenant, delivery, state=DeliveryState.DEAD, reason=reason, next_attempt_at=None, settled_at=self.database.now())
        self.letters.append((delivery, cause))


class FakeRelay:
    """Implements `RelayStore`."""

    def __init__(self, tables: DeliveryTables, *, in_flight: int = ENDPOINT_IN_FLIGHT_MAX) -> None:
        self._tables = tables
        self._in_flight = in_flight

    async def activate(self, tenant: str) -> None:
        """Begin to relay."""
        self._tables.activate(tenant)

    async def waiting(self, tenant: str) -> bool:
        """Say whether there is anything to do."""
        if tenant not in self._tables.since:
            return False
        return any(self._behind(tenant)) or any(self._unstarted(tenant))

    def _behind(self, tenant: str) -> list[tuple[str, int, int]]:
        runs = sorted((run, row.head_seq) for (owner, run), row in self._tables.database.runs.items() if owner == tenant)
        read = self._tables.cursors
        return [(run, read.get((tenant, run), 0), head) for run, head in runs if head > read.get((tenant, run), 0)]

    def _unstarted(self, tenant: str) -> list[DeliveryRow]:
        rows = [row for (owner, _), row in self._tables.rows.items() if owner == tenant and row.state is DeliveryState.PENDING]
        return [row for row in rows if self._tables.started.get((tenant, row.delivery), 0) < row.round]

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the lease."""
        if tenant not in self._tables.since:
            return None
        now = self._tables.database.time
        epoch, owner, until = self._tables.leases.get(tenant, (0, "", now))
        if owner != holder and until > now:
            return None
        epoch += owner != holder
        self._tables.leases[tenant] = (epoch, holder, now + timedelta(seconds=lease_s))
        return epoch

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Let the lease end now."""
        held, owner, _ = self._tables.leases.get(tenant, (0, "", self._tables.database.time))
        if held == epoch:
            self._tables.leases[tenant] = (held, owner, self._tables.database.time)

    async def unread(self, tenant: str, *, limit: int = RELAY_ENTRIES_MAX) -> Unread:
        """Return what lies between cursors and heads."""
        since, found = self._tables.since[tenant], list[RelayEntry]()
        cursors: dict[str, int] = {}
        behind = self._behind(tenant)
        for run, seq, head in behind[:limit]:
            row = self._tables.database.runs[tenant, run]
            for stored in self._tables.database.entries[tenant, run][seq:head]:
                recorded = datetime.fromtimestamp(stored.recorded_at_us / 1_000_000, tz=since.tzinfo)
                if recorded <= since:
                    continue
                found.append(entry_of(row, stored))
                if len(found) == limit:
                    cursors[run] = stored.seq
                    return Unread(entries=tuple(found), cursors=cursors, more=True)
            cursors[run] = head
        return Unread(entries=tuple(found), cursors=cursors, more=len(behind) >= limit)

    async def relay(self, tenant: str, *, epoch: int, lease_s: float, deliveries: list[NewDelivery], cursors: dict[str, int]) -> bool:
        """Write deliveries and cursors, or nothing."""
        held, owner, _ = self._tables.leases.get(tenant, (0, "", self._tables.database.time))
        if held != epoch:
            return False
        self._tables.leases[tenant] = (held, owner, self._tables.database.time + timedelta(seconds=lease_s))
        self._tables.insert(tenant, deliveries)
        for run, seq in cursors.items():
            self._tables.cursors[tenant, run] = max(seq, self._tables.cursors.get((tenant, run), 0))
        return True

    async def startable(self, tenant: str, *, limit: int) -> list[DeliveryInput]:
        """Return what may start now."""
        free: dict[Place, int] = {}
        chosen: list[DeliveryRow] = []
        for row in sorted(self._unstarted(tenant), key=lambda each: (each.created_at, each.event.seq)):
            place = (tenant, row.channel, row.endpoint)
            until = self._tables.endpoint(*place).throttled_until
            if (until is not None and until > self._tables.database.time) or self._behind_another(tenant, row):
                continue
            left = free.setdefault(place, self._in_flight - self._due(place))
            if left > 0:
                free[place] = left - 1
                chosen.append(row)
        return [
            DeliveryInput(tenant=tenant, delivery=row.delivery, channel=row.channel, endpoint=row.endpoint, round=row.round)
            for row in chosen[:limit]
        ]

    def _behind_another(self, tenant: str, row: DeliveryRow) -> bool:
        if (tenant, row.delivery) not in self._tables.ordered:
            return False
        mine = (row.event.seq, row.event.id)
        lane = (row.channel, row.endpoint, row.event.run)
        return any(
            other.state is DeliveryState.PENDING
            and (other.channel, other.endpoint, other.event.run) == lane
            and (other.event.seq, other.event.id) < mine
            for (owner, _), other in self._tables.rows.items()
            if owner == tenant
        )

    def _due(self, place: Place) -> int:
        now = self._tables.database.now()
        return sum(
            row.state is DeliveryState.PENDING
            and self._tables.started.get((owner, row.delivery)) == row.round
            and (row.next_attempt_at is None or row.next_attempt_at <= now)
            for (owner, _), row in self._tables.rows.items()
            if (owner, row.channel, row.endpoint) == place
        )

    async def started(self, tenant: str, deliveries: list[DeliveryInput]) -> None:
        """Remember their workflows."""
        for one in deliveries:
            self._tables.started[tenant, one.delivery] = one.round

    async def overdue(self, tenant: str, *, after: str, seconds: float, limit: int) -> list[DeliveryInput]:
        """Return what should have been tried by now."""
        end = text_of(self._tables.database.time - timedelta(seconds=seconds))
        found: list[DeliveryInput] = []
        for (owner, delivery), row in sorted(self._tables.rows.items()):
            until = self._tables.endpoint(owner, row.channel, row.endpoint).throttled_until
            latest = max(row.next_attempt_at or "", row.created_at, "" if until is None else text_of(until))
            started = self._tables.started.get((owner, delivery)) == row.round
            if owner == tenant and delivery > after and row.state is DeliveryState.PENDING and started and latest < end:
                place = {"channel": row.channel, "endpoint": row.endpoint, "round": row.round, "attempt": row.attempts + 1}
                found.append(DeliveryInput.model_validate({**place, "tenant": tenant, "delivery": delivery}))
        return found[:limit]

    async def forget(self, tenant: str, *, days: float) -> int:
        """Remove what is over since so long."""
        end = text_of(self._tables.database.time - timedelta(days=days))
        over = [
            place
            for place, row in self._tables.rows.items()
            if place[0] == tenant
            and row.state in (DeliveryState.DELIVERED, DeliveryState.DISCARDED)
            and row.settled_at is not None
            and row.settled_at < end
        ]
        for place in over:
            del self._tables.rows[place]
            self._tables.log.pop(place, None)
        return len(over)


class FakeDeliveryStore:
    """Implements `DeliveryStore`."""

    def __init__(self, tables: DeliveryTables) -> None:
        self._tables = tables

    async def begin(self, tenant: str, delivery: str, *, round_: int, attempt: int) -> Outgoing | AttemptResult | DeliveryState:
        """Write down that an attempt begins."""
        row = self._tables.row(tenant, delivery)
        if row.round != round_:
            return DeliveryState.DISCARDED
        if row.state is not DeliveryState.PENDING:
            return row.state
        known = self._tables.endpoint(tenant, row.channel, row.endpoint)
        if known.disabled is not None:
            self._tables.give_up(tenant, delivery, "endpoint-disabled", known.disabled)
            return DeliveryState.DEAD
        now = self._tables.database.time
        if known.throttled_until is not None and known.throttled_until > now:
            self._tables.change(tenant, delivery, next_attempt_at=text_of(known.throttled_until))
            pause = (known.throttled_until - now).total_seconds()
            return AttemptResult(outcome="busy", detail="the endpoint asked for a pause", retry_after_s=pause)
        log = self._tables.log.setdefault((tenant, delivery), [])
        log.append(Attempt(round=round_, attempt=attempt, started_at=self._tables.database.now(), outcome="open"))
        return Outgoing(
            tenant=tenant,
            delivery=delivery,
            channel=row.channel,
            endpoint=row.endpoint,
            event=row.event,
            round=round_,
            attempt=attempt,
            at=self._tables.database.now(),
        )

    async def settle(self, sent: Outgoing, result: AttemptResult, then: Next) -> None:
        """Write down what came of an attempt."""
        row, log = self._tables.row(sent.tenant, sent.delivery), self._tables.log[sent.tenant, sent.delivery]
        place = max(n for n, line in enumerate(log) if (line.round, line.attempt) == (sent.round, sent.attempt))
        told = result.model_dump(include={"outcome", "status", "detail", "duration_ms"})
        log[place] = log[place].model_copy(update=told)
        known = self._tables.endpoint(sent.tenant, sent.channel, sent.endpoint)
        if then.throttle_s:
            known.throttled_until = self._tables.database.time + timedelta(seconds=then.throttle_s)
        if then.disable:
            known.disabled, known.disabled_at = result.detail, self._tables.database.now()
        if row.round != sent.round or row.state is not DeliveryState.PENDING:
            return
        tried = row.attempts + (result.outcome != "busy")
        if then.state is DeliveryState.DEAD:
            cause = {"gone": "endpoint-gone", "refused": "delivery-refused"}.get(result.outcome, "delivery-failed")
            self._tables.give_up(sent.tenant, sent.delivery, cause, result.detail)
            self._tables.change(sent.tenant, sent.delivery, attempts=tried)
            return
        pending = then.state is DeliveryState.PENDING
        self._tables.change(
            sent.tenant,
            sent.delivery,
            state=then.state,
            attempts=tried,
            reason=result.detail if pending else "",
            next_attempt_at=text_of(self._tables.database.time + timedelta(seconds=then.pause_s)) if pending else None,
            settled_at=None if pending else self._tables.database.now(),
        )

    async def add(self, tenant: str, deliveries: list[NewDelivery]) -> list[str]:
        """Write deliveries that the relay did not make."""
        self._tables.activate(tenant)
        return self._tables.insert(tenant, deliveries)

    async def replay(self, tenant: str, deliveries: list[NewDelivery]) -> int:
        """Write them, or begin a new round of those that are settled."""
        new = await self.add(tenant, deliveries)
        ids = [delivery_id(one.event.id, one.to.channel, one.to.endpoint) for one in deliveries]
        settled = [one for one in ids if self._tables.row(tenant, one).state is not DeliveryState.PENDING]
        for one in settled:
            await self.redeliver(tenant, one)
        return len(new) + len(settled)

    async def get(self, tenant: str, delivery: str) -> tuple[DeliveryRow, tuple[Attempt, ...]]:
        """Return a delivery with its log."""
        return self._tables.row(tenant, delivery), tuple(self._tables.log.get((tenant, delivery), []))

    async def page(self, tenant: str, channel: str, endpoint: str, where: DeliveryFilter) -> Page[DeliveryRow]:
        """Return one page, newest first."""
        rows = [
            row
            for (owner, _), row in self._tables.rows.items()
            if (owner, row.channel, row.endpoint) == (tenant, channel, endpoint)
            and where.state in (None, row.state)
            and where.type in (None, row.event.type)
            and where.run in (None, row.event.run)
        ]
        return paged(rows, key=lambda row: (row.created_at, row.delivery), limit=where.limit, cursor=where.cursor, newest_first=True)

    async def redeliver(self, tenant: str, delivery: str) -> DeliveryRow:
        """Begin a new round."""
        row = self._tables.row(tenant, delivery)
        self._tables.letters = [one for one in self._tables.letters if one[0] != delivery]
        fresh = {"reason": "", "attempts": 0, "next_attempt_at": None, "settled_at": None}
        return self._tables.change(tenant, delivery, state=DeliveryState.PENDING, round=row.round + 1, **fresh)


def text_of(instant: datetime) -> str:
    """Return RFC 3339 UTC."""
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def entry_of(row: RunRow, stored: StoredEntry) -> RelayEntry:
    """Return an entry as the relay reads it."""
    return RelayEntry(
        tenant=row.tenant,
        run=row.run,
        seq=stored.seq,
        hash=stored.hash.hex(),
        recorded_at=text_of(datetime.fromtimestamp(stored.recorded_at_us / 1_000_000, tz=UTC)),
        definition=row.definition,
        version=row.version,
        body=EntryBody.model_validate(json.loads(stored.body)),
    )


class FakeLedgerPast:
    """Implements `LedgerPast`; every entry counts as sealed, in the order of its recording."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def _entries(self, tenant: str) -> list[StoredEntry]:
        found = [entry for (owner, _), chain in self._database.entries.items() if owner == tenant for entry in chain]
        return sorted(found, key=lambda entry: entry.recorded_at_us)

    async def from_position(self, tenant: str, position: int, *, limit: int) -> Past:
        """Return entries in the order of the log."""
        listed = self._entries(tenant)[position : position + limit]
        return self._past(listed, limit, position)

    async def of_run(self, tenant: str, run: str, sequence: int, *, limit: int) -> Past:
        """Return a run's entries."""
        self._database.run(tenant, run)
        listed = self._database.entries[tenant, run][sequence - 1 : sequence - 1 + limit]
        return self._past(listed, limit, sequence)

    def _past(self, listed: list[StoredEntry], limit: int, first: int) -> Past:
        entries = tuple(entry_of(self._database.runs[entry.tenant, entry.run], entry) for entry in listed)
        return Past(entries=entries, next=first + limit if len(listed) == limit else None)
