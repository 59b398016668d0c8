"""How a process of ours waits for its start, runs its event loop and ends."""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

import uvloop

_POLL_SECONDS = 0.02

GARBAGE_THRESHOLDS = (5_000, 20, 20)
"""New objects before a young collection, young before a middle one, middle before a full one (Python's own: 700, 10, 10)."""


def run_loop(main_function: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a coroutine function on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main_function())


async def may_start(start_file: Path | None, stop: asyncio.Event) -> bool:
    """Wait until the file is there, for as long as it takes; False when told to stop first.

    A supervisor starts its parts while their servers come up, because a part takes seconds to load; the file says that all of them answer.
    """
    while start_file is not None and not await asyncio.to_thread(start_file.exists):
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _POLL_SECONDS)
        if stop.is_set():
            return False
    return True


def say_ready(file: Path | None) -> None:
    """Make the file that says this process is ready, when there is to be one."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def say_not_ready(file: Path | None) -> None:
    """Remove that file. A process that was killed leaves it, and a container that starts again would be taken for ready at once."""
    if file is not None:
        file.unlink(missing_ok=True)


def keep_loaded() -> None:
    """Leave what was loaded at the start out of every later garbage collection, and collect less often.

    Modules, routes and models stay for good; a full collection over them holds all requests and tasks up for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def leave(code: int) -> None:
    """End the process at once after flushing: the SDK can crash at interpreter exit (TEMPORAL.md §11)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
