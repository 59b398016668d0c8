"""Heartbeats beside an attempt."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

AGAIN_S = 0.2
"""How long a cancelled task may take before it is cancelled again."""


async def ended(beat: "asyncio.Task[None]") -> None:
    """Cancel a task until it is over.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, which waits for the database, may lose a cancellation that comes in the
    moment in which its own work is done. The task would beat on, and the attempt wait for it until its time is over.
    """
    while not beat.done():
        beat.cancel()
        await asyncio.wait({beat}, timeout=AGAIN_S)


@asynccontextmanager
async def beating() -> AsyncGenerator[None]:
    """Beat at a third of the activity's heartbeat timeout while the block runs, so that a lost worker is noticed soon."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return
    beat = asyncio.create_task(_beat(timeout.total_seconds() / 3))
    try:
        yield
    finally:
        await ended(beat)


async def _beat(every_s: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(every_s)
