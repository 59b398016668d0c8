"""Each bug planted in the walk of a segment is caught by a scenario that the real one passes (JOURNAL §12)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.testing import ActivityEnvironment

from activities.segment_walk import Walk
from tests.activities.segment_bench import TWO, Attempts, HeldTool, steps_called, tool
from tests.faults.planted.segment_bugs import HeedlessWalk, RepeatingWalk


async def retried_after_a_crash(walk: type[Walk]) -> None:
    """What is recorded is not done again."""
    reader = tool({"n": 1})
    attempts = Attempts(TWO, reader, walk=walk)
    await attempts.crashes("after-outcome", "a")
    await asyncio.gather(attempts.attempt(), return_exceptions=True)
    assert steps_called(reader).count("a") == 1


async def cancelled_during_its_first_call(walk: type[Walk]) -> None:
    """No call begins after a cancellation."""
    reader = HeldTool(at=1)
    environment = ActivityEnvironment()
    running = asyncio.create_task(Attempts(TWO, reader, walk=walk).attempt(environment=environment))
    await reader.held.wait()
    environment.cancel()
    reader.released.set()
    await running
    assert steps_called(reader) == ["a"]


BUGS: dict[str, tuple[Callable[[type[Walk]], Awaitable[None]], type[Walk]]] = {
    "a retry that repeats a done step": (retried_after_a_crash, RepeatingWalk),
    "a segment that goes on after a cancel": (cancelled_during_its_first_call, HeedlessWalk),
}


class TestPlantedInTheWalk:
    @pytest.mark.parametrize("name", BUGS)
    async def test_is_caught(self, name: str) -> None:
        scenario, wrong = BUGS[name]
        await scenario(Walk)
        with pytest.raises(AssertionError):
            await scenario(wrong)
