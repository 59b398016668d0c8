"""What budgets cost: 64 runs of one tenant in flight, with budgets around every call and without.

    python -m benchmarks.budget_cost [--runs 64] [--steps 6]

With budgets each call declares a cost and counts against its step's, the run's, the definition's and the tenant's budget, in dollars and in
seconds: the dearest case. Without, nothing is limited and nothing costs. Runs are whole runs through Temporal, and, as the lower bound of
everything around it, the journal's transactions alone. Goal: at least 0.9 of the throughput of whole runs.
"""

import argparse
import asyncio
import itertools
import statistics

import uvloop

from adapters.postgres.budgets import PostgresBudgetStore
from benchmarks.platform import PRINCIPAL, TENANT, Platform, platform, program_of
from benchmarks.servers import Servers, servers
from benchmarks.step_overhead import load
from domain.budget import BudgetRule, Charge, Unit
from domain.budget_stores import BudgetLimit
from domain.caps import ProgramCaps
from domain.effects import Carrier, EffectClass, EffectKey, EffectState, Intent, IntentAnswer, Outcome, RetryClass
from domain.envelope import Usage
from domain.program import Program
from wiring.keys import clock_text
from wiring.processes import leave

GOAL = 0.9
ROUNDS = 5
"""Turns of either kind, taken in alternation; the first of each only warms up."""
COST = 100
PLENTY = 10**12


def budgeted(program: Program) -> Program:
    """Return the program with a cost for each call, and budgets for the run and each step."""
    rule = BudgetRule(usd_micros=PLENTY, ms=PLENTY)
    tools = {name: tool.model_copy(update={"cost_usd_micros": COST}) for name, tool in program.tools.items()}
    steps = [step.model_copy(update={"budget": rule}) for step in program.steps]
    return program.model_copy(update={"tools": tools, "steps": steps, "budget": rule})


async def limit(ours: Platform, program: Program, *, hard: int | None) -> None:
    """Set or take away the limits of tenant and definition."""
    async with ours.storage.database.tenant(TENANT) as tx:
        await tx.execute("INSERT INTO definitions (tenant_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", [TENANT, program.name])
    limits = [BudgetLimit(unit=Unit.USD_MICROS, hard=hard), BudgetLimit(unit=Unit.MS, hard=hard)]
    await PostgresBudgetStore(ours.storage.database).set_limits(TENANT, "tenant", "", limits)
    await PostgresBudgetStore(ours.storage.database).set_limits(TENANT, "definition", program.name, limits)


async def whole_runs(ours: Platform, program: Program, runs: int) -> float:
    """Return whole runs a second."""
    starts = [await ours.accept(program) for _ in range(runs)]
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.gather(*(ours.run(start) for start in starts))
    return runs / (loop.time() - started)


async def journal_alone(ours: Platform, program: Program, runs: int) -> float:
    """Return calls a second through intent and outcome."""
    starts = [await ours.accept(program) for _ in range(runs)]
    caps, tokens = ProgramCaps(program), itertools.count()
    cost = program.tools["bench.instant"].cost_usd_micros

    async def one(run: str) -> None:
        carrier = Carrier(tenant=TENANT, run=run, epoch=1, principal=PRINCIPAL, correlation_id=run)
        for step in program.steps:
            key, token = EffectKey(tenant=TENANT, run=run, step=step.path, visit=1, call="call"), f"t{next(tokens)}"
            verdict = await ours.storage.journal.intent(
                Intent(
                    carrier=carrier,
                    key=key,
                    digest="0" * 64,
                    effect_class=EffectClass.READ,
                    retry_class=RetryClass.IDEMPOTENT,
                    subject="bench.instant@1.0.0",
                    kind="agent:tool:requested",
                    at=clock_text(),
                    attempt=1,
                    lease_token=token,
                    lease_ms=10_000,
                    temporal_run_id=run,
                    request={"n": 1},
                    charge=Charge(usd_micros=cost, ms=5000, caps=caps.of(step.path)),
                )
            )
            if verdict.answer is not IntentAnswer.GO:
                raise AssertionError(verdict)
            await ours.storage.journal.outcome(
                Outcome(
                    carrier=carrier,
                    key=key,
                    lease_token=token,
                    state=EffectState.DONE,
                    kind="agent:tool:called",
                    at=clock_text(),
                    attempt=1,
                    output={"n": 1},
                    usage=Usage(cost_usd_micros=cost, duration_ms=3),
                )
            )

    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.gather(*(one(start.run) for start in starts))
    return runs * len(program.steps) / (loop.time() - started)


async def measure(there: Servers, *, runs: int, steps: int) -> bool:
    """Measure in alternation and print; False when the goal is missed."""
    free = program_of(steps, "steps")
    bounded = budgeted(free)
    good = True
    async with platform(there) as ours:
        for name, turn, goal in (("whole runs", whole_runs, GOAL), ("journal alone, calls", journal_alone, None)):
            rates: dict[bool, list[float]] = {True: [], False: []}
            for number in range(2 * ROUNDS):
                with_budgets = number % 2 == 1
                await limit(ours, free, hard=PLENTY if with_budgets else None)
                rates[with_budgets].append(await turn(ours, bounded if with_budgets else free, runs))
            plain, paid = (statistics.median(rates[kind][1:]) for kind in (False, True))
            ratio = paid / plain
            print(f"{name} a second, {runs} runs of {steps} steps in flight: without budgets {plain:.1f}, with {paid:.1f}: {ratio:.2f}")
            if goal is not None:
                good &= ratio >= goal
                print(f"    goal ≥{goal}: {'met' if ratio >= goal else 'MISSED'} ({load()})")
    return good


async def main() -> int:
    """Measure on servers of its own and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=6)
    given = parser.parse_args()
    async with servers() as there:
        return 0 if await measure(there, runs=given.runs, steps=given.steps) else 1


if __name__ == "__main__":
    leave(uvloop.run(main()))
