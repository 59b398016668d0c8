"""What holds for the whole session of tests."""

import gc


def pytest_collection_finish() -> None:
    """Leave the twenty thousand collected tests out of every later garbage collection.

    A full collection over them takes so long on a busy machine that Temporal's worker takes a workflow's
    thread for deadlocked and interrupts it.
    """
    gc.collect()
    gc.freeze()
