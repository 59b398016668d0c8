"""S9: inbound webhooks of four schemes, each sent 1–5 times and all of them shuffled, while the gateway is killed; some replayed later.

Half of them start runs, half are signals to runs that listen, some of which begin to only later. The senders sign by themselves and come
again until they are answered, as the real ones do. One webhook id is one effect, and all its answers are one.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from dataclasses import dataclass

import httpx2
import psycopg

from tests.faults.harness.client import Client, Json
from tests.faults.harness.evidence import all_ended, judge
from tests.faults.harness.report import Finding, Order, spread
from tests.faults.harness.stack import FaultStack, fault_stack
from tests.faults.scenarios.definitions import HOLD_EFFECTS, hold_files, listening_files

SCHEMES = ("standard-webhooks", "github", "stripe", "slack")
AT_ONCE = 12
PATIENCE_S = 120.0
STALE_S = 600
"""A request that is replayed as it was, ten minutes later, is refused; the same id signed anew gets the first answer."""

START = {"kind": "start", "definition": "hold", "input": {"claim": "${ input.body.claim }"}}
SIGNAL = {"kind": "signal", "signal": "payment.settled", "correlate": "${ input.body.claim }", "payload": {"sum": "${ input.body.sum }"}}

LEFT_OVER = "SELECT webhook_id, state FROM hook_requests WHERE state NOT IN ('started', 'delivered')"
TOLD_TWICE = "SELECT run, count(*) FROM ledger_entries WHERE kind = 'workflow:signal:received' GROUP BY run HAVING count(*) > 1"
NAMED = "SELECT count(*) FROM ledger_entries WHERE kind IN ('gateway:hook:received', 'gateway:signal:sent')"


@dataclass(frozen=True)
class Source:
    """A registered hook, as its sender knows it."""

    address: str
    scheme: str
    secret: str

    def request(self, webhook_id: str, body: Json, *, age_s: int = 0) -> tuple[dict[str, str], bytes]:
        """Return headers and body, signed as the scheme says, with nothing of the product."""
        named = {"stripe": "id", "slack": "event_id"}.get(self.scheme)
        raw = json.dumps({**body, named: webhook_id} if named else body).encode()
        at = str(int(time.time()) - age_s)
        if self.scheme == "standard-webhooks":
            made = self._mac(f"{webhook_id}.{at}.".encode() + raw)
            signature = f"v1,{base64.b64encode(made).decode()}"
            return {"webhook-id": webhook_id, "webhook-timestamp": at, "webhook-signature": signature}, raw
        if self.scheme == "github":
            return {"x-github-delivery": webhook_id, "x-hub-signature-256": f"sha256={self._mac(raw).hex()}"}, raw
        if self.scheme == "stripe":
            return {"stripe-signature": f"t={at},v1={self._mac(f'{at}.'.encode() + raw).hex()}"}, raw
        signature = f"v0={self._mac(f'v0:{at}:'.encode() + raw).hex()}"
        return {"x-slack-request-timestamp": at, "x-slack-signature": signature}, raw

    def _mac(self, signed: bytes) -> bytes:
        standard = self.scheme == "standard-webhooks"
        key = base64.b64decode(self.secret.removeprefix("whsec_")) if standard else self.secret.encode()
        return hmac.new(key, signed, hashlib.sha256).digest()


@dataclass(frozen=True)
class Event:
    """One webhook id, with what it is about."""

    claim: str
    source: Source
    signals: bool


class Sender:
    """Sends webhooks until they are answered, and writes each answer down as the client does."""

    def __init__(self, stack: FaultStack, finding: Finding) -> None:
        self._http = httpx2.AsyncClient(base_url=stack.addresses["gateway"], timeout=20, trust_env=False)
        self._log = (stack.folder / "requests.jsonl").open("a", encoding="utf-8")
        self._finding = finding
        self.waited: list[float] = []
        self.sent = 0

    async def send(self, event: Event) -> None:
        """Send one event until it is taken, signed anew each time."""
        started = time.monotonic()
        while time.monotonic() - started < PATIENCE_S:
            answer = await self.once(event)
            if answer is not None and answer.is_success:
                self.waited.append(time.monotonic() - started)
                return
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                self._finding.violations.append(f"{event.claim} was refused with {answer.status_code}: {answer.text[:200]}")
                return
            await asyncio.sleep(random.uniform(0.05, 0.3))
        self._finding.violations.append(f"{event.claim} was not taken in {PATIENCE_S:g} s")

    async def once(self, event: Event, *, age_s: int = 0) -> httpx2.Response | None:
        """Send once; None when no answer came."""
        headers, raw = event.source.request(event.claim, {"claim": event.claim, "sum": 5}, age_s=age_s)
        self.sent += 1
        try:
            answer = await self._http.post(event.source.address, content=raw, headers=headers)
        except httpx2.HTTPError:
            return None
        if age_s == 0:
            line = {"at": time.time(), "path": "/hooks", "key": event.claim, "status": answer.status_code, "body": answer.text}
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()
        return answer

    async def aclose(self) -> None:
        """Close the connections and the log."""
        await self._http.aclose()
        self._log.close()


async def run_webhooks(order: Order) -> Finding:
    """Run S9."""
    chance = random.Random(order.seed)
    deliveries = order.size(smoke=60, ci=500, full=10_000)
    kills = order.size(smoke=2, ci=8, full=60)
    finding = Finding(expected={"gateway killed": kills // 2, "repeated": deliveries // 3, "replayed later": deliveries // 60})
    async with fault_stack(order.folder, plant=order.plant, workers=2) as stack, stack.kept(stack.gateway):
        operator, developer = stack.client(), stack.client("developer")
        bank, mail = stack.bank.caller.url, stack.mail.caller.url
        for key, files in (("hold", hold_files(bank, mail)), ("listening", listening_files(bank, mail))):
            await developer.must_post("/v1/definitions", {"files": files}, key=key)
        starting = [await _registered(developer, scheme, START) for scheme in SCHEMES]
        signalling = [await _registered(developer, scheme, SIGNAL) for scheme in SCHEMES]
        events, copies = _events(chance, deliveries, starting, signalling)
        sender = Sender(stack, finding)
        await _all_at_once(stack, sender, operator, copies, set(chance.sample(range(len(copies)), kills)))
        finding.n = len(events)
        finding.faults = {"gateway killed": stack.gateway.kills, "repeated": len(copies) - len(events)}
        quiet = await all_ended(stack)
        finding.faults["replayed later"] = await _replayed(sender, chance.sample(events, max(2, len(events) // 10)), finding)
        finding.figures["deliveries"] = f"{sender.sent} of {len(events)} webhook ids"
        finding.figures["time until a delivery was acknowledged"] = spread(sender.waited)
        finding.figures["all ended after the last delivery"] = f"{quiet:.1f} s"
        await asyncio.to_thread(_judge_rows, stack, finding, len(events))
        await judge(stack, finding, effects=HOLD_EFFECTS, claims={event.claim: {"ends": ["succeeded"]} for event in events})
        await sender.aclose()
        for client in (operator, developer):
            await client.aclose()
    return finding


async def _registered(client: Client, scheme: str, action: Json) -> Source:
    name = f"{action['kind']}-{scheme}"
    made = await client.must_post(
        "/v1/hooks", {"name": name, "scheme": scheme, "action": action, "rate_per_minute": 60_000}, key=f"hook-{name}"
    )
    return Source(made["address"], scheme, made["secret"])


def _events(chance: random.Random, deliveries: int, starting: list[Source], signalling: list[Source]) -> tuple[list[Event], list[Event]]:
    """Return the events, and each as often as it is sent, shuffled."""
    events: list[Event] = []
    copies: list[Event] = []
    while len(copies) < deliveries:
        signals = len(events) % 2 == 1
        source = (signalling if signals else starting)[len(events) // 2 % len(SCHEMES)]
        event = Event(f"s9-{len(events)}", source, signals)
        events.append(event)
        copies += [event] * min(chance.randint(1, 5), deliveries - len(copies))
    chance.shuffle(copies)
    return events, copies


async def _all_at_once(stack: FaultStack, sender: Sender, operator: Client, copies: list[Event], fatal: set[int]) -> None:
    """Send everything, start the runs that listen somewhere in between, and kill the gateway meanwhile, at deliveries chosen before."""
    turns = asyncio.Semaphore(AT_ONCE)
    last = {event.claim: place for place, event in enumerate(copies)}

    async def one(place: int, event: Event) -> None:
        async with turns:
            if place in fatal and stack.gateway.ready:
                await stack.gateway.kill()
            await sender.send(event)
            if event.signals and last[event.claim] == place:
                body = {"definition": "listening", "input": {"claim": event.claim}}
                await operator.must_post("/v1/runs", body, key=event.claim)

    first_half = {event.claim for event in copies if event.signals and int(event.claim.rpartition("-")[2]) % 4 == 1}
    for claim in sorted(first_half):
        await operator.must_post("/v1/runs", {"definition": "listening", "input": {"claim": claim}}, key=claim)
    async with asyncio.TaskGroup() as group:
        for place, event in enumerate(copies):
            group.create_task(one(place, event))


async def _replayed(sender: Sender, events: list[Event], finding: Finding) -> int:
    """Send some again when all is over: as they were ten minutes ago, which is refused, and signed anew, which changes nothing."""
    for event in events:
        stale = await sender.once(event, age_s=STALE_S)
        timed = event.source.scheme != "github"
        if timed and (stale is None or stale.status_code != 401):
            finding.violations.append(f"{event.claim}: a request of {STALE_S} s ago was answered with {stale and stale.status_code}")
        await sender.send(event)
    return len(events)


def _judge_rows(stack: FaultStack, finding: Finding, events: int) -> None:
    """Nothing is left waiting or dead, no run was told twice, and each webhook id stands in one ledger, once."""
    with psycopg.connect(stack.addresses["database"]) as connection:
        left = connection.execute(LEFT_OVER).fetchall()
        twice = connection.execute(TOLD_TWICE.encode()).fetchall()
        named = connection.execute(NAMED.encode()).fetchall()[0][0]
    finding.violations += [f"webhook {webhook_id} is left as {state}" for webhook_id, state in left[:5]]
    finding.violations += [f"run {run} was given {count} signals" for run, count in twice[:5]]
    if named != events:
        finding.violations.append(f"{events} webhook ids stand {named} times in the ledgers")
