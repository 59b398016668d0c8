"""A run's business failures: why a step failed; none is an HTTP answer by itself but for erased content. Pure."""

from domain.errors.tree import StandfastError


class StepFailed(StandfastError):
    """A step's business failure: it fails the run, undoes sagas, and is told to people."""

    code, title = "step-failed", "A step failed"


class ToolFailed(StepFailed):
    """A tool answered with a failure that another attempt will not mend."""

    code, title = "tool-failed", "A tool failed"


class EgressRefused(ToolFailed):
    """A call to the outside was stopped before it connected: its host, address, port or scheme is not allowed (docs/egress.md)."""

    code, title = "egress-refused", "A call to the outside is not allowed"


class ToolDenied(ToolFailed):
    """No grant lets this agent, or this run's principal, call the tool; nothing was done (docs/tools.md)."""

    code, title = "tool-denied", "The tool may not be called here"


class ToolQuarantined(ToolFailed):
    """The tool is held back until a person releases it; nothing was done (docs/tools.md)."""

    code, title = "tool-quarantined", "The tool is in quarantine"


class PolicyDenied(ToolFailed):
    """Policy does not permit the call; nothing was done. `policy_sha256` names the set that said so (docs/policy.md)."""

    code, title = "policy-denied", "Policy does not permit this call"

    policy_sha256: str = ""


class ApprovalRequired(PolicyDenied):
    """Policy permits the call only once a person has approved exactly this one, and nobody has; nothing was done."""

    code, title = "approval-required", "A person has to approve this call first"


class ToolUnavailable(StepFailed):
    """A tool could not be reached or answered with a passing failure; another attempt may help."""

    code, retryable, title = "tool-unavailable", True, "A tool is not available now"


class PolicyUnavailable(ToolUnavailable):
    """The tenant's policies could not be read just now; nothing was done, and another attempt may help."""

    code, title = "policy-unavailable", "The policies could not be read"


class ToolTimedOut(StepFailed):
    """A tool did not answer within the attempt's deadline: whether it happened is unknown."""

    code, retryable, title = "tool-timed-out", True, "A tool did not answer in time"


class ToolAnswerInvalid(StepFailed):
    """A tool answered, but not as its output schema says: its effect may have happened."""

    code, title = "tool-answer-invalid", "A tool's answer breaks its schema"


class RunCancelled(StepFailed):
    """The run was asked to end while this step was under way."""

    code, title = "run-cancelled", "The run was cancelled"


class CompensatedByHand(StepFailed):
    """An operator had the run undo what its open sagas did."""

    code, title = "compensated-by-hand", "An operator had the run undone"


class ModelFailed(StepFailed):
    """The provider refused the request for good (4xx)."""

    code, title = "model-failed", "The model call failed"


class ModelUnavailable(StepFailed):
    """Rate limit, overload or server error at the provider."""

    code, retryable, title = "model-unavailable", True, "The model is not available now"


class ModelRefused(StepFailed):
    """The model declined to answer."""

    code, title = "model-refused", "The model refused"


class ModelCutOff(StepFailed):
    """The answer hit the length limit."""

    code, title = "model-cut-off", "The model's answer was cut off"


class OutputInvalid(StepFailed):
    """The agent's answer broke its schema, again after the repair turn."""

    code, title = "output-invalid", "The agent's answer does not fit its schema"


class TurnsExhausted(StepFailed):
    """The agent used up max_turns without an answer."""

    code, title = "turns-exhausted", "The agent used up its turns"


class NotAccepted(StepFailed):
    """A critic accepted none of the drafts that an author may make."""

    code, title = "not-accepted", "No draft was accepted"


class HandoffsExhausted(StepFailed):
    """Agents handed a task on more often than they may."""

    code, title = "handoffs-exhausted", "The task was handed on too often"


class AgentRefused(StepFailed):
    """The worker does not run this agent: it is not registered, not approved, retired, or not what is registered under its name."""

    code, title = "agent-refused", "The worker does not run this agent"


class StepTimedOut(StepFailed):
    """A step's own timeout ended."""

    code, title = "step-timed-out", "A step timed out"


class ApprovalRejected(StepFailed):
    """A reviewer, or the timeout, said no."""

    code, title = "approval-rejected", "The approval was rejected"


class ApprovalWithdrawn(StepFailed):
    """The requester or an operator took the question back."""

    code, title = "approval-withdrawn", "The approval was withdrawn"


class BudgetExceeded(StepFailed):
    """The worst case of the next call does not fit into the allowance."""

    code, title = "budget-exceeded", "The budget does not allow this call"


class ReferenceMissing(StepFailed):
    """A payload named by digest is absent or erased; retrying cannot help (JOURNAL §7)."""

    code, title = "reference-missing", "A stored payload is missing or erased"


class Erased(ReferenceMissing):
    """The content was erased for its data subject, or purged after its term; nothing brings it back."""

    code, status, title = "erased", 410, "That content was erased"
