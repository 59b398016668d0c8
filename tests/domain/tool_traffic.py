"""Seeded traffic of tool calls: usual ones of three tools, and anomalies of each kind put among them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.tool_anomalies import AnomalyKind, WatchedCall
from domain.tool_audit import CallForm, CallVerdict, form_of

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOSTS = ("api.bank.example", "mail.example", "files.partner.example", "10.1.2.3")


@dataclass(frozen=True)
class Case:
    """A call, and of which planted anomaly it is a part (its kind and number), if any."""

    call: WatchedCall
    planted: tuple[AnomalyKind, int] | None = None


class Traffic:
    """Three tools: one paid by use, one with wide arguments, one that fetches any page."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.seq = 0
        self.runs = 0

    def usual(self, count: int) -> Iterator[WatchedCall]:
        """Make usual calls: about twelve a minute, four in a run, sizes and costs that scatter."""
        for place in range(count):
            self.now += timedelta(seconds=self.rng.expovariate(0.2))
            if place % 4 == 0:
                self.runs += 1
            yield self.one(f"run_{self.runs}", tool=self.rng.choice(["pay", "pay", "report", "fetch"]))

    def one(
        self,
        run: str,
        *,
        tool: str = "pay",
        cost: int | None = None,
        arguments: dict[str, object] | None = None,
        hosts: tuple[str, ...] = (),
        size: int | None = None,
    ) -> WatchedCall:
        """Make one call of now."""
        self.seq += 1
        form = self.form(tool, arguments, hosts)
        return WatchedCall(
            run=run,
            seq=self.seq,
            tool=tool,
            version="1.0.0",
            agent="claims/review",
            verdict=CallVerdict.FAILED if self.rng.random() < 0.02 else CallVerdict.ALLOWED,
            cost_usd_micros=int(self.rng.lognormvariate(5.3, 0.4)) if cost is None else cost,
            form=form if size is None else form.model_copy(update={"bytes": size}),
            at=self.now,
        )

    def form(self, tool: str, more: dict[str, object] | None, hosts: tuple[str, ...]) -> CallForm:
        """Make the form of a usual call's arguments, with more where something is planted."""
        rng = self.rng
        given: dict[str, object] = {"amount": rng.randint(1, 900), "to": "x" * rng.randint(8, 24)}
        if rng.random() < 0.3:
            given["note"] = "n" * int(rng.lognormvariate(4, 1))
        if tool == "report":
            given |= {"rows": [{"id": 1, "name": "a"}] * rng.randint(1, 30), "draft": rng.choice([True, None])}
        if tool == "fetch":
            given["url"] = f"https://site{rng.randint(1, 100_000)}.example/page"
        usual = (rng.choice(HOSTS),) if tool == "pay" else ()
        return form_of({**given, **(more or {})}, hosts=hosts or usual)  # pyright: ignore[reportArgumentType]  # JSON by construction


def planted(traffic: Traffic, kind: AnomalyKind, number: int) -> list[WatchedCall]:
    """Make the calls of one anomaly; those that need several come within seconds."""
    run, rng = f"odd_{kind}_{number}", traffic.rng
    match kind:
        case AnomalyKind.COST:
            return [traffic.one(run, cost=rng.randint(4_000, 60_000))]
        case AnomalyKind.SIZE:
            return [traffic.one(run, size=rng.randint(9_000, 400_000))]
        case AnomalyKind.FIELDS:
            odd: dict[str, object] = {f"field{number}": 1} if number % 2 else {"amount": str(number), f"deep{number}": {"x": None}}
            return [traffic.one(run, arguments=odd)]
        case AnomalyKind.DESTINATION:
            return [traffic.one(run, hosts=(f"drop{number}.evil{number}.example",))]
        case AnomalyKind.RATE:
            return _burst(traffic, [f"{run}_{place}" for place in range(rng.randint(90, 200))])
        case AnomalyKind.RUNAWAY:
            return _burst(traffic, [run] * rng.randint(60, 90), over_s=1800.0)
        case AnomalyKind.SPEND:
            return _burst(traffic, [f"{run}_{place}" for place in range(24)], cost=1_150)


def _burst(traffic: Traffic, runs: list[str], *, over_s: float = 20.0, cost: int | None = None) -> list[WatchedCall]:
    calls: list[WatchedCall] = []
    for run in runs:
        traffic.now += timedelta(seconds=over_s / len(runs))
        calls.append(traffic.one(run, cost=cost))
    return calls


def mixed(seed: int, *, usual: int, each: int) -> Iterator[Case]:
    """Return usual calls, of which the first tenth only teaches, with `each` anomalies of every kind put among the rest."""
    traffic = Traffic(seed)
    plan = [(kind, number) for kind in AnomalyKind for number in range(each)]
    traffic.rng.shuffle(plan)
    gap = (usual - usual // 10) // len(plan)
    yield from (Case(call) for call in traffic.usual(usual // 10))
    for kind, number in plan:
        yield from (Case(call) for call in traffic.usual(gap))
        traffic.now += timedelta(seconds=70)
        yield from (Case(call, (kind, number)) for call in planted(traffic, kind, number))
        traffic.now += timedelta(seconds=70)
    yield from (Case(call) for call in traffic.usual(usual - usual // 10 - gap * len(plan)))
