"""Budgets: what may be used, and what an effect may use at most (JOURNAL §3). Pure; the ports are `domain/budget_stores.py`.

Every amount is an integer of one unit: micro-USD, tokens (in and out), or milliseconds that effects take. A hard limit is never
passed by a call: its worst case is reserved before it begins. A soft limit only tells.
"""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Literal

from pydantic import Field

from domain.model import Value, Wire

AMOUNT_MAX = 2**53 - 1
"""Largest amount: JSON numbers are doubles (RFC 8785)."""
THRESHOLDS = (50, 80, 100)
"""Percent of a limit at which spending is told, unless a budget names others."""
_MICROS = 1_000_000


class Unit(StrEnum):
    """What is counted."""

    USD_MICROS = "usd_micros"
    TOKENS = "tokens"
    MS = "ms"


Scope = Literal["tenant", "definition", "run", "step"]
Period = Literal["total", "day", "month"]
"""How long spending counts; days and months are those of UTC."""


class BudgetRule(Wire):
    """`budget:` of a definition or a step; None is no limit."""

    usd_micros: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    tokens: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    ms: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)


class Cap(BudgetRule):
    """A budget of the definition as it travels with an effect below it: the run's (`step` '') or a step's."""

    step: str = ""

    def covers(self, path: str) -> bool:
        """Whether an effect of the step at `path` counts against it."""
        return self.step in ("", path) or path.startswith(self.step + ".")


class Charge(Value):
    """The worst case of one attempt. `usd_micros` None: nobody knows a price. `forced`: counted, and never refused (an undo)."""

    usd_micros: int | None = 0
    tokens: int = 0
    ms: int = 0
    forced: bool = False
    caps: tuple[Cap, ...] = ()


def usd_micros(text: str) -> int | None:
    """Return a decimal number of dollars such as `0.50` as micro-USD, or None if it is none or finer than a micro-USD."""
    try:
        micros = Decimal(text) * _MICROS
    except InvalidOperation:
        return None
    if not micros.is_finite() or micros < 0 or micros > AMOUNT_MAX or micros != micros.to_integral_value():
        return None
    return int(micros)


def usd_text(micros: int) -> str:
    """Return micro-USD as dollars with six decimals."""
    return f"{micros // _MICROS}.{micros % _MICROS:06d}"
