"""What was settled, and what things will probably cost: groups, invoices, estimates with their interval, and the port. Pure.

An estimate begins as the worst case and learns from settled calls: what they cost as a part of their own worst case. `low` and `high` are
the 5 % and 95 % quantiles of that part, so nine of ten calls should lie between; before there are enough, broad defaults stand instead.
"""

from collections.abc import Sequence
from math import ceil
from typing import Final, Literal, Protocol

from domain.model import Value

GroupBy = Literal["run", "step", "agent", "definition", "model", "tenant", "day"]
CONFIDENCE: Final = 0.9
"""The part of calls that should lie between `low` and `high`."""
SAMPLES_MIN: Final = 20
"""Fewer settled calls than this say too little about a 5 % tail."""
SAMPLES_MAX: Final = 500
"""The newest this many count: habits change."""
DEFAULT_RATIOS: Final = (0.02, 0.3, 1.0)
"""Low, expected and high as parts of the worst case while nothing is known: answers are rarely as long as they may be."""


class CostQuery(Value):
    """What to sum up, and by what; instants are RFC 3339, `until` is exclusive."""

    by: GroupBy = "day"
    since: str | None = None
    until: str | None = None
    run: str | None = None
    definition: str | None = None
    model: str | None = None
    limit: int = 1000


class CostGroup(Value):
    """Sums over one group; `key` is the day, the run, or `definition/step`."""

    key: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    duration_ms: int


class InvoiceLine(Value):
    """What one definition used of one model or paid tool within a month."""

    definition: str
    subject: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int


class Invoice(Value):
    """A tenant's month, in UTC. Settled costs never change, so a closed month gives the same invoice for ever."""

    tenant: str
    month: str
    closed: bool
    currency: Literal["USD"] = "USD"
    lines: tuple[InvoiceLine, ...]
    total_usd_micros: int


class Interval(Value):
    """An estimate: `expected` is the median, and `low` to `high` should hold 90 % of calls."""

    low: int
    expected: int
    high: int

    def __add__(self, other: "Interval") -> "Interval":
        """Return the interval of both together, as if they were dear and cheap at once: broader than needed, never narrower."""
        return Interval(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)


class Calibration(Value):
    """How a model's settled calls compare with their worst cases: quantiles 5, 50 and 95 % in dollars and in tokens."""

    samples: int = 0
    usd: tuple[float, float, float] = DEFAULT_RATIOS
    tokens: tuple[float, float, float] = DEFAULT_RATIOS

    @property
    def calibrated(self) -> bool:
        """Whether it comes from settled calls."""
        return self.samples >= SAMPLES_MIN


class Estimate(Value):
    """What something will probably cost; `usd_micros` is None when a model has no price. `worst` is what its calls may use at most."""

    usd_micros: Interval | None
    tokens: Interval
    worst_usd_micros: int | None
    worst_tokens: int
    confidence: float = CONFIDENCE
    samples: int
    basis: Literal["defaults", "settled_calls", "settled_runs"]
    unpriced: tuple[str, ...] = ()


def interval(worst: int, ratios: tuple[float, float, float]) -> Interval:
    """Return the interval of a worst case and the parts of it that calls use; never above the worst case."""
    low, expected, high = (min(round(worst * ratio), worst) for ratio in ratios)
    return Interval(low=low, expected=expected, high=high)


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the 5, 50 and 95 % quantiles, the outer ones rounded outward. The values may not be empty."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return ordered[int(0.05 * last)], ordered[round(0.5 * last)], ordered[ceil(0.95 * last)]


class CostStore(Protocol):
    """Settled costs."""

    async def grouped(self, tenant: str, query: CostQuery) -> list[CostGroup]:
        """Return sums by group, the dearest first; days in order."""
        ...

    async def invoice(self, tenant: str, month: str) -> Invoice:
        """Return the lines of a month `YYYY-MM`."""
        ...

    async def calibration(self, tenant: str, model: str) -> Calibration:
        """Return how a model's newest settled calls compare with their worst cases."""
        ...

    async def runs_of(self, tenant: str, definition: str) -> list[tuple[int, int]]:
        """Return (micro-USD, tokens) of the newest succeeded runs of a definition."""
        ...
