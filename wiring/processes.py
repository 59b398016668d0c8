"""How a process of ours runs its event loop and ends."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine

import uvloop


def run_loop(main_function: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a coroutine function on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main_function())


def leave(code: int) -> None:
    """End the process at once after flushing: the SDK can crash at interpreter exit (TEMPORAL.md §11)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
