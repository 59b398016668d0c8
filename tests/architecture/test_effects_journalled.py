"""Every activity that can reach the outside passes through the journal: by the interceptor, or as the walk of a segment does it itself."""

import inspect
from collections.abc import Iterator, Mapping
from typing import get_type_hints

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from activities.deliveries import SEND_DELIVERY
from activities.prompts import PromptActivities
from activities.requests import EFFECTS, RUN_SEGMENT
from activities.tool_calls import ToolActivities
from domain.deliveries import Channel
from domain.errors import StaleEpoch
from domain.provider import LlmProvider
from domain.tools import DeclaredTools, ToolBox
from tests.activities import bench, segment_bench
from tests.architecture.test_wire_names import PINNED, members_of

OUTSIDE = frozenset({ToolBox, DeclaredTools, LlmProvider, ToolActivities, PromptActivities, Mapping[str, Channel]})
"""What an activity needs to do something outside."""

WALKED = frozenset({RUN_SEGMENT})
"""Activities that make several effects, each with its own intent and outcome."""

DELIVERING = frozenset({SEND_DELIVERY})
"""Not effects of a run: a delivery's own rows are its journal, at least once under one id, however often a run is replayed or redriven."""


def activities() -> Iterator[tuple[str, type]]:
    """Yield each registered activity's name and its class."""
    for member in members_of("activities"):
        if not inspect.isclass(member):
            continue
        for _, method in inspect.getmembers(member, inspect.isfunction):
            definition = getattr(method, "__temporal_activity_definition", None)
            if definition is not None:
                yield definition.name, member


def reaches_outside(owner: type) -> bool:
    """Whether a class is given something that does effects."""
    return bool(OUTSIDE & set(get_type_hints(owner.__init__).values()))


class TestActivities:
    def test_that_reach_outside_are_journalled_and_no_others(self) -> None:
        found = dict(activities())
        assert sorted(found) == PINNED["activities"]
        assert {name for name, owner in found.items() if reaches_outside(owner)} == EFFECTS | WALKED | DELIVERING

    @pytest.mark.parametrize("name", sorted(EFFECTS))
    async def test_do_nothing_that_the_journal_refuses(self, name: str) -> None:
        pay, calls = bench.paying()
        attempts = bench.Attempts(pay)
        attempts.fake.runs[bench.RUN].epoch = 2
        attempts.activity_type = name
        prompt: dict[str, JsonValue] = {"model": "fake/m", "instructions": "", "head": {"count": 0, "digest": ""}, "append": []}
        request: dict[str, JsonValue] = {} if name == "standfast.call_tool" else prompt
        with pytest.raises(ApplicationError) as caught:
            await attempts.attempt(bench.envelope(**request))  # pyright: ignore[reportArgumentType] - the keyword arguments are the request's fields
        assert (caught.value.type, calls) == (StaleEpoch.code, [])

    async def test_that_walk_do_nothing_that_the_journal_refuses(self) -> None:
        reader = segment_bench.tool({})
        attempts = segment_bench.Attempts(segment_bench.TWO, reader)
        attempts.fake.runs[bench.RUN].epoch = 2
        await attempts.refused(StaleEpoch)
        assert reader.calls == []
