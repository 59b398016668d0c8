"""Runs: status, the projection that activities write, and what the gateway shows. Pure."""

from enum import StrEnum
from typing import Protocol

from pydantic import Field, JsonValue

from domain.approval_rules import ApprovalRules, ReviewEvent
from domain.approval_timeline import Standing
from domain.effects import Carrier
from domain.envelope import Usage
from domain.model import Wire
from domain.provenance import ArgumentOrigin
from domain.tasks import TaskProjection


class RunStatus(StrEnum):
    """The only list of run states; `docs/states.md` draws it."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    IN_DOUBT = "in_doubt"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    DEAD = "dead"
    EXPIRED = "expired"
    TERMINATED = "terminated"

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self in CLOSED


CLOSED = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.CANCELLED,
        RunStatus.TIMED_OUT,
        RunStatus.DEAD,
        RunStatus.EXPIRED,
        RunStatus.TERMINATED,
    }
)


class ApprovalProjection(Wire):
    """The inbox row of an open approval. Times are RFC 3339 UTC; `calls` is what will run, argument for argument.

    `reviewer_roles` are asked now, and `delegates` are those a vote was handed to. One with a higher `revision` replaces the row while it
    is open: how it `standing`s, the decisions taken (`events`), amended calls, its deadline. `provenance` says where bound values come
    from, `conversation` and `answer_ref` name the messages behind them. Of a call that policy put before people, `call` is which of its
    agent's it is.
    """

    approval: str
    step: str
    visit: int
    title: str
    digest: str
    nonce: str
    calls: list[dict[str, JsonValue]]
    unbound: list[str] = []
    reviewer_role: str
    exclude_requester: bool
    requester: str
    opened_at: str
    deadline: str | None
    reviewer_roles: list[str] = []
    delegates: list[str] = []
    rules: ApprovalRules | None = None
    standing: Standing | None = None
    events: list[ReviewEvent] = []
    form: dict[str, JsonValue] | None = None
    revision: int = 0
    amended_by: str | None = None
    provenance: list[ArgumentOrigin] = []
    conversation: str | None = None
    answer_ref: str | None = None
    call: str = Field(default="", exclude_if=lambda call: not call)

    @property
    def roles(self) -> list[str]:
        """The roles asked now, of a row of before there were several too."""
        return self.reviewer_roles or [self.reviewer_role]


class ApprovalClosure(Wire):
    """How an approval ended: `decision` is approve, reject, timed_out, withdrawn."""

    approval: str
    decision: str
    decision_id: str | None = None
    decided_by: str | None = None
    comment: str | None = None
    decided_at: str


class TaskClosure(Wire):
    """How a task ended."""

    task: str
    resolution: str
    completed_by: str
    completed_at: str


class Projection(Wire):
    """What a flush writes beside the facts; compare-and-set on (epoch, fact_seq): an older one never wins."""

    status: RunStatus | None = None
    reason: str | None = None
    waits_for: str | None = None
    result: JsonValue = None
    error: dict[str, str] | None = None
    usage: Usage | None = None
    open_approval: ApprovalProjection | None = None
    close_approval: ApprovalClosure | None = None
    open_task: TaskProjection | None = None
    close_task: TaskClosure | None = None


class RunLedger(Protocol):
    """The port through which a worker writes facts and projections in one transaction."""

    async def flush(self, carrier: Carrier, projection: Projection, *, fact_seq: int) -> int:
        """Write facts, then the projection; return the fact head.

        Raises:
            FactDiverged, FactGap, StaleEpoch: as in JOURNAL §1.
        """
        ...
