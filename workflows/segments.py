"""The workflow's side of segments: it starts one, and replays its outcomes into the stepper. Deterministic.

While a segment is on its way the stepper stands still, for the activity writes the facts of those steps: whatever else the run has to note
waits. A cancellation ends the segment first and is told to the stepper after its outcomes.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from domain.envelope import Receipt
from domain.program import Program
from domain.segments import Segment, SegmentPlanner, SegmentResult, has_segments
from domain.state import CancelRequested, Command, Done, Failed, RunContext, State, Tick
from domain.stepper import Stepper
from workflows.couriers import Courier
from workflows.failures import failure_of, reset_of

Asked = Callable[[], CancelRequested | None]
"""Says whether the run was asked to end, and how."""


class SegmentRunner:
    """Runs segments of one run, one at a time.

    `walking` is the one on its way, and `finished` says that one of them wrote the run's end.
    """

    def __init__(self, program: Program, context: RunContext, courier: Courier, tick: Callable[[], Tick]) -> None:
        self._planner = SegmentPlanner(program, context) if has_segments(program) else None
        self._courier = courier
        self._tick = tick
        self.walking: Segment | None = None
        self.finished = False

    def plan(self, state: State, commands: list[Command]) -> Segment | None:
        """Return the segment that begins with these commands."""
        return None if self._planner is None else self._planner.plan(state, commands, self._tick())

    def start(self, segment: Segment, stepper: Stepper, *, cancelled: Asked) -> "asyncio.Task[list[Command]]":
        """Begin to walk a segment; the task gives what the stepper asks for after it. From here on nothing else is to be noted."""
        self.walking = segment
        return asyncio.create_task(self._run(segment, stepper, cancelled))

    async def _run(self, segment: Segment, stepper: Stepper, cancelled: Asked) -> list[Command]:
        try:
            receipt = await self._walked(segment)
        except ActivityError as error:
            if self._courier.rebased(error):
                return list(stepper.state.pending.values())
            first = next(iter(segment.state.pending.values()))
            step = "" if first.kind == "finish" else first.step
            return stepper.apply(Failed(command=first.id, failure=failure_of(error, step)), self._tick())
        finally:
            self.walking = None
        result = SegmentResult.of_fields(receipt.fields)
        self.finished = result.finished
        commands = self._replayed(segment, stepper, receipt, cancelled)
        if result.stopped is not None:
            stepper.state.tried[result.stopped] = result.tried
        if result.wait_s > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: cancelled() is not None, timeout=timedelta(seconds=result.wait_s), timeout_summary="before the next attempt"
                )
        return commands

    def _replayed(self, segment: Segment, stepper: Stepper, receipt: Receipt, cancelled: Asked) -> list[Command]:
        """Tell the stepper the outcomes; what the activity did not write itself is noted at its own time, after a cancellation."""
        commands = list(stepper.state.pending.values())
        for outcome in SegmentResult.of_fields(receipt.fields).outcomes:
            tick = segment.tick
            if receipt.fact_head <= stepper.state.fact_seq:
                tick = self._tick()
                asked = cancelled()
                if asked is not None:
                    stepper.apply(asked, tick)
            commands = stepper.apply(Done(command=outcome.command, receipt=outcome.receipt), tick)
        self._courier.acknowledge(receipt.fact_head)
        return commands

    async def _walked(self, segment: Segment) -> Receipt:
        """Return what the segment's activity answers; if it ended without one, what it had recorded is collected.

        Raises:
            ActivityError: the run was reset, or nothing could be collected.
        """
        try:
            return await self._courier.run_segment(segment)
        except ActivityError as error:
            if reset_of(error) is not None:
                raise
            return await self._courier.run_segment(segment.model_copy(update={"collect": True}))
