"""Long polls: look at a run's row until it is closed or the time is up."""

import asyncio
from typing import Protocol

from domain.stores import RunRow

FIRST_POLL_S = 0.05
POLL_S_MAX = 0.5
"""The poll interval grows to this: a waiting client costs two point reads a second."""


class RunRows(Protocol):
    """Where runs are read; a RunStore is one."""

    async def get(self, tenant: str, run: str) -> RunRow:
        """Raises: NotFound."""
        ...


async def closed_or_late(runs: RunRows, tenant: str, run: str, *, wait_s: float) -> RunRow:
    """Return the run's row as soon as it is closed, else as it is after `wait_s` seconds.

    Raises:
        NotFound: no such run.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + wait_s
    pause = FIRST_POLL_S
    while True:
        row = await runs.get(tenant, run)
        left = end - clock()
        if row.status.closed or left <= 0:
            return row
        await asyncio.sleep(min(pause, left))
        pause = min(POLL_S_MAX, pause * 1.5)
