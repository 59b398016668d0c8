"""Reads a JSON body before any endpoint sees it: size, encoding, depth, and what JSON leaves open.

RFC 8259 leaves repeated keys and lone surrogates to each reader; two readers that disagree are a hole, so both are refused.
"""

import json
import math
from typing import NoReturn, cast

from fastapi import Request
from pydantic import JsonValue
from starlette.types import Message

from domain.errors import BadRequest, BodyTooLarge, InvalidInput

BODY_BYTES_MAX = 1024 * 1024
BODY_DEPTH_MAX = 64
"""Most objects and arrays inside one another."""

TOO_DEEP = f"the body is nested deeper than {BODY_DEPTH_MAX} levels"


async def read_body(request: Request) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLarge: over 1 MiB; no more than that is read.
        BadRequest: there is a body, and its type is not JSON.
    """
    body = await read_bytes(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BadRequest(f"the body's Content-Type is {kind or 'not given'}; send application/json")
    return body


async def read_bytes(request: Request) -> bytes:
    """Return the whole body, whatever it is.

    Raises:
        BodyTooLarge: over 1 MiB; no more than that is read.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > BODY_BYTES_MAX:
        raise BodyTooLarge(f"the body has {length} bytes, and at most {BODY_BYTES_MAX} are read: send large data by reference")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge(f"the body has more than {BODY_BYTES_MAX} bytes: send large data by reference")
    return bytes(body)


def with_body(request: Request, body: bytes) -> Request:
    """Return the same request with its body put back for the endpoint to read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def parsed(body: bytes) -> JsonValue:
    """Return the JSON value of a body.

    Raises:
        BadRequest: no UTF-8, no JSON, a repeated key, or a number no JSON can hold.
        BodyTooLarge: more than 64 levels deep.
        InvalidInput: a text holds U+0000 or half of a surrogate pair, which cannot be stored.
    """
    try:
        value = cast("JsonValue", json.loads(body.decode(), parse_constant=_no_number, object_pairs_hook=_object))
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start} cannot be read") from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise BodyTooLarge(TOO_DEEP) from error
    except ValueError as error:
        raise BadRequest(f"the body is not JSON that can be read: {error}") from error
    _check_tree(value)
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return found


def _check_tree(root: JsonValue) -> None:
    """Walk without recursion: the depth is the caller's, not ours.

    Raises:
        BodyTooLarge: too deep. What `_check_leaf` raises.
    """
    level, depth = [root], 0
    while level:
        inner: list[JsonValue] = []
        containers = 0
        for value in level:
            _check_leaf(value)
            if isinstance(value, dict):
                containers += 1
                inner += [*value, *value.values()]
            elif isinstance(value, list):
                containers += 1
                inner += value
        depth += containers > 0
        if depth > BODY_DEPTH_MAX:
            raise BodyTooLarge(TOO_DEEP)
        level = inner


def _check_leaf(value: JsonValue) -> None:
    if isinstance(value, float) and math.isinf(value):
        raise BadRequest("a number of the body is too large for a double")
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput("a text of the body holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    if isinstance(value, str) and "\0" in value:
        raise InvalidInput("a text of the body holds the character U+0000, which cannot be stored")
