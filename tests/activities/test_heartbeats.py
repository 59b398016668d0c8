"""The end of a task that beats: also when it loses a cancellation."""

import asyncio
import contextlib

from activities.heartbeats import ended


class TestEnded:
    async def test_cancels_again_when_a_cancellation_was_lost(self) -> None:
        waits = 0

        async def beat() -> None:
            nonlocal waits
            with contextlib.suppress(asyncio.CancelledError):
                waits += 1
                await asyncio.Event().wait()
            waits += 1
            await asyncio.Event().wait()

        task = asyncio.create_task(beat())
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await ended(task)
        assert (task.cancelled(), waits) == (True, 2)

    async def test_leaves_a_task_alone_that_is_over(self) -> None:
        async def over() -> None:
            return

        task = asyncio.create_task(over())
        await task
        await ended(task)
        assert not task.cancelled()
