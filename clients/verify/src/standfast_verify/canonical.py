"""Canonical JSON (RFC 8785): what a stored body must look like, and the bytes that signatures and digests cover.

Written from the RFC; the platform uses another implementation. `tests/vectors` holds the published values.
"""

import json
import math
import re
from decimal import Decimal
from typing import cast

SAFE_INTEGER = 2**53 - 1
"""Larger integers are no exact doubles (RFC 8785 §3.2.2.3, ECMAScript's Number.MAX_SAFE_INTEGER)."""

_FIXED_DIGITS_MAX = 21
"""ECMAScript writes numbers from 1e21 on with an exponent (Number::toString, step 6)."""


def number_text(value: float) -> str:
    """Return a number as ECMAScript writes it (RFC 8785 §3.2.2.3).

    Raises:
        ValueError: it is no finite number.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form")
    if value == 0:
        return "0"
    # repr gives the shortest digits that read back as the same double, as ECMAScript demands.
    _, digits_read, exponent = Decimal(repr(abs(value))).as_tuple()
    digits = "".join(map(str, digits_read)).rstrip("0")
    point = len(digits_read) + cast("int", exponent)
    return ("-" if value < 0 else "") + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Write `digits` with the decimal point after the first `point` of them."""
    if len(digits) <= point <= _FIXED_DIGITS_MAX:
        return digits + "0" * (point - len(digits))
    if 0 < point <= _FIXED_DIGITS_MAX:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{point - 1:+d}"


def canonical_text(value: object) -> str:
    """Return the RFC 8785 text of a value as `json` reads it.

    Raises:
        ValueError: it has none: a number that is not finite, half a surrogate pair.
        TypeError: it is nothing that JSON knows.
    """
    if isinstance(value, str):
        value.encode()
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if -SAFE_INTEGER <= value <= SAFE_INTEGER else number_text(_as_double(value))
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, cast("list[object]", value))) + "]"
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        names = sorted(members, key=_sort_key)
        return "{" + ",".join(f"{canonical_text(name)}:{canonical_text(members[name])}" for name in names) + "}"
    raise TypeError(f"JSON has no {type(value).__name__}")


def _as_double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _sort_key(name: str) -> bytes:
    """Order names by their UTF-16 code units (RFC 8785 §3.2.3)."""
    return name.encode("utf-16-be")


class _SawFraction(Exception):
    """The text holds a number with fraction or exponent: its form needs a closer look."""


def _fraction(text: str) -> float:
    raise _SawFraction(text)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_WHOLE_NUMBERS = json.JSONDecoder(parse_float=_fraction, parse_constant=_no_constant)
_ANY_NUMBERS = json.JSONDecoder(parse_constant=_no_constant)
_LONG_NUMBER = re.compile(r"\d{16}")
"""Beyond SAFE_INTEGER a number may have another form; long digits inside of strings only cost time."""


def decoded(body: bytes) -> tuple[object, str | None]:
    """Return a body's value and why its bytes are not canonical, None when they are.

    Raises:
        ValueError: it is no JSON at all.
    """
    text = body.decode()
    try:
        if text.isascii():
            value = _WHOLE_NUMBERS.decode(text)
            # ASCII without fractions: the encoder of the standard library writes the same as RFC 8785, and is fast.
            if _SORTED.encode(value) == text and _LONG_NUMBER.search(text) is None:
                return value, None
    except _SawFraction:
        pass
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return _compared(text)


def _compared(text: str) -> tuple[object, str | None]:
    try:
        value = cast("object", _ANY_NUMBERS.decode(text))
        wanted = canonical_text(value)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if wanted == text:
        return value, None
    place = next((at for at, (have, want) in enumerate(zip(text, wanted, strict=False)) if have != want), min(len(text), len(wanted)))
    return value, f"from character {place} on it reads {text[place : place + 16]!r}, canonical is {wanted[place : place + 16]!r}"
