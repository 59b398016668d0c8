"""The one error tree. Each class names its `code` (kebab case, stable), HTTP `status` and whether a retry may help.

    StandfastError
    ├─ BadRequest 400            the request does not parse
    │  └─ InvalidId, BodyTooLarge 413, InvalidIdempotencyKey
    ├─ InvalidInput 422          it parses and breaks a schema or rule
    │  └─ InvalidDefinition, IdempotencyKeyReused, ExpressionFailed, ProjectionTooLarge, StaleDigest …
    ├─ Unauthenticated 401, SignatureRefused 401, Forbidden 403, NotFound 404, TooManyRequests 429
    ├─ Conflict 409              ApprovalClosed, TaskClosed/Taken, DeadLetterClosed/Claimed, RunClosed, NotRedrivable, RequestInFlight, VersionExists
    ├─ StepFailed 500            a run's business failure: ToolFailed, ModelFailed … (never an HTTP answer by itself)
    ├─ JournalError 500          EffectInDoubt, EffectDivergent, EffectSuperseded, FactDiverged, StaleEpoch, RunReset …
    └─ Unavailable 503           DependencyDown, EffectLeased (retry later)

Two translators only: `activities/failures.py` (ApplicationError) and `api/problems.py` (RFC 9457). `docs/errors.md` is generated
from this tree. Pure module.
"""

from typing import ClassVar


class StandfastError(Exception):
    """Root of the tree. `detail` is a sentence for a person; `where` points at the place in the input, if any."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Something went wrong inside Standfast"

    def __init__(self, detail: str, *, where: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where
        self.retry_after_s = retry_after_s


class BadRequest(StandfastError):
    """The request does not parse."""

    code, status, title = "bad-request", 400, "The request could not be read"


class InvalidId(BadRequest):
    """A text that should be an id is not one."""

    code, title = "invalid-id", "That is not a valid id"


class InvalidIdempotencyKey(BadRequest):
    """The Idempotency-Key is empty, has control characters, or is longer than 255 characters."""

    code, title = "invalid-idempotency-key", "The Idempotency-Key cannot be used"


class BodyTooLarge(BadRequest):
    """The body is over the size or depth limit."""

    code, status, title = "body-too-large", 413, "The request body is too large"


class InvalidInput(StandfastError):
    """It parses, and breaks a schema or a rule."""

    code, status, title = "invalid-input", 422, "The input breaks a rule"


class InvalidDefinition(InvalidInput):
    """A definition or bundle is wrong; `where` is file:line:column of the first problem, `detail` lists all."""

    code, title = "invalid-definition", "The definition has mistakes"


class IdempotencyKeyReused(InvalidInput):
    """The same Idempotency-Key came with another body."""

    code, title = "idempotency-key-reused", "This Idempotency-Key was used with another body"


class ExpressionFailed(InvalidInput):
    """A CEL expression failed or gave a value of the wrong type."""

    code, title = "expression-failed", "An expression could not be evaluated"


class ProjectionTooLarge(InvalidInput):
    """The fields that expressions read from an output exceed 8 KiB (JOURNAL §7)."""

    code, title = "projection-too-large", "Expressions read too much of a step's output"


class StaleDigest(InvalidInput):
    """A decision names a digest that is not the approval's."""

    code, title = "stale-digest", "The decision names another digest than the approval asks for"


class UnknownModel(InvalidInput):
    """The model's provider is unknown, or its price is and no cap is given."""

    code, title = "unknown-model", "That model is not known here"


class SandboxUnavailable(InvalidInput):
    """A sandbox profile names a backend that this machine lacks; never a silent fallback."""

    code, title = "sandbox-unavailable", "The sandbox is not available on this machine"


class UnreachedStep(InvalidInput):
    """A fork names a step that its definition does not have, or that the run has not come to."""

    code, title = "unreached-step", "The run cannot be forked there"


class Unauthenticated(StandfastError):
    """No API key, or one that is malformed, unknown, expired or revoked."""

    code, status, title = "unauthenticated", 401, "A valid API key is needed"


class SignatureRefused(StandfastError):
    """An inbound webhook whose signature does not fit its bytes, or that is too old."""

    code, status, title = "signature-refused", 401, "The webhook could not be verified"


class TooManyRequests(StandfastError):
    """More requests in a minute than this one may send; `retry_after_s` says when the next one is taken."""

    code, status, retryable, title = "too-many-requests", 429, True, "Too many requests"


class Forbidden(StandfastError):
    """The principal lacks the role, or asks to decide what it requested."""

    code, status, title = "forbidden", 403, "This principal may not do that"


class NotFound(StandfastError):
    """Absent, or another tenant's: both answer the same."""

    code, status, title = "not-found", 404, "There is no such thing here"


class Conflict(StandfastError):
    """The thing's state does not allow it."""

    code, status, title = "conflict", 409, "The current state does not allow that"


class ApprovalClosed(Conflict):
    """The decision came late, twice, or lost a race."""

    code, title = "approval-closed", "The approval is already closed"


class AlreadyDecided(Conflict):
    """This person's vote is given, or what they ask for is so already."""

    code, title = "already-decided", "This person has said so already"


class TaskClosed(Conflict):
    """The task is already completed."""

    code, title = "task-closed", "The task is already completed"


class TaskTaken(Conflict):
    """Somebody else took the task meanwhile."""

    code, title = "task-taken", "Somebody else has the task"


class DeadLetterClosed(Conflict):
    """The dead letter was redriven or discarded."""

    code, title = "dead-letter-closed", "The dead letter is already redriven or discarded"


class DeadLetterClaimed(Conflict):
    """Somebody redrives the dead letter at this moment."""

    code, retryable, title = "dead-letter-claimed", True, "The dead letter is being redriven at this moment"


class RunClosed(Conflict):
    """The run has ended."""

    code, title = "run-closed", "The run has already ended"


class NotRedrivable(Conflict):
    """The run is open, ended well, never started, or would fail again at once from what is recorded."""

    code, title = "not-redrivable", "The run cannot be redriven"


class ErasureRefused(Conflict):
    """A run of the data subject is open: it would go on writing what is erased."""

    code, title = "erasure-refused", "The data subject cannot be erased now"


class UnderLegalHold(Conflict):
    """A legal hold covers what should be removed."""

    code, title = "under-legal-hold", "A legal hold forbids the removal"


class InsideTerm(Conflict):
    """The run's retention term is not over, or no rule gives it one."""

    code, title = "inside-term", "The retention term is not over"


class RequestInFlight(Conflict):
    """A request with the same Idempotency-Key is still being answered."""

    code, retryable, title = "request-in-flight", True, "The first request with this Idempotency-Key is still being answered"


class VersionExists(Conflict):
    """A definition version is immutable, and this one exists with other content."""

    code, title = "version-exists", "This version exists with other content"


class StepFailed(StandfastError):
    """A step's business failure: it fails the run, undoes sagas, and is told to people."""

    code, title = "step-failed", "A step failed"


class ToolFailed(StepFailed):
    """A tool answered with a failure that another attempt will not mend."""

    code, title = "tool-failed", "A tool failed"


class ToolUnavailable(StepFailed):
    """A tool could not be reached or answered with a passing failure; another attempt may help."""

    code, retryable, title = "tool-unavailable", True, "A tool is not available now"


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


class LogBroken(StandfastError):
    """The stored Merkle log does not fit its last signed head, or the key that should sign is another's; nothing is signed."""

    code, title = "log-broken", "The ledger's Merkle log does not fit its signed head"


class JournalError(StandfastError):
    """The effect journal stopped an attempt."""

    code, title = "journal", "The effect journal stopped this attempt"


class EffectInDoubt(JournalError):
    """A lost attempt of an at-most-once effect: a person must say whether it happened."""

    code, title = "effect-in-doubt", "It is unknown whether this effect happened"


class EffectDivergent(JournalError):
    """The same effect key came with another request digest."""

    code, title = "effect-divergent", "This effect was done before with other arguments"


class FactDiverged(JournalError):
    """A fact came again with other content."""

    code, title = "fact-diverged", "A fact came again with other content"


class FactGap(JournalError):
    """A carrier skipped a fact."""

    code, title = "fact-gap", "A fact is missing before this one"


class StaleEpoch(JournalError):
    """An attempt of an older epoch of the run."""

    code, title = "stale-epoch", "This attempt belongs to an older epoch of the run"


class RunUnlinked(JournalError):
    """An execution of a run that the run's row does not follow: a reset, or an old one that lives on."""

    code, title = "run-unlinked", "The run follows another execution"


class RunReset(JournalError):
    """The run was reset in Temporal; its execution goes on in the next epoch. Workflows answer it themselves."""

    code, title = "run-reset", "The run was reset"


class EffectSuperseded(JournalError):
    """A read was done before with another request; it is done anew, as a new visit of its step."""

    code, title = "effect-superseded", "This read was done before with other arguments"


class Unavailable(StandfastError):
    """Something is down; try again."""

    code, status, retryable, title = "unavailable", 503, True, "A part Standfast needs is not available now"


class EffectLeased(Unavailable):
    """Another attempt may still be alive; wait for its lease (`retry_after_s`)."""

    code, title = "effect-leased", "Another attempt of this effect may still be alive"


def error_classes() -> list[type[StandfastError]]:
    """Return every class of the tree, root first, in the order of definition."""
    found: list[type[StandfastError]] = [StandfastError]
    for error in found:
        found.extend(error.__subclasses__())
    return found
