"""S14: approvals of every kind under `kill -9` of workers: one decision each, none by its requester, none lost, deadlines in time."""

import asyncio
import math
import os
import random
from datetime import datetime
from pathlib import Path

import psycopg

from tests.faults.checker.books import rows
from tests.faults.harness.client import Client
from tests.faults.harness.evidence import LIVENESS_S, all_ended, judge
from tests.faults.harness.report import Finding, Order, spread
from tests.faults.harness.stack import FaultStack, fault_stack
from tests.faults.scenarios.approval_stories import AMENDED, AMOUNT, STORIES, Panel, files
from tests.faults.scenarios.sagas import enough_kills, kill_workers

START_PAUSE_S = 0.3
QUIET_LATE_S, KILLED_LATE_S = 2.0, 30.0
"""How late a deadline may be heard: with faults off at p99, and under kills at p95 (PROOF §4, S14)."""

QUIET = ("timeout", "escalate")
"""Stories whose deadlines are timed with faults off first."""

LATENESS = """
SELECT e.recorded_at, convert_from(o.body, 'UTF8')::json->'data'->>'deadline', e.run
FROM ledger_entries e JOIN ledger_entries o ON o.tenant_id = e.tenant_id AND o.run = e.run AND o.kind = 'workflow:approval:opened'
JOIN runs r ON r.tenant_id = e.tenant_id AND r.run = e.run
WHERE (e.kind = 'workflow:approval:escalated') OR (e.kind = 'workflow:approval:timed_out' AND r.definition = 'ask-briefly')
"""


async def run_approvals(order: Order) -> Finding:
    """Run S14."""
    chance = random.Random(order.seed)
    n = order.size(smoke=20, ci=60, full=500)
    finding = Finding(n=n, expected={"worker killed": order.size(smoke=2, ci=8, full=60)})
    async with fault_stack(order.folder, plant=order.plant) as stack, stack.kept(*stack.workers):
        panel = await people(stack)
        stories = [name for place in range(n) for name in [list(STORIES)[place % len(STORIES)]]]
        chance.shuffle(stories)
        quiet = [QUIET[place % 2] for place in range(order.size(smoke=2, ci=8, full=40))]
        claims: dict[str, dict[str, object]] = {}
        calm = await play(panel, quiet, "quiet", claims, finding)
        killing = asyncio.create_task(kill_workers(stack, chance))
        await play(panel, stories, "killed", claims, finding)
        await enough_kills(stack, finding.expected["worker killed"], killing)
        seconds = await all_ended(stack)
        finding.faults["worker killed"] = sum(worker.kills for worker in stack.workers)
        finding.figures["all ended after the last kill"] = f"{seconds:.1f} s (at most {LIVENESS_S:.0f})"
        judge_deadlines(stack.addresses["database"], calm, finding)
        judge_amended(order.folder, claims, finding)
        await judge(stack, finding, effects={"reservation": 1}, claims=claims)
        for each in (panel.starter, panel.requester, panel.first, panel.second):
            await each.aclose()
    return finding


async def people(stack: FaultStack) -> Panel:
    """Register the definitions, and let the admin, who starts some runs, be a reviewer too."""
    developer = stack.client("developer")
    await developer.must_post("/v1/definitions", {"files": files(stack.bank.caller.url, stack.mail.caller.url)}, key="asks")
    await developer.aclose()
    with psycopg.connect(stack.addresses["database"], autocommit=True) as connection:
        connection.execute(b"UPDATE principals SET reviewer_roles = '{claims-approver}' WHERE name = 'admin'")
    refused = Client(stack.addresses["gateway"], stack.prepared.api_keys["admin"], stack.folder / "refused.jsonl")
    return Panel(stack.client("admin"), refused, stack.client("approver"), stack.client("approver_2"))


async def play(panel: Panel, stories: list[str], phase: str, claims: dict[str, dict[str, object]], finding: Finding) -> set[str]:
    """Play stories side by side and return their runs."""
    runs: set[str] = set()

    async def one(place: int, name: str) -> None:
        definition, story, ends = STORIES[name]
        claim = f"{name}-{phase}-{place}"
        claims[claim] = {"ends": ends}
        body = {"definition": definition, "input": {"claim": claim, "amount": AMOUNT}}
        run = (await panel.starter.must_post("/v1/runs", body, key=claim))["run"]
        runs.add(run)
        asked = await panel.asked(run)
        if asked is None and name not in QUIET:
            finding.violations.append(f"{claim}: it never asked")
        finding.violations += [f"{claim}: {wrong}" for wrong in (await story(panel, asked) if asked is not None else [])]
        await panel.starter.outcome(run, patience_s=LIVENESS_S)

    async with asyncio.TaskGroup() as group:
        for place, name in enumerate(stories):
            group.create_task(one(place, name))
            await asyncio.sleep(START_PAUSE_S)
    return runs


def judge_deadlines(database: str, calm: set[str], finding: Finding) -> None:
    """Deadlines are heard in time; what is recorded is when the ledger had it."""
    late: dict[str, list[float]] = {"faults off": [], "under kills": []}
    with psycopg.connect(database) as connection:
        found: list[tuple[datetime, str, str]] = connection.execute(LATENESS.encode()).fetchall()
    for recorded, deadline, run in found:
        late["faults off" if run in calm else "under kills"].append((recorded - datetime.fromisoformat(deadline)).total_seconds())
    busy = os.getloadavg()[0] > 2 * (os.cpu_count() or 1)
    for phase, most, share in (("faults off", QUIET_LATE_S, 0.99), ("under kills", KILLED_LATE_S, 0.95)):
        finding.figures[f"deadlines heard after, {phase}"] = spread(late[phase]) + (" (not judged: the box is too busy)" if busy else "")
        allowed = len(late[phase]) - math.ceil(len(late[phase]) * share)
        beyond = sorted(each for each in late[phase] if each > most)
        if len(beyond) > allowed and not busy:
            finding.violations.append(f"{len(beyond)} of {len(late[phase])} deadlines were heard over {most:g} s late, {phase}: {beyond}")


def judge_amended(folder: Path, claims: dict[str, dict[str, object]], finding: Finding) -> None:
    """The bank holds what was approved last, never what was asked first."""
    held = {row["claim_id"]: row["amount_micros"] for row in rows(folder / "bank.sqlite", "SELECT claim_id, amount_micros FROM effects")}
    for claim in claims:
        right = AMENDED if claim.startswith("amend-") else AMOUNT
        if held.get(claim, right) != right:
            finding.violations.append(f"{claim}: the bank holds {held[claim]}, and {right} was approved")
