"""Programs that live on in a bubblewrap sandbox and are spoken with over their standard streams; implements `SandboxSessions`."""

import asyncio
import os
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from adapters.sandboxes.bubblewrap import CHUNK_BYTES, WATCH_S, BubblewrapSandbox
from adapters.sandboxes.bubblewrap_arguments import NOBODY, bwrap_arguments, given_files
from adapters.sandboxes.process_tree import kill_group, tree_usage
from domain.errors import SandboxUnavailable
from domain.sandbox import SandboxProfile

COMPLAINT_BYTES = 4096
"""How much of standard error is kept: its end says why a program gave up."""
FOLDER_INSIDE = "/servers"
"""Where the operator's folder of installed programs is seen inside."""


class BubblewrapSessions:
    """Starts one bwrap per session.

    Args:
        sandbox: Says whether this machine can.
        folder: Programs that the operator installed for sandboxes, seen read-only under `/servers`; None for none.
        program: bwrap.
    """

    def __init__(self, sandbox: BubblewrapSandbox, *, folder: Path | None = None, program: str = "bwrap") -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._program = program

    @asynccontextmanager
    async def started(
        self, profile: SandboxProfile, command: list[str], *, files: Mapping[str, bytes], environment: Mapping[str, str]
    ) -> AsyncGenerator["BubblewrapProcess"]:
        """Run `command` in `/work` beside `files`, until the context is left.

        Raises:
            SandboxUnavailable: the profile is of another backend, or this machine lacks bubblewrap.
            InvalidInput: a file name that leaves the work folder.
        """
        reason = (
            "programs that are spoken with run in bubblewrap only" if profile.backend != "bubblewrap" else await self._sandbox.missing()
        )
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} cannot be used: {reason}")
        with given_files(dict(files)) as placed, _given_environment(environment) as given:
            arguments = _with_folder(bwrap_arguments(profile, placed), self._folder)
            end = arguments.index("--")
            arguments = [self._program, *arguments[:end], "--args", str(given), *arguments[end:], "--", *command]
            process = await _start(arguments, (*placed.values(), given))
        running = BubblewrapProcess(process, profile)
        try:
            yield running
        finally:
            await running.ended()


class BubblewrapProcess:
    """One running program; implements `SandboxProcess`."""

    def __init__(self, process: Process, profile: SandboxProfile) -> None:
        self._process = process
        self._profile = profile
        self._began_s = time.monotonic()
        self._complaint: deque[int] = deque(maxlen=COMPLAINT_BYTES)
        self._broken = ""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]

    async def read(self) -> bytes:
        """Return what it wrote next; empty once it ended."""
        return b"" if self._process.stdout is None else await self._process.stdout.read(CHUNK_BYTES)

    async def write(self, data: bytes) -> None:
        """Write to its standard input."""
        if self._process.stdin is None:
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    def complaint(self) -> str:
        """Return the end of its standard error, after the limit it broke if any."""
        told = bytes(self._complaint).decode(errors="replace").strip()
        return f"{self._broken}; {told}" if self._broken and told else self._broken or told

    async def ended(self) -> None:
        """Kill what runs, and wait until it is gone."""
        kill_group(self._process.pid)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.shield(self._process.wait())

    async def _listen(self) -> None:
        """Keep the end of standard error, so that its pipe never fills."""
        while self._process.stderr is not None and (chunk := await self._process.stderr.read(CHUNK_BYTES)):
            self._complaint.extend(chunk)

    async def _watch(self) -> None:
        """Weigh the process tree until it breaks a limit; the wall is the whole session's."""
        while not self._broken:
            usage = await asyncio.to_thread(tree_usage, self._process.pid)
            if usage.memory_bytes > self._profile.memory_bytes:
                self._broken = f"it used more than {self._profile.memory_bytes} bytes of memory"
            elif usage.cpu_s > self._profile.cpu_s:
                self._broken = f"it used more than {self._profile.cpu_s:g} s of processor time"
            elif time.monotonic() - self._began_s > self._profile.wall_s:
                self._broken = f"it ran longer than {self._profile.wall_s:g} s"
            else:
                await asyncio.sleep(WATCH_S)
        kill_group(self._process.pid)


def _with_folder(arguments: list[str], folder: Path | None) -> list[str]:
    """Return bwrap's arguments with the operator's folder mounted, before the root becomes read-only."""
    if folder is None:
        return arguments
    closed = next(place for place, word in enumerate(arguments) if word == "--remount-ro" and arguments[place + 1] == "/")
    return [*arguments[:closed], "--ro-bind", str(folder), FOLDER_INSIDE, *arguments[closed:]]


class _given_environment:  # noqa: N801 - used as a context manager, like `given_files`
    """Holds variables in memory under a descriptor that bwrap reads arguments from: an argument list is seen by everybody."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._words = [word for name, value in environment.items() for word in ("--setenv", name, value)]
        self._descriptor = -1

    def __enter__(self) -> int:
        self._descriptor = os.memfd_create("environment", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(self._descriptor), "wb") as copy:
            copy.write(b"".join(word.encode() + b"\0" for word in self._words))
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


async def _start(arguments: list[str], descriptors: tuple[int, ...]) -> Process:
    """Start bwrap in a process group of its own, with an empty environment and no descriptor but those given."""
    root = os.geteuid() == 0
    return await asyncio.create_subprocess_exec(
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        pass_fds=descriptors,
        start_new_session=True,
        user=NOBODY if root else None,
        group=NOBODY if root else None,
        extra_groups=[] if root else None,
    )
