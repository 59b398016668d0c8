"""The yardsticks: hand-written Temporal workflows of N steps.

`bench.bare` makes each step one regular activity, and one more writes the closing status. Its activities do nothing: they return a small
number, so what is measured is Temporal. `bench.by_rows` makes all steps in one activity, which commits one row for each: the floor of steps
that are durable one by one within one activity. Both run unsandboxed, as the platform's own workflow does, and with Temporal's default
converter, without encryption.
"""

from datetime import timedelta

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from temporalio import activity, workflow

BOUND = timedelta(seconds=30)
BY_HAND, BY_ROWS = "bench.bare", "bench.by_rows"


@activity.defn(name="bench.step")
async def bare_step(number: int) -> int:
    """Do nothing."""
    return number


@activity.defn(name="bench.close")
async def bare_close(status: str) -> str:
    """Do nothing where a real workflow would write its closing status."""
    return status


@workflow.defn(name=BY_HAND, sandboxed=False)
class BareWorkflow:
    """N steps in sequence, then the closing status."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Return the sum of what the steps returned."""
        total = 0
        for _ in range(steps):
            total += await workflow.execute_activity(bare_step, 1, start_to_close_timeout=BOUND)
        await workflow.execute_activity(bare_close, "succeeded", start_to_close_timeout=BOUND)
        return total


class RowActivities:
    """One activity for all steps; each step inserts and commits its row before the next begins."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[TupleRow]]) -> None:
        self._pool = pool

    @activity.defn(name=BY_ROWS)
    async def by_rows(self, run: str, steps: int) -> int:
        """Return how many steps were made."""
        for number in range(steps):
            async with self._pool.connection() as connection:
                await connection.execute("INSERT INTO bench_rows VALUES (%s, %s)", [run, number])
        return steps


@workflow.defn(name=BY_ROWS, sandboxed=False)
class ByRowsWorkflow:
    """N steps in one activity."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Return how many steps were made."""
        return await workflow.execute_activity(
            BY_ROWS, args=[workflow.info().workflow_id, steps], start_to_close_timeout=BOUND, result_type=int
        )
