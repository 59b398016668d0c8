"""Registered names are on wires and in histories: they are pinned in `wire_names.json`, and a change needs a new version of the name."""

import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypedDict

from temporalio import workflow

from tests.architecture.sources import ROOT, modules_of


class PinnedWorkflow(TypedDict):
    """The message names of one workflow type."""

    updates: list[str]
    signals: list[str]
    queries: list[str]


class Pinned(TypedDict):
    """The content of `wire_names.json`."""

    workflows: dict[str, PinnedWorkflow]
    activities: list[str]


PINNED: Pinned = json.loads((Path(__file__).parent / "wire_names.json").read_text(encoding="utf-8"))


def members_of(room: str) -> Iterator[object]:
    """Yield each class and function that a room defines, methods included."""
    for path in modules_of(room):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        module: ModuleType = importlib.import_module(name)
        for _, member in inspect.getmembers(module):
            if getattr(member, "__module__", None) == name:
                yield member
                if inspect.isclass(member):
                    yield from (method for _, method in inspect.getmembers(member, inspect.isfunction))


def activity_names() -> set[str]:
    """Return the names of all registered activities."""
    # The SDK has no public way to read a registration; its decorator leaves it in this attribute.
    found = (getattr(member, "__temporal_activity_definition", None) for member in members_of("activities"))
    return {definition.name or "(dynamic)" for definition in found if definition is not None}


def workflow_names() -> dict[str, PinnedWorkflow]:
    """Return every registered workflow with its messages."""
    found = (workflow._Definition.from_class(member) for member in members_of("workflows") if inspect.isclass(member))
    return {
        definition.name or "(dynamic)": PinnedWorkflow(
            updates=sorted(map(str, definition.updates)),
            signals=sorted(map(str, definition.signals)),
            queries=sorted(map(str, definition.queries)),
        )
        for definition in found
        if definition is not None
    }


class TestWireNames:
    def test_activities_are_the_pinned_ones(self) -> None:
        assert sorted(activity_names()) == PINNED["activities"]

    def test_workflows_and_their_messages_are_the_pinned_ones(self) -> None:
        assert workflow_names() == PINNED["workflows"]

    def test_names_carry_the_platforms_prefix(self) -> None:
        assert [name for name in (*PINNED["activities"], *PINNED["workflows"]) if not name.startswith("standfast.")] == []
