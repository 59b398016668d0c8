"""S2: a worker is killed at every fault point that the demo's claims and a payout's saga reach, each at least once.

First nothing is killed, and every point that is reached is written down. Then, wave by wave, points are armed, two of one call at most,
and everything runs again under new claims, until each point has ended a worker. The seed chooses which points share a wave.
"""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.harness.client import Client
from tests.faults.harness.evidence import all_ended, judge
from tests.faults.harness.report import Finding, Order
from tests.faults.harness.stack import FaultStack, fault_stack
from tests.faults.scenarios.definitions import SAGA_EFFECTS, payout_files, tool_files

POINTS_PER_CALL = 2
"""A call that lost more attempts than it has would fail, and the run take another way."""

WAVES_MAX = 8
EXAMPLE = Path(__file__).parents[3] / "examples" / "delay_claim"
SCRIPTS = json.dumps({"claim-reviewer": str(EXAMPLE / "scripts" / "claim-reviewer.yaml")})
PAYOUTS: tuple[tuple[str, str, str] | None, ...] = (None, ("mail", "messages", "refuse"), ("bank", "payments", "timeout_after_apply"))
CLAIMS: dict[str, tuple[str, str] | None] = {
    "01-paid-at-once": None,
    "02-waits-for-a-person": None,
    "03-never-flew": None,
    "04-pay-fails": ("payments", "refuse"),
    "06-cancelled": None,
    "07-below-the-threshold": None,
}
"""The demo's claims, and what the bank is told to do to each; the seventh of the demo differs from the first only by a kill."""

REFUSED = {"03-never-flew", "07-below-the-threshold"}


@dataclass(frozen=True)
class Points:
    """The fault file, and what workers write beside it."""

    file: Path

    def arm(self, points: list[str]) -> None:
        """Name the points at which a worker ends itself, once each."""
        self.file.write_text("".join(f"{point}\n" for point in points), encoding="utf-8")

    def of(self, what: str) -> set[str]:
        """Return the points that were `reached` or have `fired`."""
        place = Path(f"{self.file}.{what}")
        return set(place.read_text(encoding="utf-8").splitlines()) if place.exists() else set()


async def run_sweep(order: Order) -> Finding:
    """Run S2."""
    points = Points(order.folder.resolve() / "points")
    finding = Finding()
    claims: dict[str, dict[str, Any]] = {}  # Any: what the checker is told of a claim, as JSON
    environment = {"STANDFAST_FAULT_FILE": str(points.file), "STANDFAST_SCRIPTS": SCRIPTS}
    async with fault_stack(order.folder, plant=order.plant, environment=environment, points=True) as stack, stack.kept(*stack.workers):
        client = stack.client()
        await register(stack)
        deciding = asyncio.create_task(approve_everything(stack))
        await run_wave(stack, client, "dry", claims)
        reached = points.of("reached")
        fired: Counter[str] = Counter()
        for seed in range(order.seed, order.seed + order.size(smoke=1, ci=1, full=20)):
            fired += await sweep(stack, client, points, reached, seed=seed, order=order, claims=claims)
        quiet = await all_ended(stack)
        deciding.cancel()
        finding.n = len(claims)
        finding.faults = {"points at which a worker ended": len(fired), "workers ended": fired.total()}
        finding.expected = {"points at which a worker ended": len(reached) if order.scale != "smoke" else 5}
        finding.figures["fault points reached"] = str(len(reached))
        finding.figures["all ended after the last kill"] = f"{quiet:.1f} s"
        missed = sorted(reached - set(fired))
        if missed:
            finding.figures["points that did not fire"] = "; ".join(missed)
        await judge(stack, finding, effects=SAGA_EFFECTS, claims=claims)
        await client.aclose()
    return finding


async def sweep(
    stack: FaultStack, client: Client, points: Points, reached: set[str], *, seed: int, order: Order, claims: dict[str, dict[str, Any]]
) -> "Counter[str]":
    """Kill at every point once and return where workers ended."""
    chance = random.Random(seed)
    fired: set[str] = set()
    for wave in range(1 if order.scale == "smoke" else WAVES_MAX):
        left = sorted(reached - fired)
        if not left:
            break
        chance.shuffle(left)
        calls: Counter[str] = Counter()
        chosen: list[str] = []
        for point in left:
            call = point.partition(" ")[2]
            if calls[call] < POINTS_PER_CALL:
                calls[call] += 1
                chosen.append(point)
        Path(f"{points.file}.fired").unlink(missing_ok=True)
        points.arm(chosen)
        await run_wave(stack, client, f"{seed}-{wave}", claims)
        fired |= points.of("fired")
    points.arm([])
    return Counter(fired)


async def register(stack: FaultStack) -> None:
    """Register payout and the demo's bundle, with tools that notice a dead worker after a second."""
    developer = stack.client("developer")
    bank, mail = stack.bank.caller.url, stack.mail.caller.url
    await developer.must_post("/v1/definitions", {"files": payout_files(bank, mail)}, key="payout")
    found = [path for path in (EXAMPLE / "bundle").rglob("*") if path.suffix in (".yaml", ".json", ".md") and path.parent.name != "tools"]
    bundle = {path.relative_to(EXAMPLE / "bundle").as_posix(): path.read_text(encoding="utf-8") for path in found}
    await developer.must_post("/v1/definitions", {"files": {**bundle, **tool_files(bank, mail, bank_s=2)}}, key="delay-claim")
    await developer.aclose()


async def run_wave(stack: FaultStack, client: Client, name: str, claims: dict[str, dict[str, Any]]) -> None:
    """Start every path once under new claims, and wait until all have ended."""
    started: list[str] = []
    for number, failure in enumerate(PAYOUTS):
        claim = f"pay-{number}-{name}"
        claims[claim] = {}
        if failure is not None:
            service, route, mode = failure
            stack.arm(stack.bank if service == "bank" else stack.mail, route=route, mode=mode, claim=claim, count=1000)
        body = {"definition": "payout", "input": {"claim": claim, "amount": 50_000_000}}
        started.append((await client.must_post("/v1/runs", body, key=claim))["run"])
    for story, fault in CLAIMS.items():
        told = json.loads((EXAMPLE / "claims" / f"{story}.json").read_text(encoding="utf-8"))
        claim = f"{told['claim_id']}{len(claims):05d}"
        claims[claim] = {"reads": True, **({"effects": {"message": 1}} if story in REFUSED else {})}
        if fault is not None:
            stack.arm(stack.bank, route=fault[0], mode=fault[1], claim=claim, count=1000)
        body = {"definition": "delay-claim", "input": {"claim": {**told, "claim_id": claim}}}
        started.append((await client.must_post("/v1/runs", body, key=claim))["run"])
    await asyncio.gather(*(client.outcome(run, patience_s=240) for run in started))


async def approve_everything(stack: FaultStack) -> None:
    """Be the reviewer: approve whatever is open, until cancelled."""
    approver = stack.client("approver")
    while True:
        try:
            found = (await approver.get("/v1/approvals", {"state": "open"})).json()["items"]
            for asked in found:
                path = f"/v1/approvals/{asked['approval']}/decision"
                await approver.post(path, {"verdict": "approve", "digest": asked["digest"]}, key=f"yes-{asked['approval']}")
        except (httpx2.HTTPError, KeyError):
            pass
        await asyncio.sleep(0.5)
