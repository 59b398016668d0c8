"""Conversions between columns and the values of the domain: times, JSON, cursors, and text that PostgreSQL can store. Pure."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from psycopg.types.json import Json
from pydantic import JsonValue

from domain.errors import BadRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(instant: datetime) -> str:
    """Return UTC with microseconds and `Z`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def rfc3339_or_none(instant: datetime | None) -> str | None:
    """Return the same, and None for None."""
    return None if instant is None else rfc3339(instant)


def microseconds(instant: datetime) -> int:
    """Return whole microseconds since 1970, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold, NUL and lone surrogates, by U+FFFD: error details quote outside programs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def storable_or_none(text: str | None) -> str | None:
    """Return the same, and None for None."""
    return None if text is None else storable(text)


def json_error(error: Mapping[str, str] | None) -> Json | None:
    """Return an error as a JSON parameter."""
    return None if error is None else Json({key: storable(value) for key, value in error.items()})


def json_fields(fields: Mapping[str, JsonValue]) -> Json:
    """Return fields as a JSON parameter, text made storable."""
    return Json({key: storable(value) if isinstance(value, str) else value for key, value in fields.items()})


def encode_cursor(*keys: str) -> str:
    """Return an opaque cursor over the sort keys of the last row."""
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, size: int) -> list[str]:
    """Return the sort keys of a cursor.

    Raises:
        BadRequest: it is none of ours.
    """
    try:
        keys: object = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        keys = None
    if (
        not isinstance(keys, list)
        or len(cast("list[object]", keys)) != size
        or not all(isinstance(key, str) for key in cast("list[object]", keys))
    ):
        raise BadRequest("that cursor is not one of a page of this list: take next_cursor from the page before, or leave it out")
    return cast("list[str]", keys)
