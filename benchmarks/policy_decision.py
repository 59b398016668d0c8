"""What a policy decision takes: a set of 52 policies, a call with ten arguments, and the tenant's choice read from PostgreSQL.

    python -m benchmarks.policy_decision [--decisions 2000]

Goal: 99 of 100 decisions within 5 ms, reading the choice included. The engine alone is shown beside it.
"""

import argparse
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from pydantic import JsonValue

from activities.policy_decisions import PolicyDecisions
from adapters.policy.cedar import CedarEngine
from adapters.policy.shipped import ShippedSets
from adapters.postgres.migrate import migrate
from adapters.postgres.policies import PostgresPolicyStore
from adapters.postgres.pool import Database
from benchmarks.servers import postgres_server
from domain.effects import EffectClass
from domain.policy import PolicyRequest
from domain.policy_sets import PolicySet, PolicySetDraft, resolved
from domain.policy_verdicts import decide
from wiring.processes import leave

GOAL_MS = 5.0
WARM_UP = 50
TENANT = "bench"


def fifty() -> PolicySetDraft:
    """Build a set: the shipped one, and a rule of its own for each of 49 tools."""
    one = '@id("own-{n}") permit (principal in Definition::"claims", action == Action::"money", resource == Tool::"bank.pay{n}")\n'
    when = 'when {{ context.number.hasTag("amount") && context.number.getTag("amount") <= {n} }};\n'
    return PolicySetDraft(version="1.0.0", cedar="".join((one + when).format(n=n) for n in range(49)), extends="1.0.0")


def call(number: int) -> PolicyRequest:
    """Build an agent's call; each is another one, so that nothing is remembered."""
    given: dict[str, JsonValue] = {"to": f"DE{number}", "amount": number, **{f"field{n}": f"text {n}" for n in range(8)}}
    known = {"definition": "claims", "step": "review", "tool": "bank.pay7", "version": "1.0.0", "principal": "prn_1"}
    asked = {**known, "tenant": TENANT, "origin": "agent", "effect_class": EffectClass.MONEY, "arguments": given}
    return PolicyRequest.model_validate({**asked, "sensitive": ["to"], "taint": ["user", "model", "tool:untrusted"]})


async def measured(decisions: int, one: Callable[[PolicyRequest], Awaitable[object]]) -> list[float]:
    """Return how long each decision took, in milliseconds, the quickest first."""
    found: list[float] = []
    for number in range(decisions + WARM_UP):
        asked = call(number)
        started = time.perf_counter()
        await one(asked)
        found.append(1000 * (time.perf_counter() - started))
    return sorted(found[WARM_UP:])


def line(name: str, took: list[float]) -> str:
    """Return a row."""
    p50, p99 = took[len(took) // 2], took[int(0.99 * len(took))]
    return f"{name:<34} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   max {took[-1]:6.2f} ms"


async def alone(policies: PolicySet, decisions: int) -> list[float]:
    """Measure the engine."""
    engine = CedarEngine()

    async def one(asked: PolicyRequest) -> object:
        return decide(policies, asked, engine)

    return await measured(decisions, one)


async def bench(decisions: int) -> int:
    """Measure and say; 0 when the goal is met."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        async with postgres_server(Path(name)) as owner_url:
            url = migrate(owner_url, app_password="app-password").app_url or ""  # noqa: S106 - of a server that lives for this measurement
            async with Database(url) as database:
                store, draft = PostgresPolicyStore(database), fifty()
                policies = resolved(draft, ShippedSets())
                await store.add(TENANT, draft, sha256=policies.sha256, by="prn_1")
                await store.choose(TENANT, draft.version, by="prn_1")
                whole = await measured(decisions, PolicyDecisions(store=store, shipped=ShippedSets(), engine=CedarEngine()).decide)
    print(line("engine alone", await alone(policies, decisions)))
    print(line("decision, reading the choice", whole))
    p99 = whole[int(0.99 * len(whole))]
    print(f"goal: p99 < {GOAL_MS:g} ms: {'met' if p99 < GOAL_MS else 'MISSED'}")
    return 0 if p99 < GOAL_MS else 1


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--decisions", type=int, default=2000)
    return uvloop.run(bench(parser.parse_args().decisions))


if __name__ == "__main__":
    leave(main())
