"""S15: 50 parallel steps race for one remaining unit of a budget, and whoever wins dies between reserve and settle (PROOF §4).

Three races in turn: steps of one run for the run's budget, each with nothing but the reserve itself to keep them apart; runs of a tenant
for the tenant's; runs of a definition for the definition's. At all times spent + reserved ≤ limit; after twice the lease nothing leaks.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4

from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from domain.budget import Cap, Charge
from tests.contracts.money_bench import RUN, MoneyBench
from tests.faults.harness.processes import ROOT
from tests.faults.harness.report import Finding, Order
from tests.faults.planted.registry import plant_sql
from tests.servers.postgres import embedded_postgres

RACERS = 50
LIMIT = 10
LEASE_MS = 150
CONNECTIONS = 16
KILL_EVERY = 25
"""A process is killed in one trial of so many; in the others the winner just never comes back."""

_OVER = b"""
SELECT 'budget ' || scope AS what, held + spent AS used FROM budgets WHERE tenant_id = %(tenant)s AND held + spent > hard
UNION ALL SELECT 'run ' || run, reserved + spent + settled FROM allowances
WHERE tenant_id = %(tenant)s AND reserved + spent + settled > hard
"""
_GATE = b"""
SELECT (SELECT count(*) FROM (SELECT 1 FROM allowances WHERE tenant_id = %(tenant)s FOR NO KEY UPDATE) AS a)
    + (SELECT count(*) FROM (SELECT 1 FROM budgets WHERE tenant_id = %(tenant)s FOR NO KEY UPDATE) AS b) AS n
"""
_WAITING = b"SELECT count(*) AS n FROM pg_stat_activity WHERE usename = current_user AND wait_event_type = 'Lock'"
_HELD = b"SELECT count(*) AS n FROM reservations WHERE tenant_id = %(tenant)s"


@dataclass
class Race:
    """One race: `runs` take part; `ask` begins one attempt for one unit and says whether it may; `side` has connections of its own."""

    money: MoneyBench
    runs: list[str]
    ask: Callable[[str, str, int], Coroutine[None, None, bool]]
    side: MoneyBench
    violations: list[str] = field(default_factory=list[str])


async def bare(db: Database, side: Database, tenant: str) -> Race:
    """Steps of one run, through the SQL function alone: the journal would line them up at the run's row."""
    money = await MoneyBench(db, tenant).accept()
    caps = (Cap(usd_micros=LIMIT),)
    await money.begin("spent", LIMIT - 1, caps=caps)
    await money.end("spent", LIMIT - 1)

    async def ask(run: str, step: str, lease_ms: int) -> bool:
        del lease_ms  # no effect stands behind it, so it has leaked at once
        charge = Jsonb(Charge(usd_micros=1, caps=caps).model_dump(mode="json"))
        row = await db.call(tenant, "budget_reserve", [run, step, Int4(1), "1.model", step, charge])
        return row["refused"] is None

    return Race(money, [RUN], ask, MoneyBench(side, tenant))


async def shared(db: Database, side: Database, tenant: str, scope: str) -> Race:
    """One step each of many runs for a budget they share."""
    money = await MoneyBench(db, tenant).accept()
    runs = [f"run_{number:026d}" for number in range(100, 100 + RACERS)]
    await money.accept(*runs)
    await (money.limit("tenant", "", LIMIT) if scope == "tenant" else money.limit("definition", "delay-claim", LIMIT))
    await money.begin("spent", LIMIT - 1)
    await money.end("spent", LIMIT - 1)

    async def ask(run: str, step: str, lease_ms: int) -> bool:
        return (await money.begin(step, 1, run=run, lease_ms=lease_ms)).answer == "go"

    return Race(money, runs, ask, MoneyBench(side, tenant))


async def watch(race: Race, done: asyncio.Event) -> int:
    """Look at the sums for as long as the race goes; return how often."""
    looks = 0
    while not done.is_set():
        race.violations += [f"{row['what']} has used {row['used']} of {LIMIT}" for row in await race.side.rows(_OVER)]
        looks += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(0.002):
                await done.wait()
    return looks


async def all_at_once(race: Race, lease_ms: int) -> tuple[int, int]:
    """Let everybody ask for the one unit at a locked gate and open it; return how many may, and how often the sums were looked at."""
    done = asyncio.Event()
    asked = [(race.runs[number % len(race.runs)], f"s{number}") for number in range(RACERS)]
    async with race.side.db.tenant(race.side.tenant) as gate:
        await gate.rows(_GATE, {"tenant": race.money.tenant})
        racing = [asyncio.create_task(race.ask(run, step, lease_ms)) for run, step in asked]
        await crowded(race.side.db)
        watching = asyncio.create_task(watch(race, done))
    went = sum(await asyncio.gather(*racing))
    done.set()
    return went, await watching


async def crowded(db: Database) -> None:
    """Wait until nearly every connection waits at the gate."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        async with db.platform() as tx:
            if ((await tx.row(_WAITING)) or {"n": 0})["n"] >= CONNECTIONS - 2:
                return
        await asyncio.sleep(0.005)


async def settled_again(race: Race) -> None:
    """Wait at most twice the lease until nothing is held any more."""
    until = time.monotonic() + 2 * LEASE_MS / 1000
    while (await race.money.rows(_HELD))[0]["n"] and time.monotonic() < until:
        await asyncio.sleep(0.01)
        await race.money.budgets.bring_back(race.money.tenant, idle_ms=60_000)
    left = (await race.money.rows(_HELD))[0]["n"]
    if left:
        race.violations.append(f"{left} reservations leaked beyond twice the lease")


def kill_a_worker(app_url: str, tenant: str) -> bool:
    """Start a process that reserves the unit and kill it; True when it held the unit."""
    command = [sys.executable, "-m", "tests.faults.budget_victim", app_url, tenant, RUN, str(LEASE_MS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        said = victim.stdout.readline() if victim.stdout else ""
        victim.send_signal(signal.SIGKILL)
        return said == "held\n"


async def trial(db: Database, side: Database, app_url: str, *, number: int, chance: random.Random) -> tuple[Race, Counter[str]]:
    """One race, its winner's death, and the next step's turn."""
    tenant = f"race-{number}-{chance.randrange(2**32):08x}"
    kind = ("bare", "tenant", "definition")[number % 3]
    race = await (bare(db, side, tenant) if kind == "bare" else shared(db, side, tenant, kind))
    went, looks = await all_at_once(race, LEASE_MS)
    faults: Counter[str] = Counter({"looks": looks, "refused": RACERS - went, "died holding": went})
    if went != 1:
        race.violations.append(f"{kind}: {went} of {RACERS} went for the one unit that was left")
    await settled_again(race)
    if number % KILL_EVERY == KILL_EVERY - 1 and await asyncio.to_thread(kill_a_worker, app_url, tenant):
        faults["processes killed"] += 1
        await settled_again(race)
    if not await race.ask(race.runs[0], "after", LEASE_MS):
        race.violations.append(f"{kind}: the unit did not come back")
    try:
        await race.money.check()
    except AssertionError as error:
        race.violations.append(f"{kind}: {error}"[:300])
    race.violations[:] = [f"trial {number}: {line}" for line in dict.fromkeys(race.violations)]
    return race, faults


async def _race(trials: int, seed: int, plant: str | None) -> Finding:
    chance, finding, faults = random.Random(seed), Finding(), Counter[str]()
    with ExitStack() as stack:
        owner_url = stack.enter_context(embedded_postgres()).owner_url
        app_url = str(migrate(owner_url, app_password="app-password").app_url)
        plant_sql(plant, owner_url)
        racers = Database(app_url, min_size=CONNECTIONS, max_size=CONNECTIONS, timeout_s=30)
        async with racers as db, Database(app_url, max_size=4) as side:
            for number in range(trials):
                race, seen = await trial(db, side, app_url, number=number, chance=chance)
                faults += seen
                finding.violations += race.violations
                finding.n += 1
    finding.figures["looks at the sums"] = str(faults.pop("looks", 0))
    finding.faults = dict(faults)
    finding.expected = {"died holding": trials, "processes killed": trials // KILL_EVERY}
    return finding


def budget_race(trials: int, *, seed: int = 1, plant: str | None = None) -> Finding:
    """Run so many races on a server of their own."""
    return asyncio.run(_race(trials, seed, plant))


def run_race(order: Order) -> Finding:
    """Run S15 at the order's scale."""
    return budget_race(order.size(smoke=6, ci=100, full=1000), seed=order.seed, plant=order.plant)
