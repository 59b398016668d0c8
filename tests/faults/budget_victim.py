"""A process that reserves money for one step and is killed before it settles.

python -m tests.faults.budget_victim URL TENANT RUN LEASE_MS
"""

import asyncio
import sys

from adapters.postgres.pool import Database
from domain.effects import IntentAnswer
from tests.contracts.money_bench import MoneyBench


async def hold(url: str, tenant: str, run: str, lease_ms: int) -> None:
    """Reserve one unit, say so, and never come back."""
    async with Database(url) as db:
        verdict = await MoneyBench(db, tenant).begin("victim", 1, run=run, lease_ms=lease_ms)
        sys.stdout.write("held\n" if verdict.answer is IntentAnswer.GO else f"{verdict.answer}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
