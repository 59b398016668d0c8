"""`standfast.run_segment`: one activity walks the stepper over quick calls, each durable by its own intent and outcome (JOURNAL §12).

The outcome of one call and the intent of the next are one transaction. After a crash the next attempt gets the recorded outcomes and goes
on at the first open call. A call that fails is recorded so and stops the segment: the workflow makes it again as an activity of its own,
with its retries. Cancellation stops between calls, and what is done is told.
"""

import asyncio

from temporalio import activity

from activities.heartbeats import ended
from activities.journal_calls import JournalTools
from activities.requests import RUN_SEGMENT
from activities.run_records import carrier_of
from activities.segment_walk import Walk
from activities.tool_calls import ToolActivities
from domain.envelope import Envelope, Receipt
from domain.runs import Projection, RunLedger, RunStatus
from domain.state import Finish


class SegmentActivities:
    """Runs segments; `walk` makes one attempt."""

    walk: type[Walk] = Walk

    def __init__(self, *, tools: ToolActivities, journal: JournalTools, run_ledger: RunLedger) -> None:
        self._tools = tools
        self._journal = journal
        self._ledger = run_ledger

    @activity.defn(name=RUN_SEGMENT)
    async def run_segment(self, envelope: Envelope) -> Receipt:
        """Walk as far as quick calls lead; the receipt's fields are a `SegmentResult`.

        Raises:
            EffectLeased: an earlier attempt may still be alive, or its outcome came first; the next attempt reads it.
            StaleEpoch, FactDiverged, FactGap, Unavailable: as the journal says; nothing that was recorded is lost.
        """
        walk = self.walk(self._tools, self._journal, envelope)
        beat = asyncio.create_task(walk.keep_alive())
        try:
            finish = await walk.run()
            if finish is not None and finish.status is RunStatus.SUCCEEDED:  # any other end is the workflow's to write
                await self._close(walk, finish)
        finally:
            await ended(beat)
        return walk.receipt()

    async def _close(self, walk: Walk, finish: Finish) -> None:
        """Write what the run's end would write, merged into this activity (JOURNAL §1.5)."""
        state = walk.stepper.state
        projection = Projection(status=RunStatus.SUCCEEDED, result=finish.output, usage=state.usage)
        walk.fact_head = await walk.kept(self._ledger.flush(carrier_of(walk.envelope()), projection, fact_seq=state.fact_seq))
        walk.result.finished = True
