"""What an approval's end means for its step: approved calls are bound, a rejection fails it, a timeout does as told. Pure."""

from pydantic import JsonValue

from domain.approval import OpenApproval
from domain.decision_facts import note_decision
from domain.decision_rules import votes_now
from domain.errors import ApprovalRejected, ApprovalWithdrawn, StepTimedOut
from domain.program import ApproveStep
from domain.recorder import Recorder
from domain.state import AskApproval, Decided, Failure
from domain.step_entry import bind_calls, complete_step, fail_step

BY_TIMEOUT = {"approve": "approve", "reject": "reject", "escalate": "reject"}
"""`on_timeout` values that stand for a decision, a ladder that has been climbed to its end among them; `fail` is none."""


def decide_step(recorder: Recorder, step: ApproveStep, asked: AskApproval, outcome: Decided) -> None:
    """Settle the approve step and note who decided."""
    approval = asked.approval
    verdict: str | None = outcome.verdict
    if outcome.verdict == "timed_out":
        verdict = BY_TIMEOUT.get(step.on_timeout)
    note_decision(recorder, step.path, approval, outcome, then=step.on_timeout)
    if verdict == "approve":
        bind_calls(recorder, step, approval)
        complete_step(recorder, step, fields={"": _output(approval, outcome)}, ref=None, digest=None)
    elif verdict == "reject":
        who = f"by {outcome.decided_by}" if outcome.decided_by else "because nobody decided in time"
        fail_step(
            recorder,
            step,
            Failure(code=ApprovalRejected.code, detail=f"rejected {who}" + (f": {outcome.comment}" if outcome.comment else "")),
        )
    elif verdict == "withdrawn":
        fail_step(recorder, step, Failure(code=ApprovalWithdrawn.code, detail=f"withdrawn by {outcome.decided_by}"))
    else:
        fail_step(recorder, step, Failure(code=StepTimedOut.code, detail=f"nobody decided before {approval.deadline}"))


def _output(approval: OpenApproval, outcome: Decided) -> JsonValue:
    """The step's output; an approval with rules or a form also tells every vote that counted."""
    output: dict[str, JsonValue] = {"decision": "approve", "decided_by": outcome.decided_by, "comment": outcome.comment}
    if approval.form is not None:
        output["form"] = next((event.form for event in approval.events if event.decision_id == outcome.decision_id), None)
    if approval.rules is not None:
        output["decisions"] = [
            {"decision": vote.verdict, "decided_by": vote.principal, "comment": vote.comment, "form": vote.form}
            for vote in votes_now(approval)
        ]
    return output
