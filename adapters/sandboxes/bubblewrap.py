"""The `bubblewrap` backend: this machine's programs in new namespaces, without network, with nothing of the host to write to.

Limits: wall and total memory and cpu by a watch on the process tree, single processes also by rlimits, processes by rlimit in the
sandbox's own user namespace. Everything written lands in a memory file system that dies with the sandbox. Linux only.
"""

import asyncio
import os
import shutil
import sys
import time
from asyncio.subprocess import PIPE, Process
from typing import Literal

from adapters.sandboxes.bubblewrap_arguments import NOBODY, PRLIMIT, PROBE, bwrap_arguments, given_files
from adapters.sandboxes.output import OutputCollector
from adapters.sandboxes.process_tree import kill_group, tree_usage
from domain.errors import SandboxUnavailable
from domain.sandbox import OnOutput, SandboxProfile, SandboxResult

Ended = Literal["exit", "timeout", "memory", "output", "error"]

WATCH_S = 0.05
"""How often the process tree is weighed; memory may exceed its limit by what is written in this time."""
PROBE_S = 5.0
"""A machine that cannot start an empty sandbox in this time has none."""
CHUNK_BYTES = 65536
INSTALL = "install it with `apt-get install bubblewrap` (Debian, Ubuntu) or `dnf install bubblewrap`"


class BubblewrapSandbox:
    """Starts one bwrap per run; as root it first becomes `nobody`, so that limits per user hold and an escape finds no root."""

    def __init__(self, *, program: str = "bwrap") -> None:
        self._program = program
        self._probe: str | None = None
        self._probed = False

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run `command` in `/work` beside `files`.

        Raises:
            SandboxUnavailable: no bwrap, no Linux, or user namespaces are switched off.
            InvalidInput: a file name that leaves the work folder.
        """
        reason = await self.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} needs bubblewrap: {reason}")
        with given_files(files) as placed:
            arguments = [self._program, *bwrap_arguments(profile, placed), "--", *command]
            async with OutputCollector(profile.output_bytes, on_output) as output:
                process = await self._start(arguments, tuple(placed.values()))
                return await _Watched(process, profile, output).result(stdin)

    async def _start(self, arguments: list[str], descriptors: tuple[int, ...]) -> Process:
        """Start bwrap in a process group of its own, with an empty environment and no descriptor but the files'."""
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

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None; an empty sandbox is started once to find out."""
        if not self._probed:
            self._probe = await self._find_out()
            self._probed = True
        return self._probe

    async def _find_out(self) -> str | None:
        """Try an empty sandbox with the arguments of a real one."""
        if sys.platform != "linux":
            return "it needs Linux: use the monty or docker backend here"
        if shutil.which(self._program) is None:
            return f"the program {self._program} is not on PATH: {INSTALL}"
        if shutil.which(PRLIMIT) is None:
            return f"the program {PRLIMIT} is missing: install util-linux"
        process = await self._start([self._program, *bwrap_arguments(PROBE, {}), "--", "true"], ())
        try:
            async with asyncio.timeout(PROBE_S):
                _, stderr = await process.communicate(b"")
        except TimeoutError:
            kill_group(process.pid)
            return f"an empty sandbox did not start within {PROBE_S:g} s"
        if process.returncode == 0:
            return None
        told = stderr.decode(errors="replace").strip()[:300] or f"exit code {process.returncode}"
        return (
            f"an empty sandbox does not start ({told}): allow unprivileged user namespaces "
            "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
        )

    async def aclose(self) -> None:
        """Nothing is held between runs."""


class _Watched:
    """One running sandbox, watched until it ends or breaks a limit."""

    def __init__(self, process: Process, profile: SandboxProfile, output: OutputCollector) -> None:
        self._process = process
        self._profile = profile
        self._output = output
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
            kill_group(self._process.pid)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._process.wait()
        return self._told()

    def _break(self, ended: Ended) -> None:
        """Note why, and kill: bwrap dies, its init dies with it, and with the init the whole process namespace."""
        self._broken = self._broken or ended
        kill_group(self._process.pid)

    async def _read(self, stream: str, reader: asyncio.StreamReader | None) -> None:
        """Collect one stream until its last writer is gone; what comes after the limit is read too, else the pipe never closes."""
        while reader is not None and (chunk := await reader.read(CHUNK_BYTES)):
            self._output.take(stream, chunk)

    async def _write(self, stdin: bytes) -> None:
        """Feed standard input; code that does not read it is no error."""
        writer = self._process.stdin
        if writer is None:
            return
        try:
            writer.write(stdin)
            await writer.drain()
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            writer.close()

    async def _watch(self) -> None:
        """Weigh the process tree until it breaks a limit."""
        while self._broken is None:
            usage = await asyncio.to_thread(tree_usage, self._process.pid)
            if usage.memory_bytes > self._profile.memory_bytes:
                self._break("memory")
            elif usage.cpu_s > self._profile.cpu_s or time.monotonic() - self._began_s > self._profile.wall_s:
                self._break("timeout")
            else:
                await asyncio.sleep(WATCH_S)

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
