"""`python -m tests.faults`: runs fault scenarios on a stack of real processes and prints what it saw. Exit code 1 unless all passed.

python -m tests.faults --scenario S1,S4 --scale ci --seed 7
python -m tests.faults --scenario S1 --plant key-per-attempt   # a planted bug: exit code 0 when it is caught
"""

import argparse
import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.faults.harness.processes import ROOT
from tests.faults.harness.report import Finding, Order, Scenario, as_json, lines_of, say, write_json
from tests.faults.planted.registry import PLANTS
from tests.faults.scenarios import SCENARIOS
from wiring.processes import leave


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Runs fault scenarios on a stack of real processes.")
    parser.add_argument("--scenario", default=",".join(SCENARIOS), help=f"comma-separated names of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument("--scale", choices=("smoke", "ci", "full"), default="ci")
    parser.add_argument("--seed", type=int, default=None, help="a new one, which is printed, when left out")
    parser.add_argument("--report", type=Path, help="also write the figures as JSON here")
    parser.add_argument(
        "--plant", choices=[*sorted(PLANTS), "all"], help="plant this bug, or each in turn: the run is good when its scenario catches it"
    )
    parser.add_argument("--keep", type=Path, help="keep state, logs and evidence in this folder")
    return parser.parse_args()


async def run_one(name: str, scenario: Scenario, order: Order) -> Finding:
    """Run one scenario; whatever it raises is its finding."""
    say(f"{name}: scale {order.scale}, seed {order.seed}" + (f", planted bug: {order.plant}" if order.plant else ""))
    started = time.monotonic()
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # so that what was started is stopped
    try:
        finding = await scenario(order)
    except Exception as error:  # noqa: BLE001 - the report must come, and names the error
        finding = Finding(broken="".join(traceback.format_exception(error))[-3000:])
    finding.seconds = time.monotonic() - started
    finding.load = os.getloadavg()[0]
    return finding


def commit() -> str:
    """Return the commit that runs, with `+` when files differ from it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return (head or "unknown") + ("+" if changed else "")


def run_all(chosen: argparse.Namespace, folder: Path) -> bool:
    """Run the scenarios one after the other; True when every one passed, or when the planted bug was caught."""
    seed = secrets.randbelow(2**31) if chosen.seed is None else chosen.seed
    planted = list(PLANTS) if chosen.plant == "all" else [chosen.plant] if chosen.plant else []
    wanted: list[tuple[str, str | None]] = [(name, plant) for plant in planted for name in (PLANTS[plant].scenario, *PLANTS[plant].also)]
    wanted = wanted or [(name.strip(), None) for name in chosen.scenario.split(",")]
    say(f"commit {commit()}, seed {seed}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    reports: list[dict[str, object]] = []
    bad: list[str] = []
    for name, plant in wanted:
        order = Order(scale=chosen.scale, seed=seed, folder=folder / f"{name}-{plant or 'clean'}", plant=plant)
        order.folder.mkdir(parents=True, exist_ok=True)
        finding = asyncio.run(run_one(name, SCENARIOS[name], order))
        lines = lines_of(name, order, finding)
        for line in lines:
            say(line)
        reports.append(as_json(name, order, finding))
        if finding.verdict != ("FAIL" if plant else "PASS"):
            bad += lines
    if chosen.report:
        write_json(chosen.report, reports)
    said = "caught" if chosen.plant else "all passed"
    say("\n".join([f"NOT {said}; once more what was not as it should be:", *bad]) if bad else said)
    return not bad


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    chosen = options()
    unknown = {name.strip() for name in chosen.scenario.split(",")} - set(SCENARIOS)
    if unknown:
        sys.stderr.write(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}\n")
        return 2
    if chosen.keep:
        return 0 if run_all(chosen, chosen.keep) else 1
    with tempfile.TemporaryDirectory(prefix="standfast-faults-") as folder:
        return 0 if run_all(chosen, Path(folder)) else 1


if __name__ == "__main__":
    try:
        leave(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        leave(130)
