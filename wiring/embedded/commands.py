"""Runs one long command for the embedded stack: output kept, progress told, and nothing left behind when it is cancelled."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wiring.embedded.cache import PROGRESS_EVERY_SECONDS, Progress

_TAIL_LINES = 30


@dataclass(frozen=True)
class CommandResult:
    """How a command ended: its exit code (None when it ran out of time) and its last lines, both streams together."""

    code: int | None
    tail: str
    lines: int

    @property
    def ok(self) -> bool:
        """Whether the command ended with exit code 0."""
        return self.code == 0


async def run_command(
    argv: Sequence[str],
    *,
    progress: Progress,
    say: Callable[[int, int], str],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    limit_seconds: float | None = None,
) -> CommandResult:
    """Run `argv` in its own process group and wait for it.

    Args:
        argv: Program and arguments.
        progress: Receives `say(seconds, lines)` every few seconds: time gone by and lines of output so far.
        say: Makes the progress line.
        environment: Variables added to the process's own.
        folder: Working folder.
        limit_seconds: The group is killed after this long.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        start_new_session=True,
    )
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    counted = [0]
    reader = asyncio.create_task(_read(process.stdout, tail, counted))
    ticker = asyncio.create_task(_tick(progress, say, counted))
    try:
        async with asyncio.timeout(limit_seconds):
            await reader
            code: int | None = await process.wait()
    except TimeoutError:
        code = None
    finally:
        ticker.cancel()
        reader.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
    return CommandResult(code, "\n".join(tail), counted[0])


async def _read(stream: asyncio.StreamReader | None, tail: deque[str], counted: list[int]) -> None:
    if stream is None:
        return
    async for line in stream:
        tail.append(line.decode(errors="replace").rstrip())
        counted[0] += 1


async def _tick(progress: Progress, say: Callable[[int, int], str], counted: list[int]) -> None:
    start = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_EVERY_SECONDS)
        progress(say(int(time.monotonic() - start), counted[0]))
