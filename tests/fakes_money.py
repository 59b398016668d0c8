"""Budgets and settled costs in memory, for tests of the gateway; tests/contracts runs the same suite on them and on PostgreSQL."""

from collections import defaultdict
from dataclasses import dataclass, field

from domain.budget import THRESHOLDS, Scope, Unit
from domain.budget_stores import BudgetEvent, BudgetLimit, BudgetRow
from domain.costs import SAMPLES_MIN, Calibration, CostGroup, CostQuery, Invoice, InvoiceLine, quantiles
from domain.errors import NotFound
from domain.runs import RunStatus
from domain.stores import DefinitionStore, Page
from tests.fakes_database import MemoryDatabase

ORDER: list[Scope] = ["tenant", "definition", "run", "step"]


@dataclass(frozen=True, kw_only=True)
class Settled:
    """One settled call."""

    tenant: str
    run: str
    definition: str
    step: str
    call: str
    subject: str
    model: str | None
    at: str
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    worst_usd_micros: int = 0
    worst_tokens: int = 0


class FakeBudgetStore:
    """Implements `BudgetStore`; nothing is reserved or spent unless `spend` says so."""

    def __init__(self, database: MemoryDatabase, definitions: DefinitionStore) -> None:
        self._database = database
        self._definitions = definitions
        self._limits: dict[tuple[str, Scope, str, Unit], BudgetLimit] = {}
        self._spent: defaultdict[tuple[str, Scope, str, Unit], int] = defaultdict(int)
        self.events_of: defaultdict[str, list[BudgetEvent]] = defaultdict(list)
        self.told: set[str] = set()
        self.brought_back: list[str] = []

    def spend(self, tenant: str, scope: Scope, name: str, unit: Unit, amount: int) -> None:
        """Count what was spent."""
        self._spent[tenant, scope, name, unit] += amount

    async def set_limits(self, tenant: str, scope: Scope, name: str, limits: list[BudgetLimit]) -> list[BudgetRow]:
        """Set limits."""
        known = {
            "tenant": name == "",
            "definition": any(one.name == name for one in await self._definitions.all(tenant)),
            "run": (tenant, name) in self._database.runs,
        }
        if not known.get(scope, False):
            raise NotFound(f"there is no {scope} {name} here whose budget could be set")
        for limit in limits:
            self._limits[tenant, scope, name, limit.unit] = limit
        return await self.budgets(tenant, scope=scope, name=name)

    async def budgets(self, tenant: str, *, scope: Scope | None = None, name: str | None = None) -> list[BudgetRow]:
        """Return budgets by scope, name and unit."""
        keys = sorted({*self._limits, *self._spent}, key=lambda key: (ORDER.index(key[1]), key[2], key[3]))
        shown = [key for key in keys if key[0] == tenant and name in (None, key[2])]
        return [self._row(key) for key in shown if key[1] == scope or (scope is None and key[1] in ("tenant", "definition"))]

    def _row(self, key: tuple[str, Scope, str, Unit]) -> BudgetRow:
        limit = self._limits.get(key) or BudgetLimit(unit=key[3], thresholds=THRESHOLDS)
        start = None if limit.period == "total" else self._database.now()
        fields = limit.model_dump(exclude={"unit"})
        return BudgetRow(scope=key[1], name=key[2], unit=key[3], period_start=start, reserved=0, spent=self._spent[key], **fields)

    async def events(self, tenant: str, *, limit: int, cursor: str | None) -> Page[BudgetEvent]:
        """Return what was passed, newest first."""
        start = int(cursor or 0)
        listed = list(reversed(self.events_of[tenant]))
        more = str(start + limit) if len(listed) > start + limit else None
        return Page[BudgetEvent](items=tuple(listed[start : start + limit]), next_cursor=more)

    async def untold(self, tenant: str, *, limit: int) -> list[BudgetEvent]:
        """Return what nobody was told."""
        return [event for event in self.events_of[tenant] if event.event not in self.told][:limit]

    async def mark_told(self, tenant: str, event: str) -> None:
        """Remember."""
        del tenant
        self.told.add(event)

    async def bring_back(self, tenant: str, *, idle_ms: int) -> int:
        """Remember that it was asked."""
        del idle_ms
        self.brought_back.append(tenant)
        return 0


@dataclass
class FakeCostStore:
    """Implements `CostStore` over a list."""

    database: MemoryDatabase
    settled: list[Settled] = field(default_factory=list[Settled])

    async def grouped(self, tenant: str, query: CostQuery) -> list[CostGroup]:
        """Return sums by group."""
        groups: dict[str, CostGroup] = {}
        for one in self.settled:
            if one.tenant != tenant or not _within(one, query) or (query.by == "agent" and "." not in one.call):
                continue
            key = _key(one, query)
            sums = groups.get(key) or CostGroup(key=key, calls=0, input_tokens=0, output_tokens=0, cost_usd_micros=0, duration_ms=0)
            added = {name: getattr(sums, name) + getattr(one, name) for name in ("input_tokens", "output_tokens", "cost_usd_micros")}
            groups[key] = sums.model_copy(update={**added, "calls": sums.calls + 1})
        ordered = sorted(groups.values(), key=lambda group: group.key)
        if query.by != "day":
            ordered.sort(key=lambda group: (-group.cost_usd_micros, -group.input_tokens - group.output_tokens))
        return ordered[: query.limit]

    async def invoice(self, tenant: str, month: str) -> Invoice:
        """Return the lines of a month."""
        lines: dict[tuple[str, str], InvoiceLine] = {}
        for one in self.settled:
            if one.tenant == tenant and one.at.startswith(month):
                key = (one.definition, one.model or one.subject)
                line = lines.get(key) or InvoiceLine(
                    definition=key[0], subject=key[1], calls=0, input_tokens=0, output_tokens=0, cost_usd_micros=0
                )
                added = {name: getattr(line, name) + getattr(one, name) for name in ("input_tokens", "output_tokens", "cost_usd_micros")}
                lines[key] = line.model_copy(update={**added, "calls": line.calls + 1})
        listed = tuple(line for _, line in sorted(lines.items()))
        closed = self.database.now()[:7] > month
        return Invoice(
            tenant=tenant, month=month, closed=closed, lines=listed, total_usd_micros=sum(line.cost_usd_micros for line in listed)
        )

    async def calibration(self, tenant: str, model: str) -> Calibration:
        """Return how settled calls compare with their worst cases."""
        seen = [one for one in self.settled if one.tenant == tenant and one.model == model and one.worst_tokens]
        if len(seen) < SAMPLES_MIN:
            return Calibration(samples=len(seen))
        tokens = quantiles([(one.input_tokens + one.output_tokens) / one.worst_tokens for one in seen])
        usd = [one.cost_usd_micros / one.worst_usd_micros for one in seen if one.worst_usd_micros]
        return Calibration(samples=len(seen), tokens=tokens, usd=quantiles(usd) if len(usd) >= SAMPLES_MIN else tokens)

    async def runs_of(self, tenant: str, definition: str) -> list[tuple[int, int]]:
        """Return what succeeded runs used."""
        rows = [row for (owner, _), row in self.database.runs.items() if owner == tenant and row.definition == definition]
        return [(row.cost_usd_micros, row.input_tokens + row.output_tokens) for row in rows if row.status is RunStatus.SUCCEEDED]


def _within(one: Settled, query: CostQuery) -> bool:
    wanted = ((query.run, one.run), (query.definition, one.definition), (query.model, one.model))
    return all(asked in (None, is_) for asked, is_ in wanted) and (query.since or "") <= one.at < (query.until or "9")


def _key(one: Settled, query: CostQuery) -> str:
    match query.by:
        case "run":
            return one.run
        case "step" | "agent":
            return f"{one.definition}/{one.step}"
        case "definition":
            return one.definition
        case "model":
            return one.model or one.subject
        case "tenant":
            return one.tenant
        case _:
            return one.at[:10]
