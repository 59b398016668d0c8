"""The yardstick of decisions: a hand-written workflow that waits for an update and then runs an activity; nothing is stored or checked."""

import time

from temporalio import activity, workflow

from benchmarks.bare_workflow import BOUND

CALLED: dict[str, float] = {}
"""When the activity of each workflow began (`time.perf_counter`); only for a measurement, which runs in one process."""


@activity.defn(name="bench.after_approval")
async def after_approval() -> None:
    """Note the time."""
    CALLED[activity.info().workflow_id or ""] = time.perf_counter()


@workflow.defn(name="bench.bare_approval", sandboxed=False)
class BareApproval:
    """Waits for an update, then runs an activity."""

    def __init__(self) -> None:
        self._approved = False

    @workflow.run
    async def run(self) -> None:
        """Wait and go on."""
        await workflow.wait_condition(lambda: self._approved)
        await workflow.execute_activity(after_approval, start_to_close_timeout=BOUND)

    @workflow.update
    def approve(self) -> None:
        """Say yes."""
        self._approved = True
