"""S16: hypothesis state machines drive the ledger, the facts that ride along, and the saga beside plain models."""

import asyncio

from tests.faults.harness.report import Finding, Order
from tests.faults.machines.play import MACHINES, STEPS, play
from tests.faults.machines.rig import throwaway_rig
from tests.faults.planted.registry import PLANTS

FAULTS = (
    "attempt crashed",
    "attempt wrote late",
    "connection killed",
    "continued as new",
    "fact forged",
    "rolled back",
    "tampered",
    "workflow task lost",
)


async def run_models(order: Order) -> Finding:
    """Run S16."""
    return await asyncio.to_thread(_run, order)


def _run(order: Order) -> Finding:
    examples = order.size(smoke=150 if order.plant else 25, ci=500, full=10_000)
    finding = Finding(n=examples * len(MACHINES), expected=dict.fromkeys(FAULTS, 1))
    with throwaway_rig(plant=order.plant) as rig:
        for name in [PLANTS[order.plant].machine] if order.plant else list(MACHINES):
            wrong, took = play(name, rig, examples=examples, at=order.seed, shrink=order.plant is None)
            finding.figures[name] = f"{examples} examples of at most {STEPS} steps in {took:.0f} s"
            if wrong is not None:
                finding.violations.append(f"{name}: {wrong}")
        finding.faults = dict(rig.fired)
    return finding
