"""The exceptions of the client, one tree.

StandfastError
├─ NotConfiguredError        no URL or no API key could be found
├─ GatewayUnreachableError   nothing answers at the URL, or not in time
├─ UnexpectedAnswerError     something answered that is not a Standfast gateway
├─ WaitTimedOutError         the run had not ended when the time was up
├─ RunFailedError            `result()` of a run that did not succeed
└─ ApiError                  the gateway said no (problem+json, RFC 9457)
   ├─ BadRequestError 400, 413    UnauthenticatedError 401    ForbiddenError 403
   ├─ NotFoundError 404           ConflictError 409           InvalidInputError 422
   └─ RateLimitedError 429        ServerError 5xx             UnavailableError 502, 503, 504
"""

from collections.abc import Sequence
from dataclasses import dataclass


class StandfastError(Exception):
    """Root of the tree; the text is a sentence for a person."""


class NotConfiguredError(StandfastError):
    """No URL or no API key was given, and none was found."""


class GatewayUnreachableError(StandfastError):
    """Nothing answered at the gateway's URL, also after the repeats."""


class UnexpectedAnswerError(StandfastError):
    """The answer does not have the documented form: another service, a proxy, or a gateway of another version."""


class WaitTimedOutError(StandfastError):
    """The run had not ended when the time was up; it goes on."""


@dataclass(frozen=True)
class InputFault:
    """One mistake in a request: where it is (JSON pointer, or file:line:column), what is wrong, what to write instead."""

    where: str
    detail: str
    instead: str = ""

    def __str__(self) -> str:
        """Return `where: detail`, with the advice behind it."""
        text = f"{self.where}: {self.detail}" if self.where else self.detail
        return f"{text} Write instead: {self.instead}" if self.instead else text


class RunFailedError(StandfastError):
    """The run ended without success.

    Attributes:
        run: Its id.
        status: How it ended, such as `failed` or `cancelled`.
        code: The stable code of the error that failed it, when there is one.
        detail: What happened.
    """

    def __init__(self, run: str, status: str, *, code: str | None = None, detail: str = "") -> None:
        super().__init__(f"run {run} ended as {status}" + (f": {detail}" if detail else ""))
        self.run = run
        self.status = status
        self.code = code
        self.detail = detail


class ApiError(StandfastError):
    """The gateway refused or failed.

    Attributes:
        status: The HTTP status.
        code: The stable code, such as `approval-closed`; `docs/errors.md` lists them all.
        detail: What is wrong, as a sentence.
        correlation_id: What to look for in the gateway's log.
        errors: The single mistakes, when the gateway lists several.
    """

    def __init__(
        self, detail: str, *, status: int, code: str, correlation_id: str | None = None, errors: Sequence[InputFault] = ()
    ) -> None:
        listed = "".join(f"\n  {fault}" for fault in errors if fault.detail not in detail)
        super().__init__(f"{detail}{listed}")
        self.status = status
        self.code = code
        self.detail = detail
        self.correlation_id = correlation_id
        self.errors = tuple(errors)


class BadRequestError(ApiError):
    """The request could not be read (400), or is too large (413)."""


class UnauthenticatedError(ApiError):
    """The API key is missing, malformed, expired or revoked (401)."""


class ForbiddenError(ApiError):
    """This principal may not do that (403)."""


class NotFoundError(ApiError):
    """There is no such thing for this tenant (404)."""


class ConflictError(ApiError):
    """The state of the thing does not allow it, such as a decision that comes too late (409)."""


class ErasedError(ApiError):
    """The content was erased for its data subject, or purged after its term (410)."""


class InvalidInputError(ApiError):
    """The request parses and breaks a schema or a rule (422)."""


class RateLimitedError(ApiError):
    """Too many requests, also after the repeats (429)."""


class ServerError(ApiError):
    """The gateway failed (5xx)."""


class UnavailableError(ServerError):
    """A part the gateway needs is down, also after the repeats (502, 503, 504)."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: ErasedError,
    413: BadRequestError,
    422: InvalidInputError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def error_class(status: int) -> type[ApiError]:
    """Return the class for an HTTP status of 400 and above."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
