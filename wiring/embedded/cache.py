"""The user's cache folder and the locks that keep two processes from filling the same entry at once."""

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

Progress = Callable[[str], None]
"""Receives one line of text for the screen, without a line end."""

PROGRESS_EVERY_SECONDS = 4.0
"""Pause between two lines while something long goes on; the promise to the user is one line every 5 seconds."""

_LOCK_POLL_SECONDS = 0.2


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what may be rebuilt at any time: `$XDG_CACHE_HOME`, `~/Library/Caches` or `~/.cache`, plus `standfast`.

    Args:
        environment: The variables to read; the process's own when left out.
    """
    variables = os.environ if environment is None else environment
    chosen = variables.get("XDG_CACHE_HOME", "")
    if chosen and Path(chosen).is_absolute():
        return Path(chosen) / "standfast"
    home = Path(variables["HOME"]) if variables.get("HOME") else Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "standfast"


@asynccontextmanager
async def locked(path: Path, progress: Progress, *, waiting: str) -> AsyncGenerator[None]:
    """Hold the exclusive lock of the file `path`, made when absent; the kernel drops it when the process dies.

    Args:
        path: The lock file; it is never deleted, since a deleted lock file can be locked twice.
        progress: Told `waiting` every few seconds while another process holds the lock.
        waiting: What is being waited for, as a sentence for the screen.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        last_said = -PROGRESS_EVERY_SECONDS
        while not _try_lock(handle.fileno()):
            if time.monotonic() - last_said >= PROGRESS_EVERY_SECONDS:
                progress(waiting)
                last_said = time.monotonic()
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
