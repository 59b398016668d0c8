"""The workflow's side of segments: it starts one, and replays its outcomes into the stepper. Deterministic.

While a segment is on its way the stepper stands still, for the activity writes the facts of those steps: whatever else the run has to note
waits. A cancellation ends the segment first and is told to the stepper after its outcomes.
"""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from domain.envelope import Receipt
from domain.program import Program
from domain.segments import Segment, SegmentResult, has_segments, plan_segment
from domain.state import Command, Done, Failed, RunContext, State, Tick
from domain.stepper import Stepper
from workflows.couriers import Courier
from workflows.failures import failure_of


class SegmentRunner:
    """Runs segments of one run, one at a time; `finished` says that one of them wrote the run's end."""

    def __init__(self, program: Program, context: RunContext, courier: Courier) -> None:
        self._program = program
        self._context = context
        self._courier = courier
        self._possible = has_segments(program)
        self.walking = False
        self.finished = False

    def plan(self, state: State, commands: list[Command], tick: Callable[[], Tick]) -> Segment | None:
        """Return the segment that begins with these commands; a call that stopped one goes on alone."""
        if not self._possible or any(command.id in self._courier.tried for command in commands):
            return None
        return plan_segment(self._program, state, self._context, commands, tick())

    async def run(self, segment: Segment, stepper: Stepper) -> list[Command]:
        """Walk a segment and return what the stepper asks for after it."""
        self.walking = True
        try:
            receipt = await self._walked(segment)
        except ActivityError as error:
            first = next(iter(segment.state.pending.values()))
            step = "" if first.kind == "finish" else first.step
            return stepper.apply(Failed(command=first.id, failure=failure_of(error, step)), segment.tick)
        finally:
            self.walking = False
        result = SegmentResult.of_fields(receipt.fields)
        commands = list(stepper.state.pending.values())
        for outcome in result.outcomes:
            commands = stepper.apply(Done(command=outcome.command, receipt=outcome.receipt), segment.tick)
        self._courier.acknowledge(receipt.fact_head)
        self.finished = result.finished
        if result.stopped is not None:
            self._courier.tried.add(result.stopped)
            if result.wait_s > 0:
                await workflow.sleep(result.wait_s, summary="before the next attempt")
        return commands

    async def _walked(self, segment: Segment) -> Receipt:
        """Return what the segment's activity answers; if it ended without one, what it had recorded is collected."""
        try:
            return await self._courier.run_segment(segment)
        except ActivityError:
            return await self._courier.run_segment(segment.model_copy(update={"collect": True}))
