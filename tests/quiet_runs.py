"""When it is safe to move a run's clock: a workflow that is still about to start its timer would start it after the leap."""

import asyncio
from typing import TypeVar

from temporalio.client import WorkflowHandle

QUIET_WITHIN_S = 100

W = TypeVar("W")
R = TypeVar("R")


async def quiet(run: WorkflowHandle[W, R]) -> None:
    """Wait until the run has neither an activity nor a workflow task under way; all it may wait for then are timers and messages.

    Raises:
        TimeoutError: it is still at work after `QUIET_WITHIN_S`.
    """
    async with asyncio.timeout(QUIET_WITHIN_S):
        while True:
            now = (await run.describe()).raw_description
            if not now.pending_activities and not now.HasField("pending_workflow_task"):
                return
            await asyncio.sleep(0.02)  # the pause between two looks; the condition decides
