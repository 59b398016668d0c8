"""What a request meets that stands already. Pure."""

from domain.errors.tree import StandfastError


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


class WrongStatus(Conflict):
    """The agent's version stands in another status than the move begins at."""

    code, title = "wrong-status", "The version's status does not lead there"
