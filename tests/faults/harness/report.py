"""What a scenario is given and what it must report (PROOF H3, H4, H7)."""

import json
import os
import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Scale = Literal["smoke", "ci", "full"]


def say(line: str) -> None:
    """Write one line to the screen at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class Order:
    """One scenario to run.

    Attributes:
        scale: `ci` and `full` are the numbers of PROOF §4; `smoke` is a few of each, to see that it runs.
        seed: Chooses victims, pauses and who fails.
        folder: An empty folder of this scenario's own, for state, logs and evidence.
        plant: The name of a bug to plant, None for the product as it is.
    """

    scale: Scale
    seed: int
    folder: Path
    plant: str | None = None

    def size(self, *, smoke: int, ci: int, full: int) -> int:
        """Return the number for this scale."""
        return {"smoke": smoke, "ci": ci, "full": full}[self.scale]


@dataclass
class Finding:
    """What a scenario found.

    Attributes:
        n: How many sagas, points, keys, trials or examples it judged.
        faults: Faults that fired, by name.
        expected: The least number of each fault; fewer makes the scenario an error, whatever it judged.
        figures: Everything else worth a number, in words.
        violations: One line per breach of an invariant; a good run has none.
        broken: What broke the scenario itself.
    """

    n: int = 0
    faults: dict[str, int] = field(default_factory=dict[str, int])
    expected: dict[str, int] = field(default_factory=dict[str, int])
    figures: dict[str, str] = field(default_factory=dict[str, str])
    violations: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    load: float = 0.0
    broken: str | None = None

    @property
    def not_fired(self) -> list[str]:
        """Declared faults that did not fire as often as declared (PROOF H4)."""
        return [
            f"{name}: {self.faults.get(name, 0)} of {least}" for name, least in self.expected.items() if self.faults.get(name, 0) < least
        ]

    @property
    def verdict(self) -> str:
        """PASS, FAIL or ERROR: the scenario itself broke, or a declared fault did not fire."""
        if self.broken is not None:
            return "ERROR"
        if self.violations:
            return "FAIL"
        return "ERROR" if self.not_fired else "PASS"

    @property
    def overloaded(self) -> bool:
        """Whether the box was too busy for its latencies to count (PROOF H7)."""
        return self.load > 2 * (os.cpu_count() or 1)


Scenario = Callable[[Order], Awaitable[Finding]]


def spread(values: list[float], unit: str = "s") -> str:
    """Return p50, p95, p99 and the largest of some values in words."""
    if not values:
        return "none"
    if len(values) == 1:
        return f"{values[0]:.2f} {unit} (n=1)"
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49]:.2f}, p95 {cuts[94]:.2f}, p99 {cuts[98]:.2f}, max {max(values):.2f} {unit} (n={len(values)})"


def lines_of(name: str, order: Order, finding: Finding) -> list[str]:
    """Return the report of one scenario."""
    faults = ", ".join(f"{fault} {count}" for fault, count in sorted(finding.faults.items())) or "none"
    load = f"load {finding.load:.1f}" + (" (overloaded: its latencies do not count)" if finding.overloaded else "")
    plant = f", planted bug: {order.plant}" if order.plant else ""
    lines = [
        f"{name} {finding.verdict}: n={finding.n}, seed {order.seed}, scale {order.scale}, {finding.seconds:.0f} s, {load}{plant}",
        f"    faults fired: {faults}",
        *(f"    {what}: {value}" for what, value in finding.figures.items()),
        f"    violations: {len(finding.violations)}",
        *(f"      - {line}" for line in finding.violations[:20]),
    ]
    if finding.broken is not None:
        lines.append(f"    BROKE: {finding.broken}")
    return lines + [f"    NOT FIRED: {line}" for line in finding.not_fired]


def as_json(name: str, order: Order, finding: Finding) -> dict[str, object]:
    """Return the report of one scenario for machines."""
    return {
        "scenario": name,
        "verdict": finding.verdict,
        "scale": order.scale,
        "seed": order.seed,
        "plant": order.plant,
        "n": finding.n,
        "seconds": round(finding.seconds, 1),
        "load": round(finding.load, 2),
        "faults": finding.faults,
        "figures": finding.figures,
        "violations": finding.violations,
        "broken": finding.broken,
        "not_fired": finding.not_fired,
    }


def write_json(path: Path, reports: list[dict[str, object]]) -> None:
    """Write the reports of a whole run."""
    path.write_text(json.dumps(reports, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
