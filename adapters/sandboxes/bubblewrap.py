"""The `bubblewrap` backend: this machine's programs in new namespaces, without network, with nothing of the host to write to.

Limits: with a cgroup that the worker may divide, memory and processes of the whole tree by the kernel; without, memory and cpu by a
watch on the process tree, and processes by rlimit in the sandbox's own user namespace. Single processes have rlimits either way, wall
time is watched, and only the listed system calls are there. Everything written lands in a memory file system that dies with the
sandbox. Linux only.
"""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import cast

from adapters.sandboxes.bubblewrap_arguments import NOBODY, PRLIMIT, PROBE, bwrap_arguments, given_files, in_memory
from adapters.sandboxes.cgroup import SandboxGroup, own_group, refusal
from adapters.sandboxes.egress_proxy import Addresses, no_addresses
from adapters.sandboxes.files_out import FilesOut
from adapters.sandboxes.inner_network import inner_network
from adapters.sandboxes.output import OutputCollector
from adapters.sandboxes.process_tree import InnerFiles, kill_group
from adapters.sandboxes.seccomp import SeccompUnavailableError, bpf_program
from adapters.sandboxes.watched import Limits, Watched
from adapters.sandboxes.work_files import INODES_MAX
from domain.errors import SandboxUnavailable
from domain.sandbox import OnOutput, SandboxProfile, SandboxResult

BECOME_NOBODY = ("/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
"""util-linux; a program does it because uvloop, on which workers run, takes no user for a process."""
PROBE_S = 5.0
"""A machine that cannot start an empty sandbox in this time has none."""
HELD_S = 10.0
"""How long bwrap may take to make the namespaces of a sandbox that is held until its group or its network is there."""
INSTALL = "install it with `apt-get install bubblewrap` (Debian, Ubuntu) or `dnf install bubblewrap`"


class BubblewrapSandbox:
    """Starts one bwrap per run; as root it first becomes `nobody`, so that limits per user hold and an escape finds no root.

    Args:
        program: bwrap.
        cgroup: A cgroup v2 folder that the worker may divide; None takes the worker's own group where that is possible.
        addresses: Resolves and judges the hosts of profiles with a network.
    """

    def __init__(self, *, program: str = "bwrap", cgroup: Path | None = None, addresses: Addresses = no_addresses) -> None:
        self._program = program
        self._asked_group = cgroup
        own = own_group() if cgroup is None else None
        self._group = cgroup or (own if own is not None and refusal(own) is None else None)
        self._addresses = addresses
        self._probe: str | None = None
        self._probed = False

    @property
    def limits(self) -> str:
        """How memory and processes are limited here, in words."""
        return "rlimits and a watch" if self._group is None else f"cgroup v2 ({self._group})"

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
            SandboxUnavailable: no bwrap, no Linux, no libseccomp, or user namespaces are switched off.
            InvalidInput: a file name that leaves the work folder.
        """
        reason = await self.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} needs bubblewrap: {reason}")
        with given_files(files) as placed, in_memory(bpf_program(network=profile.network == "allow")) as seccomp:
            async with OutputCollector(profile.output_bytes, on_output) as output, AsyncExitStack() as held:
                given = FilesOut(profile, output) if profile.files_out else None
                inside = command if given is None else given.wrapped(command)
                arguments = [*bwrap_arguments(profile, placed, seccomp), "--", *inside]
                process, group = await held.enter_async_context(self._started(profile, arguments, (*placed.values(), seccomp)))
                files_made = InnerFiles(process.pid, ("/work", "/tmp"), INODES_MAX)  # noqa: S108 (the sandbox's own)
                limits: list[Limits] = [files_made] if group is None else [files_made, group]
                kill = None if group is None else group.kill
                result = await Watched(process, profile, given or output, limits=limits, kill=kill).result(stdin)
                return result if given is None else result.model_copy(update={"files": given.files()})

    @asynccontextmanager
    async def _started(
        self, profile: SandboxProfile, arguments: list[str], descriptors: tuple[int, ...]
    ) -> AsyncGenerator[tuple[Process, SandboxGroup | None]]:
        """Start bwrap, and see it dead at the end; where a cgroup or a network is wanted, its program is held until both are there."""
        async with AsyncExitStack() as held:
            if self._group is None and profile.network == "none":
                yield await self._begun(held, [self._program, *arguments], descriptors), None
                return
            group = None
            if self._group is not None:
                group = SandboxGroup(self._group, profile)
                held.callback(group.remove)
            (info, tell), (wait, release) = os.pipe(), os.pipe()
            for descriptor in (info, release):
                held.callback(_close, descriptor)
            try:
                options = [self._program, "--info-fd", str(tell), "--block-fd", str(wait)]
                process = await self._begun(held, [*options, *arguments], (*descriptors, tell, wait))
            finally:
                os.close(tell)
                os.close(wait)
            child = await _child(info)
            if group is not None:
                group.add(process.pid)
                group.add(child)
            if profile.network == "allow":
                await held.enter_async_context(inner_network(child, profile, self._addresses))
            os.write(release, b"1")
            yield process, group

    async def _begun(self, held: AsyncExitStack, arguments: list[str], descriptors: tuple[int, ...]) -> Process:
        """Start a process that `held` ends, also when this is cancelled while it comes into being."""
        starting = asyncio.create_task(self._start(arguments, descriptors))
        held.push_async_callback(_ended, starting)
        return await asyncio.shield(starting)

    async def _start(self, arguments: list[str], descriptors: tuple[int, ...]) -> Process:
        """Start bwrap in a process group of its own, with an empty environment and no descriptor but those named."""
        return await asyncio.create_subprocess_exec(
            *(BECOME_NOBODY if os.geteuid() == 0 else ()),
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            pass_fds=descriptors,
            start_new_session=True,
        )

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Return None: whatever a profile asks, this backend can give."""
        del profile
        return None

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None; an empty sandbox is started once to find out."""
        if not self._probed:
            self._probe = await self._find_out()
            self._probed = True
        return self._probe

    async def _find_out(self) -> str | None:
        """Try an empty sandbox with the arguments of a real one."""
        if sys.platform != "linux":
            return "it needs Linux: use the monty, wasm or docker backend here"
        if shutil.which(self._program) is None:
            return f"the program {self._program} is not on PATH: {INSTALL}"
        for program in (PRLIMIT, BECOME_NOBODY[0]):
            if shutil.which(program) is None:
                return f"the program {program} is missing: install util-linux"
        if self._asked_group is not None and (reason := refusal(self._asked_group)) is not None:
            return f"the cgroup of STANDFAST_SANDBOX_CGROUP cannot be used: {reason}"
        try:
            with in_memory(bpf_program(network=False)) as seccomp:
                return await self._tried(seccomp)
        except SeccompUnavailableError as error:
            return str(error)

    async def _tried(self, seccomp: int) -> str | None:
        """Start an empty sandbox."""
        process = await self._start([self._program, *bwrap_arguments(PROBE, {}, seccomp), "--", "true"], (seccomp,))
        try:
            async with asyncio.timeout(PROBE_S):
                _, stderr = await process.communicate()
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


async def _child(info: int) -> int:
    """Return the pid of the sandbox's first process, which bwrap tells once the namespaces are made.

    Raises:
        SandboxUnavailable: bwrap ended before, or took too long.
    """
    told = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(HELD_S):
            while b"}" not in told and (chunk := await asyncio.to_thread(os.read, info, 4096)):
                told += chunk
    try:
        return cast("dict[str, int]", json.loads(told))["child-pid"]
    except (ValueError, KeyError) as error:
        raise SandboxUnavailable("bubblewrap did not make the sandbox's namespaces") from error


async def _ended(starting: "asyncio.Task[Process]") -> None:
    """Kill what was started, and wait until it is gone, whatever else happens."""

    async def end() -> None:
        started = (await asyncio.gather(starting, return_exceptions=True))[0]
        if not isinstance(started, BaseException) and started.returncode is None:
            kill_group(started.pid)
            await started.wait()

    await asyncio.shield(asyncio.create_task(end()))


def _close(descriptor: int) -> None:
    """Close; one that is closed already is fine."""
    with suppress(OSError):
        os.close(descriptor)
