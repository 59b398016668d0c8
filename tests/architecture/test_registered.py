"""The worker registers every pinned name: an activity that exists and is not registered would let runs wait for ever."""

import ast

from tests.architecture.sources import ROOT, tree_of
from tests.architecture.test_wire_names import PINNED


class TestWorker:
    def test_registers_every_activity(self) -> None:
        calls = [node for node in ast.walk(tree_of(ROOT / "wiring" / "worker_activities.py")) if isinstance(node, ast.Call)]
        lists = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "activities"]
        [listed] = [node for node in lists if isinstance(node, ast.List)]
        names = sorted(f"standfast.{method.attr}" for method in listed.elts if isinstance(method, ast.Attribute))
        assert names == PINNED["activities"]
