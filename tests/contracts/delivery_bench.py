"""What the suites of deliveries need: a tenant with runs that grow, its relay, its deliveries and its subscriptions."""

import secrets
from typing import Protocol

from adapters.codec.head_keys import DerivedHeadKeys
from adapters.postgres.deliveries import PostgresDeliveryStore
from adapters.postgres.pool import Database
from adapters.postgres.relay import PostgresLedgerPast, PostgresRelay
from adapters.postgres.runs import PostgresRunStore
from adapters.postgres.sealer import PostgresSealer
from adapters.postgres.subscriptions import PostgresSubscriptionStore
from domain.deliveries import NewDelivery, Recipient
from domain.delivery_stores import DeliveryStore, LedgerPast, RelayStore
from domain.events import Event, events_of
from domain.ids import format_id
from domain.ledger import EntryBody, Kind
from domain.subscriptions import SubscriptionDraft, SubscriptionStore
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT
from tests.contracts.postgres_bench import new_run
from tests.contracts.sealing_bench import MASTER, run_id
from tests.fakes_database import MemoryDatabase
from tests.fakes_deliveries import DeliveryTables, FakeDeliveryStore, FakeLedgerPast, FakeRelay
from tests.fakes_runs import FakeRunStore
from tests.fakes_subscriptions import FakeSubscriptionStore

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DRAFT = SubscriptionDraft(url="https://hooks.example/in?token=s3cret", events=("run.*",), description="ours")
IN_FLIGHT = 3


def fresh_id(prefix: str) -> str:
    """Return a random id."""
    return format_id(prefix, secrets.token_bytes(16))


class DeliveryBench(Protocol):
    """A tenant without runs. `in_flight` of its relay is IN_FLIGHT."""

    tenant: str

    @property
    def relay(self) -> RelayStore:
        """The relay under test."""
        ...

    @property
    def deliveries(self) -> DeliveryStore:
        """The deliveries under test."""
        ...

    @property
    def subscriptions(self) -> SubscriptionStore:
        """The subscriptions under test."""
        ...

    @property
    def past(self) -> LedgerPast:
        """The past under test."""
        ...

    async def seal(self) -> None:
        """Seal what was appended."""
        ...

    async def end_overlap(self) -> None:
        """Let an hour pass for secrets."""
        ...

    async def accept(self, number: int) -> None:
        """Accept a run; it has one entry then."""
        ...

    async def append(self, number: int, entries: int = 1) -> None:
        """Append entries to a run."""
        ...

    async def dead_letters(self) -> list[tuple[str, str]]:
        """Return (delivery, cause) of each open dead letter."""
        ...


class PostgresDeliveryBench:
    """On PostgreSQL."""

    def __init__(self, db: Database, tenant: str) -> None:
        self.tenant, self.db = tenant, db
        self.relay = PostgresRelay(db, in_flight=IN_FLIGHT)
        self.deliveries = PostgresDeliveryStore(db)
        self.subscriptions = PostgresSubscriptionStore(db, XorCipher())
        self.past = PostgresLedgerPast(db)
        self._runs = PostgresRunStore(db, XorCipher())

    async def seal(self) -> None:
        """Seal what was appended."""
        sealer = PostgresSealer(self.db, DerivedHeadKeys(MASTER))
        epoch = await sealer.claim(self.tenant, holder="s", lease_s=60)
        assert epoch is not None
        await sealer.seal(self.tenant, epoch=epoch, lease_s=60)

    async def end_overlap(self) -> None:
        """Move the ends of secrets instead of the clock."""
        async with self.db.tenant(self.tenant) as tx:
            await tx.execute("UPDATE subscription_secrets SET expires_at = expires_at - interval '1 hour'")

    async def accept(self, number: int) -> None:
        """Accept a run."""
        await self._runs.accept(new_run(self.tenant, run_id(number)))

    async def append(self, number: int, entries: int = 1) -> None:
        """Append entries to a run."""
        for _ in range(entries):
            await self._runs.append_entry(
                self.tenant, run_id(number), kind=Kind.RUN_CANCEL_REQUESTED, principal="prn_a", at=AT, data={"reason": ""}
            )

    async def dead_letters(self) -> list[tuple[str, str]]:
        """Return (delivery, cause) of each open dead letter."""
        async with self.db.tenant(self.tenant) as tx:
            rows = await tx.rows("SELECT subject, cause FROM dead_letters WHERE kind = 'delivery' AND state = 'open'")
        return [(row["subject"], row["cause"]) for row in rows]


class FakeDeliveryBench:
    """On the fakes."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.tables = DeliveryTables(MemoryDatabase())
        self.relay = FakeRelay(self.tables, in_flight=IN_FLIGHT)
        self.deliveries = FakeDeliveryStore(self.tables)
        self.subscriptions = FakeSubscriptionStore(self.tables)
        self.past = FakeLedgerPast(self.tables.database)

    async def seal(self) -> None:
        """Every entry counts as sealed."""

    async def end_overlap(self) -> None:
        """Move the clock."""
        self.tables.database.pass_time(seconds=3600)

    async def accept(self, number: int) -> None:
        """Accept a run."""
        await FakeRunStore(self.tables.database).accept(new_run(self.tenant, run_id(number)))

    async def append(self, number: int, entries: int = 1) -> None:
        """Append entries to a run."""
        for _ in range(entries):
            body = EntryBody(kind=Kind.RUN_CANCEL_REQUESTED, at=AT, principal="prn_a", correlation_id="c", epoch=0)
            self.tables.database.append(self.tenant, run_id(number), body)

    async def dead_letters(self) -> list[tuple[str, str]]:
        """Return (delivery, cause) of each open dead letter."""
        return self.tables.letters


async def relay_all(bench: DeliveryBench, *, endpoint: str = "whk_a", ordered: bool = False, limit: int = 100) -> list[Event]:
    """Relay everything that is unread to one endpoint; return the events."""
    epoch = await bench.relay.claim(bench.tenant, holder="relay", lease_s=60.0)
    assert epoch is not None
    told: list[Event] = []
    more = True
    while more:
        unread = await bench.relay.unread(bench.tenant, limit=limit)
        events = [events_of(entry)[0] for entry in unread.entries]
        to = Recipient(channel="webhook", endpoint=endpoint, ordered=ordered)
        new = [NewDelivery(event=event, to=to) for event in events]
        assert await bench.relay.relay(bench.tenant, epoch=epoch, lease_s=60.0, deliveries=new, cursors=unread.cursors)
        told += events
        more = unread.more
    return told
