"""S1: sagas under `kill -9` of a random worker every 2 s ± 50 %; a fifth is made to fail, some of their compensations too at first."""

import asyncio
import random
from dataclasses import dataclass

from tests.faults.harness.client import Client
from tests.faults.harness.evidence import LIVENESS_S, all_ended, judge
from tests.faults.harness.report import Finding, Order, spread
from tests.faults.harness.stack import FaultStack, fault_stack
from tests.faults.scenarios.definitions import SAGA_EFFECTS, payout_files

KILL_PAUSE_S = 2.0
START_PAUSE_S = 0.6
"""Starts are spread, so that work is in flight at every kill."""

FAILURES = (
    ("bank", "reservations", "refuse"),
    ("bank", "payments", "refuse"),
    ("mail", "messages", "refuse"),
    ("bank", "reservations", "timeout_after_apply"),
    ("bank", "payments", "timeout_after_apply"),
)
"""Service, route and mode: a step that is refused, or one that takes effect and never answers."""


@dataclass(frozen=True)
class Saga:
    """One saga to run; `failure` is what its forced failure is, `stubborn` the route of a compensation that fails twice first."""

    claim: str
    amount: int
    failure: tuple[str, str, str] | None
    stubborn: str | None


def plan_sagas(chance: random.Random, n: int) -> list[Saga]:
    """Return n sagas: 20 % are forced to fail at a random step, and in 5 % of all the compensation fails twice first."""
    fails = [place % 5 == 0 for place in range(n)]
    chance.shuffle(fails)
    left = max(1, n // 20)
    sagas: list[Saga] = []
    for place, failing in enumerate(fails):
        failure = chance.choice(FAILURES) if failing else None
        stubborn = None
        if left and failure is not None and failure[1:] != ("reservations", "refuse"):
            stubborn, left = ("refund" if failure[1] == "messages" else "release"), left - 1
        sagas.append(Saga(f"s1-{place}", chance.randrange(1, 900) * 1_000_000, failure, stubborn))
    return sagas


async def run_sagas(order: Order) -> Finding:
    """Run S1."""
    chance = random.Random(order.seed)
    sagas = plan_sagas(chance, order.size(smoke=10, ci=100, full=1000))
    finding = Finding(n=len(sagas), expected={"worker killed": order.size(smoke=3, ci=15, full=100)})
    async with fault_stack(order.folder, plant=order.plant) as stack, stack.kept(*stack.workers):
        client, developer = stack.client(), stack.client("developer")
        await developer.must_post("/v1/definitions", {"files": payout_files(stack.bank.caller.url, stack.mail.caller.url)}, key="payout")
        for saga in sagas:
            arm(stack, saga)
        killing = asyncio.create_task(kill_workers(stack, chance))
        await start_all(client, sagas)
        await enough_kills(stack, finding.expected["worker killed"], killing)
        quiet = await all_ended(stack)
        finding.faults["worker killed"] = sum(worker.kills for worker in stack.workers)
        for service in (stack.bank, stack.mail):
            for mode, count in service.caller.get("/summary")["faults_fired"].items():
                finding.faults[mode] = finding.faults.get(mode, 0) + count
        finding.expected |= dict.fromkeys({saga.failure[2] for saga in sagas if saga.failure}, 1) | {"http_500": 1}
        finding.figures["starts acknowledged after"] = spread(client.waited)
        finding.figures["all ended after the last kill"] = f"{quiet:.1f} s (at most {LIVENESS_S:.0f})"
        await judge(stack, finding, effects=SAGA_EFFECTS, claims={saga.claim: {"ends": ends(saga)} for saga in sagas})
        for each in (client, developer):
            await each.aclose()
    return finding


def ends(saga: Saga) -> list[str]:
    """Return how a saga may end: a kill may use up a step's attempts, so one that was left alone may fail too, whole or undone."""
    return ["failed"] if saga.failure is not None else ["succeeded", "failed"]


def arm(stack: FaultStack, saga: Saga) -> None:
    """Make the saga fail as planned."""
    if saga.failure is not None:
        service, route, mode = saga.failure
        stack.arm(stack.bank if service == "bank" else stack.mail, route=route, mode=mode, claim=saga.claim, count=1000)
    if saga.stubborn is not None:
        stack.arm(stack.bank, route=saga.stubborn, mode="http_500", claim=saga.claim, count=2)


async def start_all(client: Client, sagas: list[Saga]) -> None:
    """Start the sagas one after the other, with pauses."""
    async with asyncio.TaskGroup() as group:
        for saga in sagas:
            body = {"definition": "payout", "input": {"claim": saga.claim, "amount": saga.amount}}
            group.create_task(client.must_post("/v1/runs", body, key=saga.claim))
            await asyncio.sleep(START_PAUSE_S)


async def kill_workers(stack: FaultStack, chance: random.Random) -> None:
    """Kill a random worker every 2 s ± 50 %; while one is just starting, it is left to get up first."""
    while True:
        await asyncio.sleep(KILL_PAUSE_S * chance.uniform(0.5, 1.5))
        while not await stack.kill_a_worker(chance):
            await asyncio.sleep(0.05)


async def enough_kills(stack: FaultStack, least: int, killing: "asyncio.Task[None]") -> None:
    """Go on killing until there are enough, while work is still open; then stop."""
    end = asyncio.get_running_loop().time() + LIVENESS_S
    while sum(worker.kills for worker in stack.workers) < least and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.1)
    killing.cancel()
    await asyncio.wait({killing})
