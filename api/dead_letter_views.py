"""JSON shapes and query parameters of dead letters."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from api.queries import Cursor, Limit
from domain.dead_letters import DeadLetterKind, DeadLetterState, DiscardReason, RedriveRate
from domain.ids import parse_id
from domain.model import Value

Reason = Annotated[str, StringConstraints(max_length=500)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,99}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class DeadLetterListQuery(Value):
    """Filters of the list of dead letters: open ones, unless `state` names others; `since` is the earliest last attempt."""

    state: Literal["open", "redriven", "discarded", "any"] = "open"
    kind: DeadLetterKind | None = None
    cause: Code | None = None
    definition: Name | None = None
    run: Annotated[str, Field(max_length=40)] | None = None
    since: AwareDatetime | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class DeadLetterView(Value):
    """Something that was given up. `cause` is a stable code, `detail` says it in words, `payload_ref` names what it was about.

    `subject` is a run, `run/step/visit/call` of an effect, a delivery, an inbound request or a schedule. `refused` is the code with which
    its last redrive was refused; `by`, `reason` and `closed_at` say who closed it, why and when.
    """

    dead_letter: str
    kind: DeadLetterKind
    subject: str
    run: str | None
    definition: str | None
    step: str | None
    cause: str
    detail: str
    attempts: int
    first_at: str
    last_at: str
    payload_ref: str | None
    state: DeadLetterState
    by: str | None
    reason: str | None
    closed_at: str | None
    refused: str | None


class RedriveLetterBody(Value):
    """Why a dead letter is redriven."""

    reason: Reason = ""


class DiscardBody(Value):
    """Why a dead letter is discarded."""

    reason: DiscardReason


class BulkRedriveBody(Value):
    """Which open dead letters to redrive, `rate` a second. Name a filter, or say `all`."""

    all: bool = False
    kind: DeadLetterKind | None = None
    cause: Code | None = None
    definition: Name | None = None
    since: AwareDatetime | None = None
    rate: RedriveRate = 1.0
    reason: Reason = ""

    @model_validator(mode="after")
    def _which(self) -> "BulkRedriveBody":
        named = any(value is not None for value in (self.kind, self.cause, self.definition, self.since))
        if named == self.all:
            raise ValueError("name at least one of kind, cause, definition and since, or set all to true, and not both")
        return self


class BulkRedriveView(Value):
    """A redrive of many: how many were `redriven`, how many were `refused` and are open still, and how many are `left`."""

    redrive: str
    kind: DeadLetterKind | None
    cause: str | None
    definition: str | None
    since: str | None
    rate: float
    reason: str | None
    requested_by: str
    requested_at: str
    redriven: int
    refused: int
    left: int
    finished_at: str | None


def utc(moment: datetime | None) -> str | None:
    """Return an aware time as RFC 3339 with its offset, None for none."""
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _dead_letter_id(dead_letter_id: Annotated[str, Path(description="dlq_ and 26 characters")]) -> str:
    return parse_id(dead_letter_id, "dlq")


def _redrive_id(redrive_id: Annotated[str, Path(description="rdv_ and 26 characters")]) -> str:
    return parse_id(redrive_id, "rdv")


DeadLetterIdInPath = Annotated[str, Depends(_dead_letter_id)]
RedriveIdInPath = Annotated[str, Depends(_redrive_id)]
DeadLetterList = Annotated[DeadLetterListQuery, Query()]
