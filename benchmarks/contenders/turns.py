"""The turns of a contender: a line of standard input asks for so many runs, a line of standard output has their milliseconds (JSON).

The first line says that it is ready. Standard library only: it runs in the environments of other platforms.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable


async def timed_runs(work: Callable[[], Awaitable[object]], runs: int) -> list[float]:
    """Make runs, one after the other, and return the milliseconds of each."""
    times: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        await work()
        times.append(1000 * (time.perf_counter() - start))
    return times


async def take_turns(work: Callable[[], Awaitable[object]]) -> None:
    """Take turns until standard input ends."""
    _tell([])
    while line := await asyncio.to_thread(sys.stdin.readline):
        _tell(await timed_runs(work, int(line)))


def _tell(milliseconds: list[float]) -> None:
    sys.stdout.write(json.dumps(milliseconds) + "\n")
    sys.stdout.flush()
