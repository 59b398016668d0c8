"""What an HTTP answer means for an effect: a result, a failure for good, a later attempt, or not known."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from pydantic import JsonValue

from domain.errors import StandfastError, ToolFailed, ToolTimedOut, ToolUnavailable
from domain.http_tool import HttpToolDeclaration
from domain.schemas import validate

DETAIL_CHARS_MAX = 500
"""How much of a server's own words goes into an error."""
RETRY_AFTER_MAX_S = 3600.0
"""A server may not park an effect for longer than an hour by one header."""
NOT_NOW = frozenset({425, 429, 503})
"""Too Early (RFC 8470), Too Many Requests (RFC 6585), Service Unavailable (RFC 9110): the request was not acted on."""


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, written as seconds or as an HTTP date (RFC 9110 §10.2.3); None if unusable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_MAX_S)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - now).total_seconds(), 0.0), RETRY_AFTER_MAX_S)


def failure(declaration: HttpToolDeclaration, status: int, body: bytes, retry_after: str | None) -> StandfastError:
    """Return the error that this status means; the server's problem detail is told."""
    told = f"{declaration.name}: {declaration.host} answered {status}{_detail(body)}"
    if status in NOT_NOW:
        return ToolUnavailable(told, retry_after_s=retry_after_s(retry_after, datetime.now(UTC)))
    if status == 408:
        return ToolTimedOut(told)
    if status >= 500:
        if declaration.effect_class.changes_world:
            return ToolTimedOut(f"{told}; whether it took effect is unknown", retry_after_s=retry_after_s(retry_after, datetime.now(UTC)))
        return ToolUnavailable(told, retry_after_s=retry_after_s(retry_after, datetime.now(UTC)))
    if 300 <= status < 400:
        return ToolFailed(f"{told}; redirects are not followed: declare the final URL")
    return ToolFailed(told)


def result(declaration: HttpToolDeclaration, status: int, body: bytes) -> JsonValue:
    """Return the JSON of a good answer; an empty one is None.

    Raises:
        ToolFailed: it is no JSON, or breaks the output schema.
    """
    effect = "; the call itself was accepted" if declaration.effect_class.changes_world else ""
    if not body.strip():
        value = None
    else:
        try:
            value = cast("JsonValue", json.loads(body, parse_constant=_refuse_constant))
        except (ValueError, RecursionError) as error:
            raise ToolFailed(f"{declaration.name} answered {status} with something that is no JSON{effect}") from error
    mistakes = validate(declaration.output_schema, value) if declaration.output_schema else []
    if mistakes:
        raise ToolFailed(f"the answer of {declaration.name} breaks its output schema{effect}: {'; '.join(mistakes)}")
    return value


def _refuse_constant(name: str) -> JsonValue:
    """Refuse NaN and the infinities, which Python would take.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is no JSON")


def _detail(body: bytes) -> str:
    """Return `: what the server says`, from a problem (RFC 9457) or its like, else from the text itself."""
    try:
        value = cast("JsonValue", json.loads(body))
    except (ValueError, RecursionError):
        value = body.decode("utf-8", errors="replace")
    if isinstance(value, dict):
        value = next((value[name] for name in ("detail", "title", "message", "error") if value.get(name)), "")
    text = " ".join((value if isinstance(value, str) else json.dumps(value)).split())
    return f": {text[:DETAIL_CHARS_MAX]}" if text else ""
