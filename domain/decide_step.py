"""What an approval's end means for its step: approved calls are bound, a rejection fails it, a timeout does as told. Pure."""

from pydantic import JsonValue

from domain.errors import ApprovalRejected, StepTimedOut
from domain.ledger import Kind
from domain.program import ApproveStep
from domain.recorder import Recorder
from domain.state import AskApproval, Decided, Failure
from domain.step_entry import bind_calls, complete_step, fail_step

BY_TIMEOUT = {"approve": "approve", "reject": "reject"}
"""`on_timeout` values that stand for a decision; `fail` is none."""


def decide_step(recorder: Recorder, step: ApproveStep, asked: AskApproval, outcome: Decided) -> None:
    """Settle the approve step and note who decided."""
    approval = asked.approval
    verdict: str | None = outcome.verdict
    if outcome.verdict == "timed_out":
        verdict = BY_TIMEOUT.get(step.on_timeout)
        recorder.fact(Kind.APPROVAL_TIMED_OUT, step=step.path, data={"approval": approval.approval, "then": step.on_timeout})
    else:
        recorder.fact(
            Kind.APPROVAL_DECIDED,
            step=step.path,
            principal=outcome.decided_by,
            data={"approval": approval.approval, "verdict": outcome.verdict, "digest": approval.digest, "decision": outcome.decision_id},
        )
    if verdict == "approve":
        bind_calls(recorder, step, approval)
        output: dict[str, JsonValue] = {"decision": "approve", "decided_by": outcome.decided_by, "comment": outcome.comment}
        complete_step(recorder, step, fields={"": output}, ref=None, digest=None)
    elif verdict == "reject":
        who = f"by {outcome.decided_by}" if outcome.decided_by else "because nobody decided in time"
        fail_step(
            recorder,
            step,
            Failure(code=ApprovalRejected.code, detail=f"rejected {who}" + (f": {outcome.comment}" if outcome.comment else "")),
        )
    else:
        fail_step(recorder, step, Failure(code=StepTimedOut.code, detail=f"nobody decided before {approval.deadline}"))
