"""S5: the gateway's answer is cut off after the commit, and the gateway killed in that moment; the client comes again with the same key.

Each key is sent by 8 clients at once, the first answer is withheld, and then it is sent 5 times more.
"""

import asyncio
import random
import time

import httpx2

from tests.faults.harness.client import Client
from tests.faults.harness.cutting_proxy import CuttingProxy
from tests.faults.harness.evidence import all_ended, judge
from tests.faults.harness.report import Finding, Order, spread
from tests.faults.harness.stack import FaultStack, fault_stack
from tests.faults.scenarios.definitions import HOLD_EFFECTS, hold_files

AT_ONCE = 8
AGAIN = 5
KEYS_AT_ONCE = 4


class Cutter:
    """Decides which answers are withheld: the first of each key. With some of them the gateway dies, and sometimes in mid-request."""

    def __init__(self, stack: FaultStack, chance: random.Random, keys: list[str], *, kills: int) -> None:
        self._stack = stack
        self._chance = chance
        chosen = chance.sample(keys, 2 * kills)
        self._with_answer = set(chosen[:kills])
        self._in_between = set(chosen[kills:])
        self._cut: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.between = 0

    def seen(self, key: str) -> None:
        """Kill the gateway a moment after a chosen request has reached it: before, at or after its commit."""
        if key in self._in_between:
            self._in_between.discard(key)
            task = asyncio.create_task(self._kill_soon())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def cut(self, key: str) -> bool:
        """Withhold the first answer of a key: it is known here when the gateway has committed, and before the client knows."""
        if not key.startswith("s5-") or key in self._cut:
            return False
        self._cut.add(key)
        if key in self._with_answer:
            await self._stack.gateway.kill()
        return True

    async def _kill_soon(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.03))
        if self._stack.gateway.ready and await self._stack.gateway.kill():
            self.between += 1


async def run_replies(order: Order) -> Finding:
    """Run S5."""
    chance = random.Random(order.seed)
    keys = [f"s5-{place}" for place in range(order.size(smoke=8, ci=100, full=1000))]
    kills = order.size(smoke=2, ci=12, full=60)
    finding = Finding(n=len(keys))
    finding.expected = {"answer cut": len(keys), "gateway killed with the answer": kills // 2, "gateway killed in mid-request": kills // 4}
    async with fault_stack(order.folder, plant=order.plant, workers=1) as stack, stack.kept(stack.gateway):
        cutter = Cutter(stack, chance, keys, kills=kills)
        proxy = CuttingProxy(int(stack.addresses["gateway"].rpartition(":")[2]), seen=cutter.seen, cut=cutter.cut)
        client, developer = stack.client(url=await proxy.start()), stack.client("developer")
        await developer.must_post("/v1/definitions", {"files": hold_files(stack.bank.caller.url, stack.mail.caller.url)}, key="hold")
        turns = asyncio.Semaphore(KEYS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(_insist(client, key, turns, finding))
        quiet = await all_ended(stack)
        finding.faults["answer cut"] = proxy.cuts
        finding.faults["gateway killed with the answer"] = stack.gateway.kills - cutter.between
        finding.faults["gateway killed in mid-request"] = cutter.between
        finding.figures["time until all 13 requests of a key were answered"] = spread(client.waited)
        finding.figures["all ended after the last request"] = f"{quiet:.1f} s"
        await judge(stack, finding, effects=HOLD_EFFECTS, claims={key: {"ends": ["succeeded"]} for key in keys})
        await proxy.stop()
        for each in (client, developer):
            await each.aclose()
    return finding


async def _insist(client: Client, key: str, turns: asyncio.Semaphore, finding: Finding) -> None:
    """Send one key 8 times at once and then 5 times more, each until it is answered; all answers are one run's, byte for byte."""
    body = {"definition": "hold", "input": {"claim": key}}
    async with turns:
        started = time.monotonic()
        answers = await asyncio.gather(*(_answer(client, body, key) for _ in range(AT_ONCE)))
        answers += [await _answer(client, body, key) for _ in range(AGAIN)]
        client.waited.append(time.monotonic() - started)
    different = set(answers)
    if len(different) != 1:
        finding.violations.append(f"key {key} got {len(different)} different answers: {sorted(different)[:2]}")


async def _answer(client: Client, body: object, key: str) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            answer = await client.post("/v1/runs", body, key=key)
        except httpx2.HTTPError:
            await asyncio.sleep(random.uniform(0.05, 0.3))
            continue
        if answer.is_success:
            return answer.text
        wait = answer.headers.get("retry-after", "")
        await asyncio.sleep(min(float(wait), 1.0) if wait.isdigit() else random.uniform(0.05, 0.3))
    return "no answer"
