"""What the journal and the ledger cost: N regular activities that write nothing, one row each, two rows each, or a journaled effect each.

    python -m benchmarks.journal_cost [--runs 40] [--steps 20]

All are the same workflow over the same envelopes, without encryption of payloads in history, on the same servers, in turns. Goals at 20
steps: journaled at most 1.2 times as long as bare, and at most 1.1 times as long as with one INSERT each. Two INSERTs, each committed, are
the floor of whatever is durable before an effect and after it: an intent, and an outcome.
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import uvloop
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from activities.interceptor import JournalInterceptor
from activities.journal_calls import JournalTools
from activities.requests import CALL_TOOL
from activities.tool_calls import ToolActivities
from benchmarks.journaled_workflow import BARE_STEP, INSERT_STEP, KINDS, TWO_INSERTS_STEP, JournaledWorkflow, StepsInput
from benchmarks.platform import TENANT, Platform, platform, program_of
from benchmarks.servers import Servers, servers, yardstick
from benchmarks.step_overhead import load, quantile, timed
from domain.envelope import Envelope, Receipt
from wiring.keys import clock_text, new_token
from wiring.processes import leave

QUEUE = "bench-journaled"
WARM_UP = 10
NAMES = {BARE_STEP: "bare", INSERT_STEP: "one INSERT each", TWO_INSERTS_STEP: "two INSERTs each", CALL_TOOL: "journaled"}
GOALS = {BARE_STEP: 1.2, INSERT_STEP: 1.1}


class YardstickActivities:
    """Activities that write nothing, or one row."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[TupleRow]]) -> None:
        self._pool = pool

    @activity.defn(name=BARE_STEP)
    async def bare_step(self, envelope: Envelope) -> Receipt:
        """Do nothing."""
        return Receipt(fields={"n": envelope.visit})

    @activity.defn(name=INSERT_STEP)
    async def insert_step(self, envelope: Envelope) -> Receipt:
        """Insert one row, as a hand-written activity would note that it was done; INSERT and COMMIT in one round trip."""
        await self._insert(envelope, envelope.step)
        return Receipt(fields={"n": envelope.visit})

    @activity.defn(name=TWO_INSERTS_STEP)
    async def two_inserts_step(self, envelope: Envelope) -> Receipt:
        """Insert one row before the step and one after it."""
        await self._insert(envelope, f"{envelope.step} begins")
        await self._insert(envelope, f"{envelope.step} is done")
        return Receipt(fields={"n": envelope.visit})

    async def _insert(self, envelope: Envelope, step: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("INSERT INTO bench_steps VALUES (%s, %s, %s)", [envelope.tenant, envelope.run, step])


@asynccontextmanager
async def yardsticks(there: Servers) -> AsyncGenerator[YardstickActivities]:
    """Make their table and what writes to it."""
    async with yardstick(there, "bench_steps (tenant text, run text, step text, PRIMARY KEY (tenant, run, step))") as pool:
        yield YardstickActivities(pool)


async def measure(ours: Platform, client: Client, *, steps: int, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each run by the activity's name, taken in turns."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    program = program_of(steps)
    for turn in range(WARM_UP + runs):
        for kind in KINDS:
            accepted = await ours.accept(program)
            given = StepsInput(activity=kind, steps=steps, tenant=TENANT, run=accepted.run)
            took = await timed(lambda given=given: _run(client, given))
            if turn >= WARM_UP:
                times[kind].append(took)
    return times


async def _run(client: Client, given: StepsInput) -> int:
    return await client.execute_workflow(JournaledWorkflow.run, given, id=f"bench-{uuid4()}", task_queue=QUEUE, request_eager_start=True)


def report(steps: int, times: dict[str, list[float]]) -> str:
    """Return the lines."""
    lines = [f"{steps} activities, {len(times[BARE_STEP])} runs of each kind"]
    lines += [f"  {NAMES[kind]:<16} p50 {quantile(times[kind], 50):7.1f} ms   p95 {quantile(times[kind], 95):7.1f} ms" for kind in KINDS]
    p50 = {kind: quantile(times[kind], 50) for kind in KINDS}
    for kind, goal in GOALS.items():
        ratio = p50[CALL_TOOL] / p50[kind]
        lines.append(f"  journaled / {NAMES[kind]:<16} {ratio:5.2f}, goal {goal}: {'met' if ratio <= goal else 'MISSED'}")
        lines.append(f"    its floor, two INSERTs / {NAMES[kind]:<16} {p50[TWO_INSERTS_STEP] / p50[kind]:5.2f}")
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    async with servers() as there, platform(there) as ours, yardsticks(there) as plain:
        client = Client(ours.link.client.service_client, namespace=ours.link.client.namespace, data_converter=pydantic_data_converter)
        tools = ToolActivities(
            tools=ours.toolbox.registry,
            declared=ours.toolbox.declared,
            approvals=ours.storage.approvals,
            payloads=ours.storage.payloads,
        )
        around = JournalInterceptor(JournalTools(journal=ours.storage.journal, clock=clock_text, token=new_token))
        journaled = [plain.bare_step, plain.insert_step, plain.two_inserts_step, tools.call_tool]
        async with Worker(client, task_queue=QUEUE, workflows=[JournaledWorkflow], activities=journaled, interceptors=[around]):
            print(report(options.steps, await measure(ours, client, steps=options.steps, runs=options.runs)))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure what the journal costs beside bare activities and one INSERT each.")
    parser.add_argument("--runs", type=int, default=40, help="measured runs of each kind")
    parser.add_argument("--steps", type=int, default=20, help="activities of a run")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
