"""One run in a started container: its files in, its output out, its limits, its end."""

import asyncio
import time

from docker.errors import APIError

from adapters.sandboxes.container_pool import StartedContainer
from adapters.sandboxes.docker_engine import ANSWER_S
from adapters.sandboxes.watched import Ended, Kept
from domain.sandbox import SandboxProfile, SandboxResult

DRAIN_S = 5.0
"""How long the last output of an ended container may take to arrive."""


class RunningContainer:
    """One container from its files to its end."""

    def __init__(self, container: StartedContainer, profile: SandboxProfile, output: Kept) -> None:
        self._container = container
        self._profile = profile
        self._output = output
        self._full = asyncio.Event()
        self._began_s = time.monotonic()

    async def result(self, archive: bytes) -> SandboxResult:
        """Feed, listen and wait; cancelling kills the container at once."""
        self._output.when_full(self._full.set)
        try:
            return await self._ran(archive)
        except (APIError, OSError) as error:
            return SandboxResult(ended="error", exit_code=137, stdout="", stderr=f"Docker broke off: {short(error)}")

    async def _ran(self, archive: bytes) -> SandboxResult:
        """Run to the end, to a limit, or to a cancellation."""
        talking = asyncio.create_task(asyncio.to_thread(self._container.stream.talk, archive, self._output.take))
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self._full.wait()),
            asyncio.create_task(asyncio.to_thread(self._container.wait, self._profile.wall_s + ANSWER_S)),
        ]
        timed_out = False
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._profile.wall_s, return_when=asyncio.FIRST_COMPLETED)
            timed_out = not done
        finally:
            tasks[0].cancel()
            await asyncio.shield(asyncio.create_task(self._stopped(talking, tasks)))
        return self._told(await asyncio.to_thread(self._container.state), timed_out=timed_out)

    async def _stopped(self, talking: "asyncio.Task[None]", tasks: list[asyncio.Task[object]]) -> None:
        """Kill, unless it ended by itself; that ends the stream and the wait, and with them the threads behind them."""
        try:
            await asyncio.to_thread(self._container.kill)
            await asyncio.wait({talking}, timeout=DRAIN_S)
        finally:
            self._container.stream.close()
            await asyncio.gather(talking, *tasks, return_exceptions=True)

    def _told(self, state: dict[str, object], *, timed_out: bool) -> SandboxResult:
        """Build the result; the kernel's own CPU limit ends as a timeout too."""
        code = state.get("ExitCode")
        code = code if isinstance(code, int) else 137
        ended: Ended = "exit"
        if self._output.overflowed:
            ended = "output"
        elif state.get("OOMKilled"):
            ended = "memory"
        elif timed_out or (code in (128 + 24, 128 + 9) and time.monotonic() - self._began_s >= self._profile.cpu_s):
            ended = "timeout"
        return SandboxResult(
            ended=ended,
            exit_code=code if ended == "exit" else 137,
            stdout=self._output.text("stdout"),
            stderr=self._output.text("stderr"),
            truncated=self._output.overflowed,
            duration_ms=round((time.monotonic() - self._began_s) * 1000),
        )


def short(error: Exception) -> str:
    """Return the first line of an error, cut to a readable length."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
