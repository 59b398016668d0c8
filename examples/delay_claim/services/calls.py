"""What a call, an answer and a refusal are, and how a field is read from a JSON body. No I/O."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

JsonObject: TypeAlias = dict[str, object]

TEXT_LENGTH_MAX = 10_000
AMOUNT_MICROS_MAX = 10**15
"""One billion currency units; far below SQLite's 64-bit integers."""


@dataclass(frozen=True)
class Call:
    """One mutation as it arrived: `route` names it for fault rules, `ids` are the parts taken from the path."""

    route: str
    path: str
    ids: Mapping[str, str]
    key: str
    body: JsonObject

    @property
    def fingerprint(self) -> str:
        """SHA-256 over path and body (key order does not matter): equal fingerprints are the same request."""
        canonical = json.dumps([self.path, self.body], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body; `replayed` marks a stored answer given again."""

    status: int
    body: JsonObject
    replayed: bool = False


class RefusedError(Exception):
    """A call that is answered with problem+json; nothing was applied and nothing is kept under its key."""

    def __init__(self, status: int, code: str, detail: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds

    @property
    def body(self) -> JsonObject:
        """The RFC 9457 problem body."""
        return {
            "type": "about:blank",
            "title": self.code.replace("-", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }


def parse_object(raw: bytes, *, empty_is: JsonObject | None = None) -> JsonObject:
    """Read a request body as a JSON object; an empty body is `empty_is` where that is given.

    Raises:
        RefusedError: 400 when the body is not a JSON object.
    """
    if not raw and empty_is is not None:
        return empty_is
    try:
        value: object = json.loads(raw)
    except ValueError as error:
        raise RefusedError(400, "malformed-json", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "malformed-json", "the body must be a JSON object")
    return cast("JsonObject", value)


def text_field(body: JsonObject, name: str) -> str:
    """Return a non-empty string field.

    Raises:
        RefusedError: 422 when it is missing, empty, too long or no string.
    """
    value = body.get(name)
    if isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH_MAX:
        return value
    raise RefusedError(422, "bad-field", f"{name} must be a string of 1 to {TEXT_LENGTH_MAX} characters")


def id_field(body: JsonObject, name: str) -> str:
    """Return a field that can stand in a path: letters, digits, `.`, `_`, `:` and `-`, at most 200 of them.

    Raises:
        RefusedError: 422 when it is anything else.
    """
    value = body.get(name)
    if isinstance(value, str) and re.fullmatch(r"[\w.:-]{1,200}", value, re.ASCII):
        return value
    raise RefusedError(422, "bad-field", f"{name} must be 1 to 200 letters, digits, '.', '_', ':' or '-'")


def amount_field(body: JsonObject, name: str) -> int:
    """Return an amount in integer micro-units (1 USD = 1,000,000).

    Raises:
        RefusedError: 422 when it is no integer, or not above zero.
    """
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= AMOUNT_MICROS_MAX:
        return value
    raise RefusedError(422, "bad-field", f"{name} must be an integer of micro-units from 1 to {AMOUNT_MICROS_MAX}")
