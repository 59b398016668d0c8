"""S4: PostgreSQL is killed, postmaster and children, every 5 to 20 s and stays down 0 to 5 s, under load at the gateway.

Some kills come while it still recovers from the one before. Every acknowledged write must be there afterwards.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

import httpx2

from tests.faults.harness.client import Client
from tests.faults.harness.evidence import all_ended, judge
from tests.faults.harness.report import Finding, Order, spread
from tests.faults.harness.stack import FaultStack, fault_stack
from tests.faults.scenarios.definitions import HOLD_EFFECTS, hold_files

RATE = 50
"""Requests a second at the gateway: 1 start, 2 registrations, the rest reads."""

STARTS_PER_S = 1
REGISTRATIONS_PER_S = 2
RECOVERED_S_MAX = 15.0
LITTLE = """\
standfast: 1
name: little-{n}
version: 1.0.0
input: {{schema: {{type: object}}}}
do:
  - say: {{set: {n}}}
output: '${{ steps.say.output }}'
"""


@dataclass
class Load:
    """What the load has seen. `acknowledged` are the times of successful writes."""

    acknowledged: list[float] = field(default_factory=list[float])
    served: int = 0
    refused: int = 0
    claims: list[str] = field(default_factory=list[str])
    downs: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])


async def run_database(order: Order) -> Finding:
    """Run S4."""
    chance = random.Random(order.seed)
    seconds = order.size(smoke=20, ci=90, full=600)
    finding = Finding(
        expected={"postgres killed": order.size(smoke=1, ci=3, full=30), "killed while it recovered": order.size(smoke=0, ci=1, full=5)}
    )
    load = Load()
    async with fault_stack(order.folder, plant=order.plant) as stack, stack.kept(*stack.workers):
        client, developer, viewer = (stack.client(role) for role in ("operator", "developer", "viewer"))
        await developer.must_post("/v1/definitions", {"files": hold_files(stack.bank.caller.url, stack.mail.caller.url)}, key="hold")
        killing = asyncio.create_task(kill_postgres(stack, chance, load, finding))
        try:
            await drive(client, developer, viewer, load, until=time.monotonic() + seconds)
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
        if not stack.postgres.ready:
            await stack.start_postgres()
        quiet = await all_ended(stack)
        finding.n = len(load.claims)
        await judge(stack, finding, effects=HOLD_EFFECTS, claims={claim: {"ends": ["succeeded"]} for claim in load.claims})
        tell(finding, load, quiet)
        for each in (client, developer, viewer):
            await each.aclose()
    return finding


async def kill_postgres(stack: FaultStack, chance: random.Random, load: Load, finding: Finding) -> None:
    """Kill and start again until cancelled; after one kill in four it is killed in recovery too, and first after the second kill."""
    while True:
        await asyncio.sleep(chance.uniform(5, 20))
        went = time.time()
        await stack.postgres.kill(children=True)
        finding.faults["postgres killed"] = finding.faults.get("postgres killed", 0) + 1
        await asyncio.sleep(chance.uniform(0, 5))
        none_yet = finding.faults["postgres killed"] > 1 and not finding.faults.get("killed while it recovered")
        if chance.random() < 0.25 or none_yet:
            await kill_in_recovery(stack, chance.uniform(0.02, 0.15), finding)
        await asyncio.shield(stack.start_postgres())
        load.downs.append((went, time.time()))


async def kill_in_recovery(stack: FaultStack, pause_s: float, finding: Finding) -> None:
    """Start PostgreSQL and kill it so long after its process is there; counted unless it was ready by then."""
    starting = asyncio.create_task(stack.postgres.start())
    while not stack.postgres.pid and not starting.done():
        await asyncio.sleep(0.001)
    await asyncio.sleep(pause_s)
    recovering = not starting.done()
    if await stack.postgres.kill(children=True) and recovering:
        finding.faults["killed while it recovered"] = finding.faults.get("killed while it recovered", 0) + 1
    await asyncio.gather(starting, return_exceptions=True)


async def drive(client: Client, developer: Client, viewer: Client, load: Load, *, until: float) -> None:
    """Send requests at the rate, whatever becomes of them (an open loop); writes are repeated until they are acknowledged."""
    async with asyncio.TaskGroup() as group:
        number, started = 0, time.monotonic()
        while time.monotonic() < until:
            place = number % RATE
            if place < STARTS_PER_S:
                claim = f"s4-{number}"
                load.claims.append(claim)
                group.create_task(_write(client, "/v1/runs", {"definition": "hold", "input": {"claim": claim}}, claim, load))
            elif place < STARTS_PER_S + REGISTRATIONS_PER_S:
                files = {"little.yaml": LITTLE.format(n=number)}
                group.create_task(_write(developer, "/v1/definitions", {"files": files}, f"little-{number}", load))
            else:
                group.create_task(_read(viewer, "/v1/runs" if place % 2 else "/v1/definitions", load))
            number += 1
            await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))


async def _write(client: Client, path: str, body: object, key: str, load: Load) -> None:
    await client.must_post(path, body, key=key)
    load.acknowledged.append(time.time())


async def _read(client: Client, path: str, load: Load) -> None:
    try:
        answer = await client.get(path, {"limit": "5"} if path == "/v1/runs" else None)
    except httpx2.HTTPError:
        load.refused += 1
        return
    load.served += answer.is_success
    load.refused += not answer.is_success


def tell(finding: Finding, load: Load, quiet: float) -> None:
    """Report how soon writes were acknowledged again after each outage, and judge it on a box that was not overloaded."""
    recovered = [next((at for at in sorted(load.acknowledged) if at >= up), None) for _, up in load.downs]
    took = [at - up for at, (_, up) in zip(recovered, load.downs, strict=True) if at is not None]
    finding.figures["PostgreSQL down for"] = spread([up - went for went, up in load.downs])
    finding.figures["first write acknowledged after it was back"] = spread(took)
    finding.figures["reads"] = f"{load.served} answered, {load.refused} refused or unanswered"
    finding.figures["writes acknowledged"] = str(len(load.acknowledged))
    finding.figures["all ended after the load"] = f"{quiet:.1f} s"
    if took and max(took) > RECOVERED_S_MAX:
        finding.violations.append(f"after an outage no write was acknowledged for {max(took):.1f} s")
