"""The storage ports of what people are asked: the inbox of approvals, their decisions, and human tasks. Pure: Protocols and values only."""

from typing import Literal, Protocol

from pydantic import JsonValue

from domain.approval import DecisionContent
from domain.approval_rules import Verdict
from domain.inbox import InboxFilter
from domain.model import Value
from domain.runs import ApprovalProjection, TaskProjection
from domain.stores import Page


class ApprovalRow(Value):
    """An approval in the inbox. `state` is open, approved, rejected, timed_out or withdrawn; `decision_id` names what decided it."""

    run: str
    definition: str
    projection: ApprovalProjection
    state: str
    decision_id: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    comment: str | None = None
    assignee: str | None = None
    assigned_by: str | None = None
    assigned_at: str | None = None


DecisionState = Literal["stored", "accepted", "refused"]


class DecisionRow(Value):
    """A stored decision; `decision_id` is the Temporal update id. `state` is terminal when accepted or refused."""

    tenant: str
    run: str
    decision_id: str
    approval: str
    verdict: Verdict
    digest: str
    comment: str = ""
    principal: str
    attestation: str
    state: DecisionState = "stored"
    refusal: dict[str, str] | None = None
    stored_at: str = ""
    content: DecisionContent | None = None


class ApprovalStore(Protocol):
    """The inbox and the stored decisions."""

    async def page(self, tenant: str, where: InboxFilter) -> Page[ApprovalRow]:
        """Return one page of what fits. Raises: BadRequest when the cursor is none of this list."""
        ...

    async def decided_like(self, tenant: str, row: ApprovalRow, *, limit: int) -> list[ApprovalRow]:
        """Return the last approvals of the same definition and one of the same tools that people decided, latest first."""
        ...

    async def assign(self, tenant: str, approval: str, *, assignee: str | None, principal: str, take_over: bool) -> ApprovalRow:
        """Assign an open approval, or release it with None. One assigned to somebody else needs `take_over`.

        Raises:
            NotFound, ApprovalClosed. Conflict: somebody else has it.
        """
        ...

    async def get(self, tenant: str, approval: str) -> ApprovalRow:
        """Raises: NotFound."""
        ...

    async def store_decision(self, decision: DecisionRow) -> DecisionRow:
        """Insert a decision; the same id again returns the stored row. Raises: NotFound."""
        ...

    async def settle_decision(self, tenant: str, decision_id: str, *, state: DecisionState, refusal: dict[str, str] | None) -> None:
        """Make a decision terminal; a terminal one stays as it is."""
        ...

    async def decision(self, tenant: str, decision_id: str) -> DecisionRow:
        """Raises: NotFound."""
        ...

    async def unsettled_decisions(self, tenant: str, *, older_than_s: float, limit: int) -> list[DecisionRow]:
        """Return stored decisions that are not terminal, oldest first."""
        ...


class TaskRow(Value):
    """A human task. `state` is open, completed or closed_late (the late outcome told the truth).

    `own` are those that a person made, `created_by`: no workflow waits for them, and `run` may be None.
    """

    run: str | None
    projection: TaskProjection
    own: bool = False
    created_by: str | None = None
    output_ref: str | None = None
    state: str
    resolution: str | None = None
    completed_by: str | None = None
    completed_at: str | None = None
    delivered: bool = True


class TaskStore(Protocol):
    """Human tasks."""

    async def page(self, tenant: str, *, state: str | None, limit: int, cursor: str | None) -> Page[TaskRow]:
        """Return one page, oldest first."""
        ...

    async def get(self, tenant: str, task: str) -> TaskRow:
        """Raises: NotFound."""
        ...

    async def complete(self, tenant: str, task: str, *, resolution: str, output: JsonValue, principal: str, at: str) -> TaskRow:
        """Store a person's answer, not yet delivered to the run. Raises: NotFound, TaskClosed."""
        ...

    async def undelivered(self, tenant: str, *, limit: int) -> list[tuple[TaskRow, JsonValue]]:
        """Return completed or closed_late tasks whose run has not been told, with the output; an erased one counts as told."""
        ...

    async def mark_delivered(self, tenant: str, task: str) -> None:
        """Remember that the run was told."""
        ...
