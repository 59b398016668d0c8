"""Delivers a stored decision to its run, as often as it takes (JOURNAL §9).

A decision is stored before it is sent, and sent under its own id until it is terminal; no answer means unknown, never "not
decided". The decision route and the sweeper share this module.
"""

from typing import NamedTuple, Protocol

from domain.approval import Decision
from domain.approval_rules import ReviewEvent
from domain.errors import ApprovalClosed, RunClosed, StandfastError, Unavailable, error_classes
from domain.people_stores import ApprovalRow, DecisionRow, DecisionState
from workflows.messages import DecisionResult, RunState


class DecisionSettlement(Protocol):
    """Where decisions become terminal; an ApprovalStore is one."""

    async def get(self, tenant: str, approval: str) -> ApprovalRow:
        """Return the approval. Raises: NotFound."""
        ...

    async def settle_decision(self, tenant: str, decision_id: str, *, state: DecisionState, refusal: dict[str, str] | None) -> None:
        """Make a decision terminal."""
        ...


class DecisionSender(Protocol):
    """What carries decisions to runs; a RunStarter is one."""

    async def decide(self, tenant: str, run: str, decision: Decision, *, timeout_s: float) -> DecisionResult | None:
        """Send it; None when no answer came in time."""
        ...

    async def state(self, tenant: str, run: str) -> RunState:
        """Ask the run for its state."""
        ...


class DecisionPorts(Protocol):
    """What delivery needs; GatewayDeps has it."""

    @property
    def approvals(self) -> DecisionSettlement:
        """The stored decisions."""
        ...

    @property
    def temporal(self) -> DecisionSender:
        """Temporal."""
        ...


class Delivery(NamedTuple):
    """How far a decision is: accepted (with the run's answer, when it gave one), refused, or still stored."""

    state: DecisionState
    result: DecisionResult | None = None
    refusal: StandfastError | None = None


def decision_of(row: DecisionRow) -> Decision:
    """Return the message for the run."""
    return Decision(
        decision_id=row.decision_id,
        approval=row.approval,
        verdict=row.verdict,
        digest=row.digest,
        principal=row.principal,
        comment=row.comment,
        attestation=row.attestation,
        content=row.content,
    )


def settled(row: DecisionRow) -> Delivery:
    """Return what a stored row says by itself."""
    by_code = {error.code: error for error in error_classes()}
    said = row.refusal or {}
    error = by_code.get(said.get("code", ""), ApprovalClosed)(said.get("detail", "the decision was refused"))
    return Delivery(row.state, refusal=error if row.state == "refused" else None)


async def deliver_decision(ports: DecisionPorts, row: DecisionRow, *, timeout_s: float) -> Delivery:
    """Send a stored decision and make it terminal when the run's answer is. A terminal row is not sent again."""
    if row.state != "stored":
        return settled(row)
    try:
        result = await ports.temporal.decide(row.tenant, row.run, decision_of(row), timeout_s=timeout_s)
    except StandfastError as error:
        if error.status >= 500:
            return Delivery("stored")
        return await settle_refusal(ports, row, error)
    if result is None:
        return Delivery("stored")
    return await _settle(ports, row, Delivery("accepted", result=result))


async def settle_refusal(ports: DecisionPorts, row: DecisionRow, error: StandfastError) -> Delivery:
    """Make a decision terminal that the run would not take: refused, unless this very decision closed the approval before."""
    refused = ApprovalClosed(f"run {row.run} has ended") if isinstance(error, RunClosed) else error
    try:
        taken = await _taken_before(ports, row, ask_run=isinstance(refused, ApprovalClosed))
    except Unavailable:  # nobody can say now: it may have been taken, so it is asked again
        return Delivery("stored")
    return await _settle(ports, row, Delivery("accepted") if taken else Delivery("refused", refusal=refused))


async def _taken_before(ports: DecisionPorts, row: DecisionRow, *, ask_run: bool) -> bool:
    """Whether this very decision was taken: it came by signal, or an earlier answer was lost.

    The inbox knows it for good, the run only while it is in the same epoch, but sooner.

    Raises:
        Unavailable: the inbox or the run cannot be asked now.
    """
    shown = await ports.approvals.get(row.tenant, row.approval)
    if shown.decision_id == row.decision_id or _among(row, shown.projection.events):
        return True
    if not ask_run:
        return False
    try:
        state = await ports.temporal.state(row.tenant, row.run)
    except Unavailable:
        raise
    except StandfastError:
        return False
    return any(approval.decision_id == row.decision_id or _among(row, approval.events) for approval in state.approvals)


def _among(row: DecisionRow, events: list[ReviewEvent]) -> bool:
    """Whether a decision is one of those that were taken."""
    return any(event.decision_id == row.decision_id for event in events)


async def _settle(ports: DecisionPorts, row: DecisionRow, delivery: Delivery) -> Delivery:
    refusal = None if delivery.refusal is None else {"code": delivery.refusal.code, "detail": delivery.refusal.detail}
    await ports.approvals.settle_decision(row.tenant, row.decision_id, state=delivery.state, refusal=refusal)
    return delivery
