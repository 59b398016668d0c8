"""What is wrong with a request, or with who sends it. Pure."""

from domain.errors.tree import StandfastError


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
