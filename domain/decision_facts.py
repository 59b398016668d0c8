"""The facts that a decided approval leaves in the ledger, whether a step of the definition asked or policy did. Pure."""

from pydantic import JsonValue

from domain.approval import OpenApproval
from domain.approval_rules import VOTES
from domain.ledger import Kind
from domain.recorder import Recorder
from domain.state import Decided


def note_decision(recorder: Recorder, step: str, approval: OpenApproval, outcome: Decided, *, then: str) -> None:
    """Note who decided, or that nobody did in time and what that means (`then`)."""
    call = approval.call or None
    if outcome.verdict == "timed_out":
        recorder.fact(Kind.APPROVAL_TIMED_OUT, step=step, call=call, data={"approval": approval.approval, "then": then})
    elif outcome.verdict in VOTES:
        said: dict[str, JsonValue] = {"approval": approval.approval, "verdict": outcome.verdict, "digest": approval.digest}
        said |= {"decision": outcome.decision_id} | _acting(approval, outcome)
        recorder.fact(Kind.APPROVAL_DECIDED, step=step, call=call, principal=outcome.decided_by, data=said)


def _acting(approval: OpenApproval, outcome: Decided) -> dict[str, JsonValue]:
    """For whom a delegate or substitute decided, if they did."""
    event = next((event for event in approval.events if event.decision_id == outcome.decision_id), None)
    return {} if event is None or event.acting_for is None else {"acting_for": event.acting_for}
