"""What the gateway answers about budgets, costs, estimates and prices. Money is integer micro-USD, times are milliseconds."""

from standfast_client.models import Received


class Budget(Received):
    """A budget in one unit (`usd_micros`, `tokens` or `ms`); `left` is None without a hard limit."""

    scope: str
    name: str
    unit: str
    hard: int | None = None
    soft: int | None = None
    thresholds: list[int] = []
    period: str = "total"
    period_start: str | None = None
    reserved: int = 0
    spent: int = 0
    left: int | None = None


class BudgetEvent(Received):
    """Spending passed `threshold` percent of `basis`; `run` passed it."""

    event: str
    at: str
    scope: str
    name: str
    unit: str
    threshold: int
    basis: int
    spent: int
    run: str


class CostGroup(Received):
    """Sums over one group; `key` names it."""

    key: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    duration_ms: int


class Costs(Received):
    """Sums by group; `truncated` says that some are missing."""

    by: str
    since: str | None = None
    until: str | None = None
    items: list[CostGroup]
    total_usd_micros: int
    truncated: bool = False


class InvoiceLine(Received):
    """What one definition used of one model or paid tool."""

    definition: str
    subject: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int


class Invoice(Received):
    """A month; a closed one never changes."""

    tenant: str
    month: str
    closed: bool
    currency: str = "USD"
    lines: list[InvoiceLine]
    total_usd_micros: int


class Interval(Received):
    """Nine of ten should lie between `low` and `high`; `expected` is the middle."""

    low: int
    expected: int
    high: int


class Estimate(Received):
    """What something will probably cost; `usd_micros` is None when `unpriced` names a model. `basis` says what it was learned from."""

    usd_micros: Interval | None = None
    tokens: Interval
    worst_usd_micros: int | None = None
    worst_tokens: int
    confidence: float
    samples: int
    basis: str
    unpriced: list[str] = []


class Price(Received):
    """What a million tokens of a model cost, from an instant on."""

    model: str
    input_usd_micros_per_million: int
    output_usd_micros_per_million: int
    source: str
    effective_from: str | None = None
