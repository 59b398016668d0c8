"""Deliveries: one event on its way to one endpoint, the pauses between its attempts, and what follows from each attempt's result. Pure.

A delivery names its channel (`webhook`, `email`, `slack`, …) and an endpoint in that channel's own words; who brings it there implements
`Channel`. The schedule is the one that Standard Webhooks recommends.
"""

from enum import StrEnum
from typing import Literal, Protocol

from domain.events import Event
from domain.model import Value, Wire

WEBHOOK = "webhook"
"""The channel of subscriptions; its endpoint is the subscription's id."""

DELIVERY_WORKFLOW = "standfast.delivery.v1"

_HOUR = 3600.0
PAUSES_S = (0.0, 5.0, 300.0, 1800.0, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""Seconds before each attempt, counted from the end of the one before (Standard Webhooks 1.0, "Deliverability")."""

JITTER = 0.1
"""Each pause is up to this share shorter or longer, so that what failed together does not come back together."""

THROTTLE_S = 30.0
"""How long an endpoint that says it has too much to do is left alone when it does not say for how long."""

RETRY_AFTER_S_MAX = 24 * _HOUR
"""Longest pause that an endpoint may ask for."""

BUSY_S, BUSY_S_MAX = 1.0, 60.0
"""First and longest pause of a delivery whose endpoint has all its places taken; each next one is twice as long."""

DETAIL_CHARS_MAX = 500


class DeliveryState(StrEnum):
    """The only list. `dead` has its dead letter; `discarded` was taken back: its subscription was deleted, or a person said so."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISCARDED = "discarded"


class Outgoing(Value):
    """What a channel is given: the event, and which attempt of which round this is, both counted from 1.

    A redelivery begins a new round of the same delivery: the event's id stays. `at` is the attempt's time, RFC 3339 UTC.
    """

    tenant: str
    delivery: str
    channel: str
    endpoint: str
    event: Event
    round: int = 1
    attempt: int = 1
    at: str


class AttemptResult(Value):
    """What came of an attempt.

    Attributes:
        outcome: `sent`; `failed`, try again; `throttled`, the endpoint has too much to do, so that every delivery to it waits; `gone`, the
            endpoint wants nothing any more; `refused`, no attempt will ever do; `busy`, nothing was tried, and no attempt is counted.
        status: HTTP status or the like, None without an answer.
        detail: A sentence for the delivery log; never a secret.
        retry_after_s: The pause the endpoint asks for.
        duration_ms: How long it took.
    """

    outcome: Literal["sent", "failed", "throttled", "gone", "refused", "busy"]
    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None
    duration_ms: int = 0


class Channel(Protocol):
    """Brings deliveries to the endpoints of one kind; entry-point group `standfast.channels`."""

    @property
    def kind(self) -> str:
        """The channel's name in delivery rows."""
        ...

    async def send(self, endpoint: str, delivery: Outgoing) -> AttemptResult:
        """Make one attempt, within 30 seconds. An expected failure is a result; an error means a fault of ours, and is tried again.

        The same delivery may come again after a crash: the receiver tells by the event's id.
        """
        ...

    async def aclose(self) -> None:
        """Give up its connections."""
        ...


class Schedule(Wire):
    """Pauses before each attempt in seconds, and the share by which they vary."""

    pauses_s: tuple[float, ...] = PAUSES_S
    jitter: float = JITTER

    def pause_s(self, attempt: int, chance: float) -> float:
        """Return the pause before an attempt (from 1); `chance` is drawn evenly from 0 to 1."""
        return self.pauses_s[attempt - 1] * (1 + self.jitter * (2 * chance - 1))


class Next(Value):
    """What follows from an attempt.

    Attributes:
        state: The delivery's state now.
        attempt: The next attempt while it is pending.
        pause_s: Seconds before that attempt.
        disable: The endpoint takes no more deliveries until a person enables it.
        throttle_s: Seconds for which no delivery to this endpoint is tried.
    """

    state: DeliveryState
    attempt: int = 0
    pause_s: float = 0.0
    disable: bool = False
    throttle_s: float = 0.0


def after(result: AttemptResult, *, attempt: int, schedule: Schedule, chance: float, waits: int = 0) -> Next:
    """Return what follows from the result of an attempt.

    Args:
        result: What came of it.
        attempt: Its number, from 1.
        schedule: The pauses.
        chance: Drawn evenly from 0 to 1.
        waits: How often in a row this delivery found its endpoint busy before this.
    """
    asked = min(max(result.retry_after_s or 0.0, 0.0), RETRY_AFTER_S_MAX)
    match result.outcome:
        case "sent":
            return Next(state=DeliveryState.DELIVERED)
        case "gone":
            return Next(state=DeliveryState.DEAD, disable=True)
        case "refused":
            return Next(state=DeliveryState.DEAD)
        case "busy":
            pause = min(BUSY_S * 2 ** min(waits, 16), BUSY_S_MAX) * (0.5 + 0.5 * chance)
            return Next(state=DeliveryState.PENDING, attempt=attempt, pause_s=asked + pause)
        case "throttled" | "failed":
            told = THROTTLE_S if result.retry_after_s is None else asked
            throttle = told if result.outcome == "throttled" else 0.0
            if attempt >= len(schedule.pauses_s):
                return Next(state=DeliveryState.DEAD, throttle_s=throttle)
            pause = max(schedule.pause_s(attempt + 1, chance), asked, throttle)
            return Next(state=DeliveryState.PENDING, attempt=attempt + 1, pause_s=pause, throttle_s=throttle)


class Recipient(Value):
    """Where an event shall go. `ordered`: events of one run go there one after the other."""

    channel: str
    endpoint: str
    ordered: bool = False


class NewDelivery(Value):
    """A delivery row to be written; one that exists is left as it is."""

    event: Event
    to: Recipient


class Audience(Protocol):
    """Knows who shall hear of an event; the relay asks every audience of every event."""

    async def recipients(self, tenant: str, events: list[Event]) -> list[NewDelivery]:
        """Return what these events give, in their order."""
        ...


class DeliveryInput(Wire):
    """What `standfast.delivery.v1` starts with; `attempt` and `pause_s` on continue-as-new. No content: the row has it."""

    v: int = 1
    tenant: str
    delivery: str
    channel: str = ""
    endpoint: str = ""
    round: int = 1
    attempt: int = 1
    pause_s: float = 0.0
    waits: int = 0
    schedule: Schedule = Schedule()

    @property
    def workflow_id(self) -> str:
        """The id of this round's workflow: the delivery's, with the round from the second on."""
        return self.delivery if self.round == 1 else f"{self.delivery}.{self.round}"


class SendRequest(Wire):
    """Input of the activity `standfast.send_delivery`."""

    v: int = 1
    tenant: str
    delivery: str
    channel: str = ""
    endpoint: str = ""
    round: int
    attempt: int
    chance: float
    waits: int = 0
    schedule: Schedule = Schedule()


class SendAnswer(Wire):
    """Output of the activity: the state, and the next attempt with the pause before it while that is `pending`."""

    v: int = 1
    state: str
    attempt: int = 0
    pause_s: float = 0.0
    busy: bool = False
