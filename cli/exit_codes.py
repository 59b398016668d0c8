"""The exit codes of every command, and which error leads to which; docs/cli.md shows this table."""

from enum import IntEnum

from standfast_client import (
    ApiError,
    BadRequestError,
    BundleError,
    ConflictError,
    ErasedError,
    ForbiddenError,
    GatewayUnreachableError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    RateLimitedError,
    RunFailedError,
    StandfastError,
    UnauthenticatedError,
    UnavailableError,
    WaitTimedOutError,
)


class ExitCode(IntEnum):
    """What a command tells the shell."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    NOT_VERIFIED = 5
    UNAVAILABLE = 6
    RUN_FAILED = 7
    WAIT_TIMED_OUT = 8
    REGRESSED = 9
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.FAILURE: "it failed: mistakes found by `validate`, something missing for `doctor`, cases `eval` cannot run, a gateway's error",
    ExitCode.USAGE: "the command line is wrong, a file cannot be read, or a setting is missing",
    ExitCode.NOT_FOUND: "there is no such run, approval, task or definition, or its content was erased",
    ExitCode.REFUSED: "refused: bad input, no valid key, not allowed, or too late",
    ExitCode.NOT_VERIFIED: "`verify` found a wrong ledger entry",
    ExitCode.UNAVAILABLE: "the gateway, or a part it needs, does not answer",
    ExitCode.RUN_FAILED: "the run ended without success",
    ExitCode.WAIT_TIMED_OUT: "the run had not ended when `--timeout` was over; it goes on",
    ExitCode.REGRESSED: "`eval` found something worse than its baseline, or too few cases passed",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
}

_BY_ERROR: tuple[tuple[type[StandfastError], ExitCode], ...] = (
    (NotConfiguredError, ExitCode.USAGE),
    (BundleError, ExitCode.USAGE),
    (GatewayUnreachableError, ExitCode.UNAVAILABLE),
    (UnavailableError, ExitCode.UNAVAILABLE),
    (RateLimitedError, ExitCode.UNAVAILABLE),
    (NotFoundError, ExitCode.NOT_FOUND),
    (UnauthenticatedError, ExitCode.REFUSED),
    (ForbiddenError, ExitCode.REFUSED),
    (ConflictError, ExitCode.REFUSED),
    (ErasedError, ExitCode.NOT_FOUND),
    (BadRequestError, ExitCode.REFUSED),
    (InvalidInputError, ExitCode.REFUSED),
    (RunFailedError, ExitCode.RUN_FAILED),
    (WaitTimedOutError, ExitCode.WAIT_TIMED_OUT),
)


def exit_code_of(error: StandfastError) -> ExitCode:
    """Return the code for an error of the client."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAILURE)


def error_lines(error: StandfastError) -> list[str]:
    """Return what the screen says about an error."""
    lines = f"error: {error}".splitlines()
    if isinstance(error, ApiError):
        found = f"{error.code}, HTTP {error.status}" + (f", correlation id {error.correlation_id}" if error.correlation_id else "")
        lines.append(f"  ({found})")
    return lines
