"""Collects a scenario's evidence and has the outside checker judge it, in a process of its own."""

import asyncio
import json
import sys
from collections.abc import Mapping

import psycopg
from temporalio.client import Client

from tests.faults.harness.processes import ROOT
from tests.faults.harness.report import Finding
from tests.faults.harness.stack import FaultStack

Claims = Mapping[str, Mapping[str, object]]
LIVENESS_S = 120.0
"""After the faults have stopped, everything must have ended within this long (PROOF H6)."""

UNFINISHED = b"""
SELECT (SELECT count(*) FROM runs WHERE closed_at IS NULL)
    + (SELECT count(*) FROM decisions WHERE state = 'stored')
    + (SELECT count(*) FROM hook_requests WHERE state IN ('waiting', 'sending'))
"""


async def open_workflows(stack: FaultStack) -> list[str]:
    """Return the ids of workflows that Temporal has open."""
    client = await Client.connect(stack.addresses["temporal"])
    return [found.id async for found in client.list_workflows("ExecutionStatus = 'Running'")]


def unfinished_rows(stack: FaultStack) -> int:
    """Return how much PostgreSQL has open: runs, and decisions and hooks' requests whose delivery the sweeper has yet to write down."""
    with psycopg.connect(stack.addresses["database"]) as connection:
        row = connection.execute(UNFINISHED).fetchone()
    return row[0] if row else 0


async def all_ended(stack: FaultStack, *, patience_s: float = LIVENESS_S) -> float:
    """Wait until neither Temporal nor PostgreSQL has anything open and return how long that took, the patience at most."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while loop.time() - started < patience_s:
        if not await open_workflows(stack) and not await asyncio.to_thread(unfinished_rows, stack):
            break
        await asyncio.sleep(0.5)
    return loop.time() - started


async def judge(stack: FaultStack, finding: Finding, *, effects: Mapping[str, int], claims: Claims) -> None:
    """Write the evidence down, run the checker, and take its counts and violations over.

    Args:
        stack: The stack; its database must run.
        finding: Receives them.
        effects: What a whole run leaves outside, by kind of effect.
        claims: What was asked for (`checker/verdict.py`).
    """
    (stack.folder / "temporal.json").write_text(json.dumps({"open": await open_workflows(stack)}), encoding="utf-8")
    told = {
        "database": stack.addresses["database"],
        "effects": dict(effects),
        "claims": {name: dict(asked) for name, asked in claims.items()},
    }
    (stack.folder / "evidence.json").write_text(json.dumps(told), encoding="utf-8")
    checker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.checker",
        str(stack.folder),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await checker.communicate()
    if checker.returncode not in (0, 1) or not said:
        finding.broken = f"the checker broke: {wrong.decode()[-2000:]}"
        return
    verdict = json.loads(said)
    finding.violations += verdict["violations"]
    finding.figures["the checker saw"] = ", ".join(f"{count} {what}" for what, count in sorted(verdict["counts"].items()))
