"""RFC 9457 problems: the gateway's only translator of errors (the other one is `activities/failures.py`).

Every domain error carries its own code, status and title, so the map is total by construction; a test walks the tree. Whatever
is no domain error becomes `internal` without its text: that stands in the log, under the same correlation id.
"""

import http
import logging
import math
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.context import context_of
from domain.errors import InvalidInput, NotFound, StandfastError, Unauthenticated, Unavailable
from domain.model import Value
from domain.schemas import pointer

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 2.0
"""Seconds to wait before a retry when the error itself says nothing."""


class Mistake(Value):
    """One mistake: `where` is a JSON pointer into the body, `query:name`, `path:name`, or file:line:column in a bundle."""

    where: str = ""
    detail: str
    instead: str = ""


class Problem(Value):
    """An RFC 9457 problem. `code` is stable (docs/errors.md); `retryable` says whether the same request may succeed later."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    correlation_id: str
    retryable: bool = False
    errors: tuple[Mistake, ...] = ()


class Mistaken(Exception):
    """A domain error with the list of single mistakes behind it."""

    def __init__(self, error: StandfastError, mistakes: Sequence[Mistake]) -> None:
        super().__init__(error.detail)
        self.error = error
        self.mistakes = tuple(mistakes)


def problem_response(request: Request, raised: Exception) -> Response:
    """Return the problem for anything an endpoint can raise; unknown exceptions tell nothing of themselves."""
    error, mistakes = _told(raised)
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="standfast"'
    if error.retryable:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s or RETRY_AFTER_S)))
    return _render(request, _problem(request, error, mistakes), headers)


def _told(raised: Exception) -> tuple[StandfastError, tuple[Mistake, ...]]:
    if isinstance(raised, Mistaken):
        return raised.error, raised.mistakes
    if isinstance(raised, RequestValidationError):
        mistakes = tuple(_mistake(found) for found in raised.errors())
        return InvalidInput("the request breaks its schema: " + "; ".join(f"{m.where or '(body)'}: {m.detail}" for m in mistakes)), mistakes
    if isinstance(raised, StandfastError):
        return raised, (Mistake(where=raised.where, detail=raised.detail),) if raised.where else ()
    return StandfastError("the gateway met an unexpected error; its log has the details under this correlation id"), ()


def _mistake(found: dict[str, Any]) -> Mistake:  # Any: pydantic's error dictionaries are untyped
    place, *inner = found["loc"]
    where = pointer(list(inner)) if place == "body" else f"{place}:{'.'.join(str(part) for part in inner)}"
    return Mistake(where=where, detail=str(found["msg"]))


def _problem(request: Request, error: StandfastError, mistakes: tuple[Mistake, ...]) -> Problem:
    return Problem(
        type=f"urn:standfast:problem:{error.code}",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        instance=request.url.path,
        correlation_id=context_of(request).correlation_id,
        retryable=error.retryable,
        errors=mistakes,
    )


def _render(request: Request, problem: Problem, headers: dict[str, str]) -> Response:
    """Render a problem. The correlation header is set here too: the answer to a crash passes no middleware of ours."""
    headers = {"X-Correlation-ID": context_of(request).correlation_id, **headers}
    return Response(problem.model_dump_json(), status_code=problem.status, headers=headers, media_type=PROBLEM_JSON)


def _http_problem(request: Request, raised: HTTPException) -> Response:
    """Return the problem for what the router itself refuses: no such route, another method."""
    headers = dict(raised.headers or {})
    if raised.status_code == NotFound.status:
        return problem_response(request, NotFound(f"there is no route {request.url.path}; GET /openapi.json lists them"))
    phrase = http.HTTPStatus(raised.status_code).phrase
    code = phrase.lower().replace(" ", "-")
    detail = f"{request.method} is not possible here; allowed: {headers['Allow']}" if "Allow" in headers else raised.detail
    problem = _problem(request, StandfastError(detail), ()).model_copy(
        update={"type": f"urn:standfast:problem:{code}", "code": code, "title": phrase, "status": raised.status_code}
    )
    return _render(request, problem, headers)


def _any_problem(request: Request, raised: Exception) -> Response:
    if isinstance(raised, HTTPException):
        return _http_problem(request, raised)
    if isinstance(raised, TimeoutError | ConnectionError):
        return problem_response(request, Unavailable("a part the gateway needs did not answer"))
    if not isinstance(raised, StandfastError | Mistaken | RequestValidationError):
        log.error("unexpected error, correlation id %s", context_of(request).correlation_id, exc_info=raised)
    return problem_response(request, raised)


def install_problems(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    for raised in (StandfastError, Mistaken, RequestValidationError, HTTPException, TimeoutError, ConnectionError, Exception):
        app.add_exception_handler(raised, _any_problem)
