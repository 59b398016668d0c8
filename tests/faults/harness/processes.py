"""One process of the stack under test: started, found ready, killed with SIGKILL, started again."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
READY_SECONDS_MAX = 90.0
LOOK_SECONDS = 0.02


@dataclass
class Part:
    """A part of the stack.

    Attributes:
        name: Names its log.
        argv: Its command line.
        folder: Where its log goes.
        is_ready: Asked until it says yes.
        environment: Variables on top of this process's own.
        before_start: Called before each start.
        stop_signal: What ends it politely.
        doomed: The last process that was killed here.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    is_ready: Callable[["Part"], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    before_start: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    kills: int = 0
    process: asyncio.subprocess.Process | None = None
    ready: bool = False
    started: list[asyncio.subprocess.Process] = field(default_factory=list[asyncio.subprocess.Process])
    doomed: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 while it does not run."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            RuntimeError: it ended, was killed or stayed silent; the message has its last words.
        """
        self.ready = False
        if self.before_start is not None:
            await asyncio.to_thread(self.before_start)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.argv, cwd=ROOT, env={**os.environ, **self.environment}, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.started.append(self.process)
        end = asyncio.get_running_loop().time() + READY_SECONDS_MAX
        while not await self.is_ready(self):
            if self.process.returncode is not None or asyncio.get_running_loop().time() > end:
                raise RuntimeError(f"{self.name} did not get ready: {self.last_words()}")
            await asyncio.sleep(LOOK_SECONDS)
        if self.process is self.doomed:  # killed while it said that it was ready
            raise RuntimeError(f"{self.name} was killed while it got ready")
        self.ready = True

    @property
    def log(self) -> Path:
        """Where it writes."""
        return self.folder / f"{self.name}.log"

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:] if self.log.exists() else ""

    async def kill(self, *, children: bool = False) -> bool:
        """Send SIGKILL, to its children at the same moment if wanted, and wait for its end; False when it did not run."""
        process = self.process
        if process is None or process.returncode is not None:
            return False
        victims = [process.pid, *(children_of(process.pid) if children else [])]
        self.ready, self.doomed = False, process
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await process.wait()
        self.kills += 1
        return True

    async def stop(self) -> None:
        """End it politely, then with SIGKILL; nothing that was ever started for it is left."""
        for process in self.started:
            if process.returncode is not None:
                continue
            process.send_signal(self.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


def children_of(parent: int) -> list[int]:
    """Return the process ids whose parent is this one."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = place.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == parent:
            found.append(int(place.parent.name))
    return found
