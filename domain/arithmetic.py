"""Sums as people write them, computed exactly in decimals: what stands behind the tool `calc`. Pure; nothing is ever evaluated as code."""

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DecimalException

from domain.errors import InvalidInput

CHARS_MAX = 2000
DEPTH_MAX = 50
"""Deepest nesting of parentheses, signs and powers."""
ARGUMENTS_MAX = 200
EXPONENT_MAX = 1000
"""Largest power: beyond it a result has thousands of digits, which nobody asked for."""

CONTEXT = Context(prec=50, Emax=5000, Emin=-5000)
"""Fifty digits carry every sum of money exactly; what grows beyond 10^5000 is an error."""

_TOKEN = re.compile(r"\s*(?:(?P<number>(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,4})?)|(?P<name>[a-z]+)|(?P<sign>\*\*|//|[-+*/%^(),]))")
_BINARY: dict[str, tuple[int, Callable[[Decimal, Decimal], Decimal]]] = {
    "+": (1, CONTEXT.add),
    "-": (1, CONTEXT.subtract),
    "*": (2, CONTEXT.multiply),
    "/": (2, CONTEXT.divide),
    "//": (2, lambda a, b: CONTEXT.divide(a, b).to_integral_value(ROUND_FLOOR)),
    "%": (2, lambda a, b: CONTEXT.subtract(a, CONTEXT.multiply(b, CONTEXT.divide(a, b).to_integral_value(ROUND_FLOOR)))),
}
"""How tightly each binds, and what it does; `//` and `%` go with the floor, as in Python for negative numbers too."""
_CONSTANTS = {"pi": Decimal("3.1415926535897932384626433832795028841971693993751"), "e": CONTEXT.exp(Decimal(1))}


def _rounded(values: Sequence[Decimal]) -> Decimal:
    places = int(values[1]) if len(values) > 1 else 0
    if abs(places) > 50:
        raise InvalidInput("round(x, places) takes at most 50 places")
    return values[0].quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=CONTEXT)


def _total(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = CONTEXT.add(total, value)
    return total


FUNCTIONS: dict[str, tuple[int, int, Callable[[Sequence[Decimal]], Decimal]]] = {
    "abs": (1, 1, lambda v: abs(v[0])),
    "min": (1, ARGUMENTS_MAX, min),
    "max": (1, ARGUMENTS_MAX, max),
    "sum": (1, ARGUMENTS_MAX, _total),
    "avg": (1, ARGUMENTS_MAX, lambda v: CONTEXT.divide(_total(v), Decimal(len(v)))),
    "round": (1, 2, _rounded),
    "floor": (1, 1, lambda v: v[0].to_integral_value(ROUND_FLOOR)),
    "ceil": (1, 1, lambda v: v[0].to_integral_value(ROUND_CEILING)),
    "sqrt": (1, 1, lambda v: CONTEXT.sqrt(v[0])),
    "ln": (1, 1, lambda v: CONTEXT.ln(v[0])),
    "log": (1, 1, lambda v: CONTEXT.log10(v[0])),
    "exp": (1, 1, lambda v: CONTEXT.exp(v[0])),
}
"""Each function's fewest and most arguments, and what it does. `round` rounds a half away from zero, as money is rounded."""


def calculate(expression: str) -> Decimal:
    """Return the value of an expression, such as `(250.00 - 40) * 1.19`.

    Raises:
        InvalidInput: it is none, divides by zero, or is too long, too deep or too large.
    """
    if len(expression) > CHARS_MAX:
        raise InvalidInput(f"the expression is longer than {CHARS_MAX} characters", where="/expression")
    reader = _Reader(_tokens(expression))
    try:
        value = reader.sum(1, DEPTH_MAX)
        reader.end()
        return CONTEXT.plus(value)
    except DecimalException as error:
        raise InvalidInput(f"the sum cannot be done: {_reason(error)}", where="/expression") from error


def shown(value: Decimal) -> str:
    """Return a value as people write it, without an exponent where it is short enough."""
    text = format(value.normalize(CONTEXT), "f") if -30 < value.adjusted() < 60 else str(value.normalize(CONTEXT))
    return "0" if text in ("-0", "0") else text


def _reason(error: DecimalException) -> str:
    names = {"DivisionByZero": "division by zero", "Overflow": "the result is too large", "InvalidOperation": "it has no value"}
    return next((names[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in names), "it has no value")


def _tokens(expression: str) -> list[str]:
    found: list[str] = []
    place = 0
    text = expression.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidInput(
                f"the expression has something unknown at character {place + 1}: {text[place : place + 10]!r}", where="/expression"
            )
        found.append(match[0].strip())
        place = match.end()
    return found


class _Reader:
    """Reads tokens by precedence climbing."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._place += 1
        return token

    def end(self) -> None:
        """Refuse what stands behind the expression.

        Raises:
            InvalidInput: as it says.
        """
        if self._next():
            raise InvalidInput(f"the expression does not end before {self._next()!r}: an operator is missing", where="/expression")

    def sum(self, tight: int, room: int) -> Decimal:
        """Read a sum whose operators bind at least so tightly.

        Raises:
            InvalidInput: it is none, or too deep.
            DecimalException: it has no value.
        """
        if room <= 0:
            raise InvalidInput(f"the expression is nested deeper than {DEPTH_MAX}", where="/expression")
        left = self._signed(room - 1)
        while (known := _BINARY.get(self._next())) is not None and known[0] >= tight:
            self._place += 1
            left = known[1](left, self.sum(known[0] + 1, room - 1))
        return left

    def _signed(self, room: int) -> Decimal:
        if self._next() in ("+", "-"):
            if room <= 0:
                raise InvalidInput(f"the expression is nested deeper than {DEPTH_MAX}", where="/expression")
            sign = self._take()
            value = self._signed(room - 1)
            return CONTEXT.minus(value) if sign == "-" else value
        return self._power(room)

    def _power(self, room: int) -> Decimal:
        base = self._single(room)
        if self._next() not in ("^", "**"):
            return base
        self._place += 1
        exponent = self._signed(room - 1)
        if abs(exponent) > EXPONENT_MAX:
            raise InvalidInput(f"powers go up to {EXPONENT_MAX}", where="/expression")
        return CONTEXT.power(base, exponent)

    def _single(self, room: int) -> Decimal:
        word = self._take()
        if word == "(":
            value = self.sum(1, room - 1)
            self._closing()
            return value
        if word[:1].isdigit() or word[:1] == ".":
            return CONTEXT.create_decimal(word.replace("_", ""))
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if word in FUNCTIONS:
            return self._called(word, room)
        known = ", ".join([*FUNCTIONS, *_CONSTANTS])
        raise InvalidInput(
            f"a number is missing at {word!r}; names are {known}" if word else "the expression ends too early", where="/expression"
        )

    def _called(self, name: str, room: int) -> Decimal:
        fewest, most, function = FUNCTIONS[name]
        if self._take() != "(":
            raise InvalidInput(f"{name} takes its numbers in parentheses", where="/expression")
        values = [self.sum(1, room - 1)]
        while self._next() == "," and len(values) <= most:
            self._place += 1
            values.append(self.sum(1, room - 1))
        self._closing()
        if not fewest <= len(values) <= most:
            raise InvalidInput(f"{name} takes {fewest} to {most} numbers", where="/expression")
        return function(values)

    def _closing(self) -> None:
        if self._take() != ")":
            raise InvalidInput("a closing parenthesis is missing", where="/expression")
