"""What holds for the whole session of tests."""

import gc

GARBAGE_THRESHOLDS = (3_000, 20, 100)
"""Rarer than Python's own (700, 10, 10): collections took a third of the time of tests that build many applications."""


def pytest_collection_finish() -> None:
    """Leave the twenty thousand collected tests out of every later garbage collection, and collect less often.

    A full collection over them takes so long on a busy machine that Temporal's worker takes a workflow's
    thread for deadlocked and interrupts it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
