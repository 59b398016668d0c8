"""Programs that live on in a bubblewrap sandbox and are spoken with over their standard streams; implements `SandboxSessions`."""

import asyncio
import time
from asyncio.subprocess import Process
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.bubblewrap_arguments import bwrap_arguments, given_files, in_memory
from adapters.sandboxes.egress_proxy import Addresses, no_addresses
from adapters.sandboxes.process_tree import kill_group, tree_usage
from adapters.sandboxes.seccomp import bpf_program
from domain.errors import SandboxUnavailable
from domain.sandbox import SandboxProfile

CHUNK_BYTES = 65536
WATCH_S = 0.05
"""How often the process tree is weighed."""
DRAIN_S = 1.0
COMPLAINT_BYTES = 4096
"""How much of standard error is kept: its end says why a program gave up."""
FOLDER_INSIDE = "/servers"
"""Where the operator's folder of installed programs is seen inside."""


class BubblewrapSessions(BubblewrapSandbox):
    """Starts one bwrap per session, as `BubblewrapSandbox` does per run.

    Args:
        folder: Programs that the operator installed for sandboxes, seen read-only under `/servers`; None for none.
        cgroup: A cgroup v2 folder that the worker may divide; None takes the worker's own group where that is possible.
        addresses: Resolves and judges the hosts of profiles with a network.
    """

    def __init__(self, *, folder: Path | None = None, cgroup: Path | None = None, addresses: Addresses = no_addresses) -> None:
        super().__init__(cgroup=cgroup, addresses=addresses)
        self._folder = folder

    @asynccontextmanager
    async def started(
        self, profile: SandboxProfile, command: list[str], *, files: Mapping[str, bytes], environment: Mapping[str, str]
    ) -> AsyncGenerator["BubblewrapProcess"]:
        """Run `command` in `/work` beside `files`, until the context is left.

        Raises:
            SandboxUnavailable: the profile is of another backend, or this machine lacks bubblewrap.
            InvalidInput: a file name that leaves the work folder.
        """
        reason = "programs that are spoken with run in bubblewrap only" if profile.backend != "bubblewrap" else await self.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} cannot be used: {reason}")
        # An argument list is seen by everybody: variables, which may be secrets, come by a descriptor.
        words = [word for name, value in environment.items() for word in ("--setenv", name, value)]
        with (
            given_files(dict(files)) as placed,
            in_memory(bpf_program(network=profile.network == "allow")) as seccomp,
            in_memory(b"".join(word.encode() + b"\0" for word in words)) as variables,
        ):
            arguments = _with_folder(bwrap_arguments(profile, placed, seccomp), self._folder)
            end = arguments.index("--")
            arguments = [*arguments[:end], "--args", str(variables), *arguments[end:], "--", *command]
            async with self._started(profile, arguments, (*placed.values(), seccomp, variables)) as (process, _):
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
        for stream in (self._process.stdout, self._process.stderr):
            await _drained(stream)  # the pipes close with their last byte, and asyncio's transport with the pipes

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


async def _drained(stream: asyncio.StreamReader | None) -> None:
    """Read what is left, which is soon over: everything that could write is dead."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while stream is not None and await stream.read(CHUNK_BYTES):
                pass


def _with_folder(arguments: list[str], folder: Path | None) -> list[str]:
    """Return bwrap's arguments with the operator's folder mounted, before the root becomes read-only."""
    if folder is None:
        return arguments
    closed = next(place for place, word in enumerate(arguments) if word == "--remount-ro" and arguments[place + 1] == "/")
    return [*arguments[:closed], "--ro-bind", str(folder), FOLDER_INSIDE, *arguments[closed:]]
