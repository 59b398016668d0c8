"""Ends the task that beats beside an attempt."""

import asyncio

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
