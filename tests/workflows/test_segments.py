"""Segments on real servers: a run by segments leaves what the same run leaves step by step (JOURNAL §12)."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.workflows.bench import Bench, LiveRun
from tests.workflows.segment_shapes import SHAPES, Shape, played, told
from tests.workflows.segment_strategies import shapes

EXAMPLES = 12
"""Definitions made up in one run; each costs two runs on the real servers."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


class TestSegmentsAndSteps:
    @pytest.mark.parametrize("name", SHAPES)
    async def test_leave_the_same(self, name: str, bench: Bench) -> None:
        by_steps = await played(bench, SHAPES[name], "steps")
        by_segments = await played(bench, SHAPES[name], None)
        assert await told(by_segments) == await told(by_steps)
        assert "standfast.run_segment" not in await activities(by_steps)
        assert "standfast.run_segment" in await activities(by_segments)


class TestGenerated:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        print_blob=True,
    )
    @given(shape=shapes())
    async def test_leave_the_same(self, shape: Shape, bench: Bench) -> None:
        by_steps, by_segments = await played(bench, shape, "steps"), await played(bench, shape, None)
        assert await told(by_segments) == await told(by_steps)


async def activities(run: LiveRun) -> list[str]:
    """Return the types of the activities of a run's last execution, in order."""
    history = await run.handle.fetch_history()
    started = (
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    )
    return [each.activity_type.name for each in started]
