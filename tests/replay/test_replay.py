"""Kept histories replay against the workflow as it is now; a changed workflow is caught."""

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from activities.requests import FLUSH_FACTS, RUN_SEGMENT
from domain.projection import unproject
from domain.runs import Projection
from domain.segments import Segment
from domain.state import Command, RunContext, State
from tests.replay.recorded import HISTORIES, load, names
from tests.replay.test_recording import BRANCHES
from workflows.couriers import Courier
from workflows.effects import EffectRunner
from workflows.messages import RUN_WORKFLOW, RunInput, RunResult
from workflows.people import People
from workflows.run import RunWorkflow
from workflows.segments import SegmentRunner

BYTES_MAX = 100 * 1024

SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED


class LazyCourier(Courier):
    """A changed courier: what was an activity before is none any more."""

    async def flush(self, projection: Projection, summary: str) -> None:
        """Flush nothing."""
        del projection, summary
        self.acknowledge(self._state.fact_seq)


class NoSegments(SegmentRunner):
    """A changed plan: steps that shared an activity before have one each."""

    def plan(self, state: State, commands: list[Command]) -> Segment | None:
        """Plan nothing."""
        del state, commands
        return None


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class StepwiseRun(RunWorkflow):
    """The run workflow after a change that runs with segments do not survive."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        context = RunContext(tenant=given.tenant, run=given.run, principal=given.principal, input=unproject(given.input_fields))
        self._segments = NoSegments(given.program, context, self._courier, self._tick)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class LazyRun(RunWorkflow):
    """The run workflow after a change that runs with a flush do not survive."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._courier = LazyCourier(given, self.state)
        self._people = People(self._courier, self.state.decisions, self._note)
        self._effects = EffectRunner(given.program, self._courier, self._people)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Run."""
        return await super().run(given)


CHANGES: dict[str, type] = {FLUSH_FACTS: LazyRun, RUN_SEGMENT: StepwiseRun}
"""Changed workflows by the activity that they do not start any more."""


def started_by(name: str) -> set[str]:
    """Return the types of the activities that a history has."""
    events = load(name).events
    return {event.activity_task_scheduled_event_attributes.activity_type.name for event in events if event.event_type == SCHEDULED}


def replayer(cls: type) -> Replayer:
    """Build a replayer of a workflow."""
    return Replayer(workflows=[cls], data_converter=pydantic_data_converter)


class TestKeptHistory:
    @pytest.mark.parametrize("name", names())
    async def test_replays(self, name: str) -> None:
        await replayer(RunWorkflow).replay_workflow(load(name))

    @pytest.mark.parametrize("name", names())
    async def test_catches_a_changed_workflow(self, name: str) -> None:
        changed = CHANGES.keys() & started_by(name)
        assert changed, "no change here touches this history: plant one that does"
        for activity in changed:
            with pytest.raises(workflow.NondeterminismError):
                await replayer(CHANGES[activity]).replay_workflow(load(name))

    def test_there_is_one_of_every_branch(self) -> None:
        assert set(names()) >= set(BRANCHES)

    @pytest.mark.parametrize("name", names())
    def test_is_small_and_names_no_machine(self, name: str) -> None:
        text = (HISTORIES / f"{name}.json").read_text(encoding="utf-8")
        assert len(text) < BYTES_MAX
        assert "@" not in text
        assert "stackTrace" not in text
