"""Dead letters: everything that was given up, in one list, until a person redrives or discards it (DESIGN §11). Pure: values and ports.

A dead letter's id follows from what it is about and which occasion it is of, so that whoever reports the same failure twice adds one.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal, Protocol

from pydantic import Field, StringConstraints

from domain.ids import format_id
from domain.model import Value
from domain.stores import Page


class DeadLetterKind(StrEnum):
    """What was given up."""

    RUN = "run"
    EFFECT = "effect"
    DELIVERY = "delivery"
    SCHEDULE = "schedule"
    HOOK = "hook"


DeadLetterState = Literal["open", "redriven", "discarded"]
DiscardReason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
RedriveRate = Annotated[float, Field(gt=0, le=100)]
"""Dead letters a second."""

WANTED = frozenset({"approval-rejected", "approval-withdrawn", "compensated-by-hand", "run-cancelled"})
"""Codes of runs that ended badly because people wanted it so: they are no dead letters."""


def dead_letter_id(tenant: str, kind: DeadLetterKind, subject: str, occasion: str) -> str:
    """Return the id of a dead letter: SHA-256 over what it is about, marked as UUIDv8; the SQL function computes the same."""
    parts = (tenant, kind.value, subject, occasion)
    raw = bytearray(hashlib.sha256(b"\0".join([b"standfast:dead-letter:v1", *(part.encode() for part in parts)])).digest()[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return format_id("dlq", bytes(raw))


class NewDeadLetter(Value):
    """Something that was given up.

    Attributes:
        subject: What it is: a run's id, `run/step/visit/call` of an effect, the id of a delivery, an inbound request or a schedule.
        occasion: Which of its failures: a run's epoch, an attempt. The same kind, subject and occasion again change nothing.
        run: The run it belongs to, None for none; its content is then sealed under that run's key and goes with it.
        cause: A stable code, words of the platform.
        detail: What happened, for a person; it may quote the outside, so it is stored sealed.
        attempts: How often it was tried.
        first_at: The first attempt, RFC 3339 UTC.
        last_at: The last attempt.
        payload_ref: The payload it was about, None where nothing is stored.
    """

    tenant: str
    kind: DeadLetterKind
    subject: str
    occasion: str
    run: str | None = None
    definition: str | None = None
    step: str | None = None
    cause: str
    detail: str = ""
    attempts: int = 1
    first_at: str
    last_at: str
    payload_ref: str | None = None

    @property
    def id(self) -> str:
        """The dead letter's id."""
        return dead_letter_id(self.tenant, self.kind, self.subject, self.occasion)


class DeadLetter(NewDeadLetter):
    """A dead letter as it stands. `by` is who redrove or discarded it, `platform` where nobody asked; `closed_at` is when.

    `refused` is the code with which its last redrive was refused.
    """

    dead_letter: str
    state: DeadLetterState = "open"
    by: str | None = None
    reason: str | None = None
    closed_at: str | None = None
    refused: str | None = None


class DeadLetterFilter(Value):
    """Filters of the list; newest last attempt first. `since` is an instant: no earlier last attempt."""

    state: DeadLetterState | None = "open"
    kind: DeadLetterKind | None = None
    cause: str | None = None
    definition: str | None = None
    run: str | None = None
    since: str | None = None
    limit: int = 50
    cursor: str | None = None


class DeadLetterStore(Protocol):
    """The list of what was given up."""

    async def add(self, letter: NewDeadLetter) -> str:
        """Add one and return its id; the same failure again changes nothing. Inside other transactions: the SQL function."""
        ...

    async def page(self, tenant: str, where: DeadLetterFilter) -> Page[DeadLetter]:
        """Return one page, newest last attempt first. Raises: BadRequest for a cursor of another list."""
        ...

    async def get(self, tenant: str, dead_letter: str) -> DeadLetter:
        """Raises: NotFound."""
        ...

    async def claim(self, tenant: str, dead_letter: str, *, lease_s: float) -> DeadLetter:
        """Claim an open one for a redrive, for at most `lease_s`. Raises: NotFound, DeadLetterClosed, DeadLetterClaimed."""
        ...

    async def release(self, tenant: str, dead_letter: str, *, refused: str | None = None) -> None:
        """Give a claim back: the redrive was refused, with that code, and the dead letter stays open."""
        ...

    async def mark_redriven(self, tenant: str, dead_letter: str, *, by: str, reason: str | None, at: str) -> DeadLetter:
        """Close one as redriven, with its ledger entry where a run has one; the second time changes nothing. Raises: NotFound."""
        ...

    async def discard(self, tenant: str, dead_letter: str, *, by: str, reason: str, at: str) -> DeadLetter:
        """Close one for good, with its ledger entry. Raises: NotFound, DeadLetterClosed, DeadLetterClaimed while it is being redriven."""
        ...


class BulkRedrive(Value):
    """A redrive of many: the open dead letters that fit and were there when it was ordered, `rate` a second, each tried once.

    `redriven` and `refused` count them; `left` are still to come, and `finished_at` says when none was.
    """

    tenant: str
    redrive: str
    kind: DeadLetterKind | None = None
    cause: str | None = None
    definition: str | None = None
    since: str | None = None
    rate: RedriveRate = 1.0
    reason: str | None = None
    requested_by: str
    requested_at: str = ""
    redriven: int = 0
    refused: int = 0
    left: int = 0
    finished_at: str | None = None


class BulkRedriveStore(Protocol):
    """Redrives of many; several gateways may carry them out at once."""

    async def begin(self, bulk: BulkRedrive) -> BulkRedrive:
        """Insert one and return it with its counts; the same id again returns the one that is there."""
        ...

    async def get(self, tenant: str, redrive: str) -> BulkRedrive:
        """Raises: NotFound."""
        ...

    async def take(self, tenant: str, *, lease_s: float, most: int) -> tuple[BulkRedrive, list[DeadLetter]] | None:
        """Claim what is due of one unfinished redrive, at most `most`; None when nothing is due. One with nothing left is finished."""
        ...


class Redriver(Protocol):
    """Tries again what one kind of dead letter is about; the gateway has one for each kind."""

    async def redrive(self, letter: DeadLetter, *, by: str, reason: str | None) -> None:
        """Begin again; returns when that is durable. Raises: StandfastError, and the dead letter stays open."""
        ...
