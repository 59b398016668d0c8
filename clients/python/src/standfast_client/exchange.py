"""One request and its repeats, without I/O: a flow yields what it wants done, and a driver, blocking or asynchronous, does it.

Every mutation carries an Idempotency-Key, made here when the caller gives none, so that every request may be repeated safely.
"""

import json
import random
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError

from standfast_client.errors import ApiError, GatewayUnreachableError, InputFault, UnexpectedAnswerError, error_class
from standfast_client.models import JsonInput

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_REPEATED_STATUSES = frozenset({429, 502, 503, 504})
_IN_FLIGHT = "request-in-flight"
_BODY_SHOWN_CHARS = 200


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a request is repeated that got no answer, or one that says "later".

    Attributes:
        attempts: Tries in all, the first included.
        first_delay_s: Seconds before the second try; doubles each time, and a random half of it is left out.
        delay_s_max: The longest pause, also when the gateway asks for more with `Retry-After`.
    """

    attempts: int = 4
    first_delay_s: float = 0.1
    delay_s_max: float = 5.0

    def delay_s(self, attempt: int, asked_s: float | None) -> float:
        """Return the pause after a failed attempt (from 1); `asked_s` is what the gateway asked for."""
        if asked_s is not None:
            return min(asked_s, self.delay_s_max)
        longest = min(self.first_delay_s * 2 ** (attempt - 1), self.delay_s_max)
        return longest * random.uniform(0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request below `/v1`.

    Attributes:
        method: `GET` or `POST`.
        path: Path after `/v1`, with its ids already quoted.
        query: Query parameters; one with several values is repeated.
        body: JSON body of a POST.
        headers: Headers on top of the client's own.
        read_timeout_s: How long the answer may take; None for the client's own limit.
    """

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, str | Sequence[str]])
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    read_timeout_s: float | None = None


@dataclass(frozen=True)
class Answer:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Lost:
    """No answer came; `reason` is the transport's word for it."""

    reason: str
    refused: bool


@dataclass(frozen=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


Wish: TypeAlias = Request | Pause
Reply: TypeAlias = Answer | Lost | None
Flow: TypeAlias = Generator[Wish, Reply, T]
"""A conversation with the gateway that returns a T; a Request is answered by Answer or Lost, a Pause by None."""


Parameter: TypeAlias = str | int | bool | Sequence[str] | None
"""The value of a query parameter; None leaves it out."""


def get(path: str, **query: Parameter) -> Request:
    """Return a GET."""
    return Request(method="GET", path=path, query={name: _written(value) for name, value in query.items() if value is not None})


def post(path: str, body: dict[str, JsonValue], *, idempotency_key: str | None) -> Request:
    """Return a POST with an Idempotency-Key; body members that are None are left out."""
    given: dict[str, JsonValue] = {name: value for name, value in body.items() if value is not None}
    return Request(method="POST", path=path, body=given, headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())})


def put(path: str, body: dict[str, JsonValue], *, idempotency_key: str | None) -> Request:
    """Return a PUT with an Idempotency-Key."""
    return Request(method="PUT", path=path, body=body, headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())})


def delete(path: str, *, idempotency_key: str | None) -> Request:
    """Return a DELETE with an Idempotency-Key."""
    return Request(method="DELETE", path=path, headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())})


def plain(value: JsonInput) -> JsonValue:
    """Return the value with ordinary dicts and lists, which is what can be sent."""
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(member) for member in value]
    return value


def _written(value: Parameter) -> str | Sequence[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value or ""


@dataclass(frozen=True)
class Link:
    """The gateway's URL, for messages, and the policy of repeats: what every flow needs."""

    url: str
    policy: RetryPolicy

    def ask(self, request: Request) -> Flow[Answer]:
        """Send a request, repeat it as the policy says, and return the first good answer.

        Raises:
            GatewayUnreachableError: No answer came.
            ApiError: The gateway refused or failed.
        """
        attempt = 1
        while True:
            reply = yield request
            if isinstance(reply, Answer) and reply.status < 400:
                return reply
            asked_s = _retry_after_s(reply) if isinstance(reply, Answer) else None
            if attempt >= self.policy.attempts or (isinstance(reply, Answer) and not _may_repeat(reply)):
                raise self._failure(reply)
            yield Pause(self.policy.delay_s(attempt, asked_s))
            attempt += 1

    def _failure(self, reply: Reply) -> ApiError | GatewayUnreachableError:
        if isinstance(reply, Answer):
            return problem(reply)
        if isinstance(reply, Lost) and reply.refused:
            return GatewayUnreachableError(
                f"no gateway listens at {self.url}: start a local stack with `standfast dev`, or set STANDFAST_URL to where yours runs"
            )
        reason = reply.reason if isinstance(reply, Lost) else "no answer"
        return GatewayUnreachableError(f"the gateway at {self.url} did not answer ({reason}); see whether {self.url}/readyz answers")


def parse(answer: Answer, model: type[M]) -> M:
    """Return the answer's body as a model.

    Raises:
        UnexpectedAnswerError: It has another form.
    """
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise UnexpectedAnswerError(f"the gateway's answer is no {model.__name__}: {_first_fault(error)}") from error


def parse_json(content: bytes) -> JsonValue:
    """Return JSON bytes as a value.

    Raises:
        UnexpectedAnswerError: It is no JSON.
    """
    try:
        return cast("JsonValue", json.loads(content))
    except ValueError as error:
        raise UnexpectedAnswerError(f"the answer is no JSON: {_shown(content)}") from error


def problem(answer: Answer) -> ApiError:
    """Make the exception for an answer of status 400 and above; one that is no problem+json keeps its status and its text."""
    try:
        said = parse_json(answer.content)
    except UnexpectedAnswerError:
        said = None
    members = said if isinstance(said, dict) else {}
    detail = members.get("detail") or members.get("title") or f"the answer was HTTP {answer.status}: {_shown(answer.content)}"
    correlation_id = members.get("correlation_id") or answer.headers.get("x-correlation-id")
    return error_class(answer.status)(
        str(detail),
        status=answer.status,
        code=str(members.get("code") or "unknown"),
        correlation_id=str(correlation_id) if correlation_id else None,
        errors=_faults(members.get("errors")),
    )


def _faults(listed: JsonValue) -> list[InputFault]:
    if not isinstance(listed, list):
        return []
    faults: list[InputFault] = []
    for item in listed:
        members = item if isinstance(item, dict) else {"detail": item}
        where, detail, instead = (str(members.get(name) or "") for name in ("where", "detail", "instead"))
        faults.append(InputFault(where, detail, instead))
    return faults


def _may_repeat(answer: Answer) -> bool:
    return answer.status in _REPEATED_STATUSES or (answer.status == 409 and problem(answer).code == _IN_FLIGHT)


def _retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After`; its other form, a date, is not used by the gateway."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _shown(content: bytes) -> str:
    text = content.decode(errors="replace").strip()
    return text[:_BODY_SHOWN_CHARS] + ("…" if len(text) > _BODY_SHOWN_CHARS else "")
