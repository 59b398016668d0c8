"""The bench of segments: attempts of one segment over the fake journal and fake tools, in a made-up activity context."""

import asyncio
import dataclasses
import itertools
from datetime import timedelta

import pytest
from pydantic import JsonValue
from temporalio.testing import ActivityEnvironment

from activities.journal_calls import JournalTools
from activities.options import MARGIN
from activities.requests import RUN_SEGMENT
from activities.segment_walk import Walk
from activities.segments import SegmentActivities
from activities.tool_calls import ToolActivities
from adapters.tools.declared import DeclaredHttpTools
from domain.effects import EffectClass, EffectJournal, EffectKey
from domain.envelope import Envelope, Receipt
from domain.errors import StandfastError
from domain.policy import PolicyDecider
from domain.program import Program, Step
from domain.segments import Segment, SegmentPlanner, SegmentResult
from domain.tools import ToolCall, ToolSpec
from tests.activities.bench import AT, RUN, TENANT
from tests.adapters.tools.tool_calls import no_secret
from tests.domain.play import Play
from tests.domain.programs import call, pinned, program, put
from tests.fake_journal import FakeJournal
from tests.fake_tools import FakeTool, FakeToolBox
from tests.fakes_stores import FakeStores
from tests.outbound import outbound

SPEC = ToolSpec(
    name="log.read",
    version="1.0.0",
    description="reads",
    input_schema={"type": "object"},
    output_schema={},
    effect_class=EffectClass.READ,
)


class CrashError(BaseException):
    """What ends an attempt at a fault point, as a killed worker would: nothing may catch it."""


class HeldTool(FakeTool):
    """Answers `{"n": 1}`; one call, counted from 1, waits until the test lets it go."""

    def __init__(self, *, at: int) -> None:
        super().__init__(SPEC, {"n": 1})
        self._at = at
        self.held = asyncio.Event()

    async def call(self, call: ToolCall) -> JsonValue:
        """Answer, or wait."""
        if len(self.calls) + 1 == self._at:
            self.released.clear()
            self.held.set()
        elif self.held.is_set():
            self.calls.append(call)
            return {"n": 1}
        return await super().call(call)


def tool(*answers: JsonValue | Exception) -> FakeTool:
    """Build the tool that the reads call."""
    return FakeTool(SPEC, *answers)


def read(path: str, **more: object) -> Step:
    """Build a quick read."""
    return call(path, tool="log.read", **more)  # pyright: ignore[reportArgumentType] - call's own keywords


def reads(*steps: Step, output: JsonValue = None, max_attempts: int = 5, timeout_s: float = 5) -> Program:
    """Build a program of quick reads."""
    reader = pinned("log.read", effect_class=EffectClass.READ, max_attempts=max_attempts, timeout_s=timeout_s)
    return program(*steps, output=output, tools=(reader,)).model_copy(update={"execution": None})


TWO = reads(read("a"), put("x", "${ steps.a.output.n }"), read("b", arguments={"x": "${ steps.x.output }"}), call("pay"))
"""Two reads, and then a write that is none of the segment's."""

WHOLE = reads(read("a"), read("b"), output="${ steps.b.output.n }")


class Attempts:
    """Makes attempts of the segment that a program begins with; each is a new activity attempt, as Temporal's retries are."""

    def __init__(
        self,
        given: Program,
        reader: FakeTool,
        *,
        journal: EffectJournal | None = None,
        fake: FakeJournal | None = None,
        walk: type[Walk] = Walk,
        policy: PolicyDecider | None = None,
    ) -> None:
        self.fake = fake or FakeJournal.with_run(TENANT, RUN)
        play = Play(given)
        segment = SegmentPlanner(given, play.stepper.run).plan(play.state, play.last, play.tick())
        assert segment is not None
        self.segment = segment
        self.facts = list(play.state.unacked)
        self.number = 0
        self.beats: list[str] = []
        self.crash_at: tuple[str, str] | None = None
        tokens = itertools.count(1)
        self._tools = JournalTools(
            journal=journal or self.fake, clock=lambda: AT, token=lambda: f"token-{next(tokens)}", fault_point=self._crash
        )
        stores, declared = FakeStores(), DeclaredHttpTools(resolve_secret=no_secret, outbound=outbound())
        calls = ToolActivities(
            tools=FakeToolBox(reader), declared=declared, approvals=stores.approvals, payloads=stores.payloads, policy=policy
        )
        self._activities = SegmentActivities(tools=calls, journal=self._tools, run_ledger=self.fake)
        self._activities.walk = walk

    def _crash(self, point: str, step: str, _call: str) -> None:
        if (point, step) == self.crash_at:
            self.crash_at = None
            raise CrashError

    def envelope(self, segment: Segment) -> Envelope:
        """Return what the workflow would send."""
        return Envelope(
            tenant=TENANT,
            run=RUN,
            epoch=1,
            correlation_id="corr",
            principal="prn_starter",
            deadline_s=segment.deadline_s,
            facts=self.facts,
            request=segment.to_request(),
        )

    async def attempt(
        self,
        *,
        environment: ActivityEnvironment | None = None,
        collect: bool = False,
        heartbeat_s: float | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Make the next attempt; `deadline_s` is the time it has, if not that of the segment."""
        self.number += 1
        made = environment or ActivityEnvironment()
        deadline = timedelta(seconds=self.segment.deadline_s if deadline_s is None else deadline_s)
        made.info = dataclasses.replace(
            made.info,
            activity_type=RUN_SEGMENT,
            attempt=self.number,
            heartbeat_timeout=timedelta(seconds=heartbeat_s) if heartbeat_s else None,
            start_to_close_timeout=deadline + MARGIN,
            workflow_run_id="temporal-1",
        )
        made.on_heartbeat = lambda *details: self.beats.extend(map(str, details))
        segment = self.segment.model_copy(update={"collect": collect})
        return await made.run(self._activities.run_segment, self.envelope(segment))

    async def result(self, **how: object) -> SegmentResult:
        """Make the next attempt and return what it tells."""
        receipt = await self.attempt(**how)  # pyright: ignore[reportArgumentType] - attempt's own keywords
        return SegmentResult.of_fields(receipt.fields)

    async def refused(self, error: type[StandfastError]) -> None:
        """Make an attempt that shall fail."""
        with pytest.raises(error):
            await self.attempt()

    async def crashes(self, point: str, step: str) -> None:
        """Make an attempt that crashes at a fault point; its leases are over when it returns."""
        self.crash_at = (point, step)
        with pytest.raises(CrashError):
            await self.attempt()
        self.leases_end()

    def leases_end(self) -> None:
        """Let every lease be over."""
        for effect in self.fake.effects.values():
            effect.lease_until = 0

    async def kinds(self) -> list[str]:
        """Return the ledger's kinds and steps, verified; without the run's acceptance."""
        verdict = await self.fake.verification()
        assert verdict.ok, verdict.broken
        return [f"{entry.kind} {entry.step or ''}".strip() for entry in await self.fake.entries()][1:]


def key(step: str) -> EffectKey:
    """Return the key of a step's call."""
    return EffectKey(tenant=TENANT, run=RUN, step=step, visit=1, call="call")


def steps_called(reader: FakeTool) -> list[str]:
    """Return the steps that called a tool, in order: their keys tell."""
    names = {key(step).outside_key(): step for step in ("a", "b")}
    return [names[made.idempotency_key] for made in reader.calls]


def is_final(attempts: Attempts, step: str) -> bool:
    """Whether the journal would answer with the failure instead of letting another attempt go."""
    return (attempts.fake.effects[key(step)].error or {})["retryable"] == "false"
