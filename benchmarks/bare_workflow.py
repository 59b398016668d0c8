"""The yardstick: a hand-written Temporal workflow of N steps, each one regular activity, and one more that writes the closing status.

Its activities do nothing: they return a small number, so what is measured is Temporal. It runs unsandboxed, as the platform's own
workflow does, and with Temporal's default converter, without encryption.
"""

from datetime import timedelta

from temporalio import activity, workflow

BOUND = timedelta(seconds=30)


@activity.defn(name="bench.step")
async def bare_step(number: int) -> int:
    """Do nothing."""
    return number


@activity.defn(name="bench.close")
async def bare_close(status: str) -> str:
    """Do nothing where a real workflow would write its closing status."""
    return status


@workflow.defn(name="bench.bare", sandboxed=False)
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
