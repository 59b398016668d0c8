"""One sandbox that is a process tree of this machine, watched until it ends or breaks a limit; its end kills the whole tree."""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from adapters.sandboxes.process_tree import TreeUsage, kill_group, tree_usage
from domain.sandbox import SandboxProfile, SandboxResult

Ended = Literal["exit", "timeout", "memory", "output", "error"]

WATCH_S = 0.05
"""How often the process tree is weighed; memory may exceed its limit by what is written in this time."""
CHUNK_BYTES = 65536


class Kept(Protocol):
    """Where output goes: `OutputCollector`, or `FilesOut` before it."""

    @property
    def overflowed(self) -> bool:
        """Whether the limit was passed."""
        ...

    def when_full(self, stop: Callable[[], object]) -> None:
        """Have `stop` called when the limit is passed."""
        ...

    def take(self, stream: str, chunk: bytes) -> bool:
        """Keep a chunk."""
        ...

    def text(self, stream: str) -> str:
        """Return what was kept of a stream."""
        ...


class Limits(Protocol):
    """A second judge of a running sandbox: a cgroup, or a folder that is filling."""

    def broken(self) -> Ended | None:
        """Return which limit is broken now, or None."""
        ...


class Watched:
    """One running sandbox: `process` leads a process group of its own and has pipes for all three streams; `kill` kills besides."""

    def __init__(
        self,
        process: Process,
        profile: SandboxProfile,
        output: Kept,
        *,
        limits: Sequence[Limits] = (),
        kill: Callable[[], object] | None = None,
    ) -> None:
        self._process = process
        self._profile = profile
        self._output = output
        self._limits = limits
        self._kill_more = kill
        self._began_s = time.monotonic()
        self._broken: Ended | None = None

    async def result(self, stdin: bytes) -> SandboxResult:
        """Wait for the end; cancelling kills every process of the sandbox before it goes on."""
        tasks = [
            asyncio.create_task(self._read("stdout", self._process.stdout)),
            asyncio.create_task(self._read("stderr", self._process.stderr)),
            asyncio.create_task(self._write(stdin)),
            asyncio.create_task(self._watch()),
        ]
        self._output.when_full(lambda: self._break("output"))
        try:
            await self._process.wait()
            await asyncio.wait(tasks[:2])
        finally:
            self._kill()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._process.wait()
        self._broken = self._broken or self._judges()
        return self._told()

    def _judges(self) -> Ended | None:
        """Return what the other judges say."""
        return next((ended for each in self._limits if (ended := each.broken()) is not None), None)

    def _break(self, ended: Ended) -> None:
        """Note why, and kill."""
        self._broken = self._broken or ended
        self._kill()

    def _kill(self) -> None:
        """Kill the group; of bwrap its init dies with it, and with the init the whole process namespace.

        A leader that was waited for is left alone: its number may be another process's by now, and its own dies with it.
        """
        if self._process.returncode is None:
            kill_group(self._process.pid)
        if self._kill_more is not None:
            self._kill_more()

    async def _read(self, stream: str, reader: asyncio.StreamReader | None) -> None:
        """Collect one stream until its last writer is gone; what comes after the limit is read too, else the pipe never closes."""
        while reader is not None and (chunk := await reader.read(CHUNK_BYTES)):
            self._output.take(stream, chunk)

    async def _write(self, stdin: bytes) -> None:
        """Feed standard input; code that does not read it, or has ended already, is no error (uvloop raises RuntimeError for that)."""
        writer = self._process.stdin
        if writer is None:
            return
        try:
            writer.write(stdin)
            await writer.drain()
        except (OSError, RuntimeError):
            return
        finally:
            writer.close()

    async def _watch(self) -> None:
        """Weigh the process tree until it breaks a limit; most programs have ended before the first time."""
        while self._broken is None:
            await asyncio.sleep(WATCH_S)
            usage = await asyncio.to_thread(tree_usage, self._process.pid)
            ended = self._judged(usage) or await asyncio.to_thread(self._judges)
            if ended is not None:
                self._break(ended)

    def _judged(self, usage: TreeUsage) -> Ended | None:
        """Return which limit of the profile the tree breaks, or None."""
        if usage.memory_bytes > self._profile.memory_bytes:
            return "memory"
        if usage.cpu_s > self._profile.cpu_s or time.monotonic() - self._began_s > self._profile.wall_s:
            return "timeout"
        return None

    def _told(self) -> SandboxResult:
        """Build the result from what was seen; the kernel's own CPU limit ends as a timeout too."""
        code = self._process.returncode or 0
        code = 128 - code if code < 0 else code
        ended: Ended = self._broken or "exit"
        if self._broken is None and code in (128 + 24, 128 + 9) and time.monotonic() - self._began_s >= self._profile.cpu_s:
            ended = "timeout"
        if self._output.overflowed:
            ended = "output"
        return SandboxResult(
            ended=ended,
            exit_code=137 if ended != "exit" else code,
            stdout=self._output.text("stdout"),
            stderr=self._output.text("stderr"),
            truncated=self._output.overflowed,
            duration_ms=round((time.monotonic() - self._began_s) * 1000),
        )
