"""What holds for the whole session of tests."""

import gc
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pytest

GARBAGE_THRESHOLDS = (3_000, 20, 100)
"""Rarer than Python's own (700, 10, 10): collections took a third of the time of tests that build many applications."""

WAITING = frozenset({"end_to_end", "examples", "faults", "security", "workflows"})
"""Folders whose tests mostly wait for other processes; the others mostly compute."""


def mixed(files: Iterable[Path]) -> list[Path]:
    """Return the files with those that wait spread over the first four fifths of those that compute."""
    waiting: list[Path] = []
    computing: list[Path] = []
    for file in files:
        (waiting if file.relative_to(Path(__file__).parent).parts[0] in WAITING else computing).append(file)
    places = {file: 0.8 * place / len(waiting) for place, file in enumerate(waiting)}
    places |= {file: place / len(computing) for place, file in enumerate(computing)}
    return sorted(places, key=places.__getitem__)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that wait run beside files that compute: they are handed out in this order, and none that waits is the last."""
    by_file = {file: list(tests) for file, tests in groupby(items, key=lambda item: item.path)}
    if len(by_file) > 1 and sum(map(len, by_file.values())) == len(items):
        items[:] = [test for file in mixed(by_file) for test in by_file[file]]


def pytest_collection_finish() -> None:
    """Leave the twenty thousand collected tests out of every later garbage collection, and collect less often.

    A full collection over them takes so long on a busy machine that Temporal's worker takes a workflow's
    thread for deadlocked and interrupts it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
