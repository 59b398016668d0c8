"""The watch over tool calls: what is usual for a version of a tool, and which calls are not. Pure.

It reads the audit alone: how often, in which run, for how much, with arguments of which form, and to which sites. Seven kinds are told
apart. It learns as it goes; what it reports it does not take for usual, but a new field or site that was reported is known from then on.
"""

from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import Final, Protocol

from domain.model import Value, Wire
from domain.stores import Page
from domain.tool_audit import CallForm, CallVerdict

LEARNED_CALLS: Final = 100
"""Before so many calls of a version nothing about one call is unusual."""
LEARNED_MINUTES: Final = 20
LEARNED_RUNS: Final = 20
"""The same for what is counted by minutes, and by runs."""
RATE_FLOOR: Final = 30
RUN_FLOOR: Final = 25
SPEND_FLOOR: Final = 10_000
COST_FLOOR: Final = 1_000
SIZE_FLOOR: Final = 1_024
"""Calls a minute, calls in a run, micro-USD a minute, micro-USD and bytes beyond the usual: less is never unusual."""
NOVELTY_MAX: Final = 0.02
"""A tool that meets something new more often than this is made for it: nothing new is unusual there (a fetcher of any page)."""
KNOWN_MAX: Final = 500
RUNS_MAX: Final = 100
MEMORY: Final = 0.01
"""Weight of the newest value once there are a hundred: the usual follows slow change."""
WATCHED: Final = frozenset({CallVerdict.ALLOWED, CallVerdict.FAILED, CallVerdict.IN_DOUBT})
"""Calls that were made; what was stopped before is no use of the tool."""


class AnomalyKind(StrEnum):
    """How a call is unlike the usual ones."""

    RATE = "rate"
    RUNAWAY = "runaway"
    COST = "cost"
    SPEND = "spend"
    FIELDS = "fields"
    SIZE = "size"
    DESTINATION = "destination"


class Anomaly(Value):
    """One finding; `quarantined` says that the tool was held back for it."""

    kind: AnomalyKind
    run: str
    seq: int
    tool: str
    version: str
    agent: str | None = None
    detail: str
    at: str
    found_at: str | None = None
    quarantined: bool = False


class AnomalyReader(Protocol):
    """Reads what the watch found."""

    async def anomalies(self, tenant: str, *, tool: str | None, limit: int, cursor: str | None) -> Page[Anomaly]:
        """Return anomalies, latest found first."""
        ...


class WatchedCall(Value):
    """One row of the audit, as the watch reads it."""

    run: str
    seq: int
    tool: str
    version: str
    agent: str | None
    verdict: CallVerdict
    cost_usd_micros: int
    form: CallForm
    at: datetime


class Spread(Wire):
    """Mean and variance of what was seen, the newest weighted by `MEMORY` at least."""

    seen: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def learn(self, value: float) -> None:
        """Take one value in."""
        self.seen += 1
        weight = max(1 / self.seen, MEMORY)
        apart = value - self.mean
        self.mean += weight * apart
        self.variance = (1 - weight) * (self.variance + weight * apart * apart)

    def limit(self, *, deviations: float, times: float, floor: float, counted: bool = False) -> float:
        """Return up to where a value is usual; `counted` things vary by chance at least as much as their root."""
        deviation = sqrt(max(self.variance, self.mean if counted else 0.0))
        return max(self.mean + deviations * deviation, self.mean * times, floor)


class Novelty(Wire):
    """What was met in how many calls, and in which share of the latest something new came."""

    met: int = 0
    known: dict[str, None] = {}
    rate: float = 0.0

    def meet(self, things: list[str], *, armed: bool) -> list[str]:
        """Return which of these are new and worth telling, and know them from now on."""
        new = [thing for thing in things if thing not in self.known]
        told = new if armed and self.rate < NOVELTY_MAX else []
        self.met += 1
        self.rate += (float(bool(new)) - self.rate) * max(MEMORY / 2, 1 / self.met)
        for thing in new:
            if len(self.known) < KNOWN_MAX:
                self.known[thing] = None
        return told


class Baseline(Wire):
    """What is usual for one version of a tool. `minute` counts from 1970; `runs` are the calls of the last runs, oldest first."""

    v: int = 1
    calls: int = 0
    cost: Spread = Spread()
    size: Spread = Spread()
    fields: Novelty = Novelty()
    sites: Novelty = Novelty()
    minute: int = 0
    calls_now: int = 0
    spent_now: int = 0
    told_now: list[AnomalyKind] = []
    rate: Spread = Spread()
    spend: Spread = Spread()
    runs: dict[str, int] = {}
    told_runs: list[str] = []


class Watch:
    """Looks at the calls of one version of a tool in the order in which they ended; `baseline` changes with each."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline

    def look(self, call: WatchedCall) -> list[Anomaly]:
        """Return how this call is unlike the usual ones, and learn from it."""
        if call.verdict not in WATCHED:
            return []
        self._turn_to(int(call.at.timestamp()) // 60)
        found = {**self._by_minute(call), **self._by_run(call), **self._by_itself(call)}
        self.baseline.calls += 1
        return [
            Anomaly(
                kind=kind,
                run=call.run,
                seq=call.seq,
                tool=call.tool,
                version=call.version,
                agent=call.agent,
                detail=detail,
                at=call.at.isoformat(),
            )
            for kind, detail in found.items()
        ]

    def _turn_to(self, minute: int) -> None:
        """Close the running minute, and learn from it what was usual in it."""
        known = self.baseline
        if minute <= known.minute:
            return
        if known.calls_now:
            if AnomalyKind.RATE not in known.told_now:
                known.rate.learn(known.calls_now)
            if AnomalyKind.SPEND not in known.told_now:
                known.spend.learn(known.spent_now)
        known.minute, known.calls_now, known.spent_now, known.told_now = minute, 0, 0, []

    def _by_minute(self, call: WatchedCall) -> dict[AnomalyKind, str]:
        known, found = self.baseline, dict[AnomalyKind, str]()
        known.calls_now += 1
        known.spent_now += call.cost_usd_micros
        if known.rate.seen < LEARNED_MINUTES:
            return found
        usual = known.rate.limit(deviations=6, times=3, floor=RATE_FLOOR, counted=True)
        if known.calls_now > usual and AnomalyKind.RATE not in known.told_now:
            found[AnomalyKind.RATE] = f"{known.calls_now} calls in one minute, usually {known.rate.mean:.0f}"
        usual = known.spend.limit(deviations=6, times=3, floor=SPEND_FLOOR)
        if known.spent_now > usual and AnomalyKind.SPEND not in known.told_now:
            found[AnomalyKind.SPEND] = f"{known.spent_now} micro-USD in one minute, usually {known.spend.mean:.0f}"
        known.told_now = [*known.told_now, *found]
        return found

    def _by_run(self, call: WatchedCall) -> dict[AnomalyKind, str]:
        known = self.baseline
        count = known.runs.pop(call.run, 0) + 1
        others = sorted(known.runs.values())
        known.runs[call.run] = count  # at the end: it is the latest
        if len(known.runs) > RUNS_MAX:
            del known.runs[next(iter(known.runs))]
        if count <= RUN_FLOOR or len(others) < LEARNED_RUNS or call.run in known.told_runs:
            return {}
        usual = others[len(others) * 9 // 10]
        if count <= 5 * usual:
            return {}
        known.told_runs = [*known.told_runs[1 - RUNS_MAX :], call.run]
        return {AnomalyKind.RUNAWAY: f"{count} calls in the run {call.run}; nine runs of ten make at most {usual}"}

    def _by_itself(self, call: WatchedCall) -> dict[AnomalyKind, str]:
        known, found = self.baseline, dict[AnomalyKind, str]()
        armed = known.calls >= LEARNED_CALLS
        usual = known.cost.limit(deviations=8, times=2, floor=known.cost.mean + COST_FLOOR)
        if armed and call.cost_usd_micros > usual:
            found[AnomalyKind.COST] = f"it cost {call.cost_usd_micros} micro-USD, usually {known.cost.mean:.0f}"
        else:
            known.cost.learn(call.cost_usd_micros)
        usual = known.size.limit(deviations=8, times=3, floor=known.size.mean + SIZE_FLOOR)
        if armed and call.form.bytes > usual:
            found[AnomalyKind.SIZE] = f"its arguments have {call.form.bytes} bytes, usually {known.size.mean:.0f}"
        else:
            known.size.learn(call.form.bytes)
        if new := known.fields.meet(list(call.form.shape), armed=armed):
            found[AnomalyKind.FIELDS] = f"its arguments have {len(new)} fields, or types of fields, that no call had before"
        if new := known.sites.meet(list(call.form.hosts), armed=armed):
            found[AnomalyKind.DESTINATION] = f"it goes to {', '.join(new)}, where no call went before"
        return found
