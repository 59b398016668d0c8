"""The storage ports of deliveries: the relay that makes them from ledger entries, and the rows that attempts are written to. Pure.

The relay follows chain heads, never a sequence or id (JOURNAL §4): a run's chain is gapless up to its head, so what lies between the
run's cursor and its head is what is to be told.
"""

from typing import Protocol

from domain.deliveries import AttemptResult, DeliveryInput, DeliveryState, NewDelivery, Next, Outgoing
from domain.events import Event, RelayEntry
from domain.model import Value
from domain.stores import Page

RELAY_ENTRIES_MAX = 500
"""Most entries of one transaction of the relay."""

ENDPOINT_IN_FLIGHT_MAX = 32
"""Most deliveries of one endpoint that are started and due at once; the others wait in their table."""


class Unread(Value):
    """Entries nobody was told of yet, by run and sequence. `cursors` is how far each run is read with them; `more` follows at once."""

    entries: tuple[RelayEntry, ...]
    cursors: dict[str, int]
    more: bool


class RelayStore(Protocol):
    """Reads what is new in a tenant's ledgers and writes deliveries, under a lease whose epoch fences its transactions."""

    async def activate(self, tenant: str) -> None:
        """Begin to relay a tenant's ledgers: from now on, or on as before. Nothing is relayed for a tenant before this."""
        ...

    async def waiting(self, tenant: str) -> bool:
        """Whether entries are to be read, or deliveries to be started."""
        ...

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the tenant's lease; return its epoch, or None while another holder's lease lives or the tenant is not active."""
        ...

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Give the lease back, if it is still that epoch's."""
        ...

    async def unread(self, tenant: str, *, limit: int = RELAY_ENTRIES_MAX) -> Unread:
        """Return entries between the runs' cursors and their heads; those from before the activation are passed over."""
        ...

    async def relay(self, tenant: str, *, epoch: int, lease_s: float, deliveries: list[NewDelivery], cursors: dict[str, int]) -> bool:
        """Write deliveries and cursors in one transaction; False, and nothing written, when another epoch has begun."""
        ...

    async def startable(self, tenant: str, *, limit: int) -> list[DeliveryInput]:
        """Return deliveries to start now, oldest first: not more of an endpoint than may be in flight, of an ordered run only the first."""
        ...

    async def started(self, tenant: str, deliveries: list[DeliveryInput]) -> None:
        """Remember that their workflows exist."""
        ...

    async def overdue(self, tenant: str, *, after: str, seconds: float, limit: int) -> list[DeliveryInput]:
        """Return deliveries whose workflow exists and whose next attempt is overdue for so long, by id from `after` on.

        Each with the attempt that comes next: its workflow may have been ended from outside, or be waiting for a worker.
        """
        ...

    async def forget(self, tenant: str, *, days: float) -> int:
        """Remove deliveries, with their logs, delivered or discarded so long ago; dead ones stay. Return how many, 1,000 at most."""
        ...


class Past(Value):
    """Entries to be told again. `next` is where the next portion begins, None at the end."""

    entries: tuple[RelayEntry, ...]
    next: int | None = None


class LedgerPast(Protocol):
    """Reads what the ledgers said before, for replays."""

    async def from_position(self, tenant: str, position: int, *, limit: int) -> Past:
        """Return entries in the order of the tenant's sealed log, from a leaf index on (0 is the first)."""
        ...

    async def of_run(self, tenant: str, run: str, sequence: int, *, limit: int) -> Past:
        """Return a run's entries from a sequence on (1 is the first). Raises: NotFound."""
        ...


class Attempt(Value):
    """One line of a delivery's log. `outcome` is `open` while it runs, or for ever when its worker was lost."""

    round: int
    attempt: int
    started_at: str
    outcome: str
    status: int | None = None
    detail: str = ""
    duration_ms: int = 0


class DeliveryRow(Value):
    """A delivery as its row says; times are RFC 3339 UTC."""

    delivery: str
    channel: str
    endpoint: str
    event: Event
    state: DeliveryState
    reason: str = ""
    round: int = 1
    attempts: int = 0
    created_at: str
    next_attempt_at: str | None = None
    settled_at: str | None = None


class DeliveryFilter(Value):
    """Which deliveries of an endpoint to list, newest first."""

    state: DeliveryState | None = None
    type: str | None = None
    run: str | None = None
    limit: int = 50
    cursor: str | None = None


class DeliveryStore(Protocol):
    """The rows of deliveries."""

    async def begin(self, tenant: str, delivery: str, *, round_: int, attempt: int) -> Outgoing | AttemptResult | DeliveryState:
        """Write down that an attempt begins.

        Returns:
            What to send; or a `busy` result while the endpoint is throttled; or the state that ends the round: the delivery is settled, a
            newer round has begun, or the endpoint was disabled (it is dead then, with its dead letter).

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        ...

    async def settle(self, sent: Outgoing, result: AttemptResult, then: Next) -> None:
        """Write down what came of an attempt, and what follows for delivery and endpoint: a dead one gets its dead letter with it."""
        ...

    async def add(self, tenant: str, deliveries: list[NewDelivery]) -> list[str]:
        """Write deliveries that the relay did not make; return the ids of those that are new."""
        ...

    async def replay(self, tenant: str, deliveries: list[NewDelivery]) -> int:
        """Write deliveries, and begin a new round of those that exist and are settled; return how many go out."""
        ...

    async def get(self, tenant: str, delivery: str) -> tuple[DeliveryRow, tuple[Attempt, ...]]:
        """Return a delivery with its log, oldest attempt first. Raises: NotFound."""
        ...

    async def page(self, tenant: str, channel: str, endpoint: str, where: DeliveryFilter) -> Page[DeliveryRow]:
        """Return one page. Raises: BadRequest for a cursor that is none."""
        ...

    async def redeliver(self, tenant: str, delivery: str) -> DeliveryRow:
        """Begin a new round, at once, whatever became of the last. Raises: NotFound."""
        ...
