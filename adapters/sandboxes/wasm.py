"""The `wasm` backend: WebAssembly modules with WASI under wasmtime, each in a process of its own that waits warm.

Instructions are counted as fuel, wall time interrupts by epoch, and the watch kills the process when either fails. The module reaches
its work folder and its standard streams; there are no sockets, no environment and no clock but WASI's. Runs on Linux and macOS.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import stat
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import NamedTuple, cast

from adapters.sandboxes.bubblewrap_arguments import NOBODY
from adapters.sandboxes.output import OutputCollector
from adapters.sandboxes.process_tree import kill_group, tree_usage
from adapters.sandboxes.seccomp import SeccompUnavailableError, bpf_program
from adapters.sandboxes.watched import Ended, Watched
from adapters.sandboxes.work_files import INODES_MAX, checked_name
from domain.errors import InvalidInput, SandboxUnavailable
from domain.sandbox import MIB, OnOutput, SandboxProfile, SandboxResult

RUNNER = Path(__file__).with_name("wasm_runner.py")
FUEL_PER_S = 1_000_000_000
"""Instructions that one second of `cpu_s` buys; wasmtime counts about one fuel an instruction."""
OWN_BYTES = 96 * MIB
"""What compiling a module may take beside the module's own memory."""
PREFIX = "standfast-wasm-"
REPORT_S = 5.0
"""How long an ended runner's report may take to be read."""


class _Runner(NamedTuple):
    """A process that waits for its job, and our end of the channel to it."""

    process: Process
    channel: socket.socket


class WasmSandbox:
    """Runs one module per process; `warm` processes wait with wasmtime loaded, which spares a run most of its start."""

    def __init__(self, *, warm: int = 1) -> None:
        self._warm = warm
        self._waiting: list[_Runner] = []
        self._filling: asyncio.Task[None] | None = None

    async def run(
        self,
        profile: SandboxProfile,
        command: list[str],
        *,
        files: dict[str, bytes],
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> SandboxResult:
        """Run the module `files[command[0]]` with `command` as its arguments and the files in `/work`.

        Raises:
            SandboxUnavailable: wasmtime is not installed, or the profile asks for a network.
            InvalidInput: the module is not among the files, or a file name leaves the work folder.
        """
        reason = self.unfit(profile) or await self.missing()
        if reason is not None:
            raise SandboxUnavailable(f"the profile {profile.name} needs wasm: {reason}")
        if not command or command[0] not in files:
            raise InvalidInput("wasm runs a module: name one of the given files, such as `tool.wasm`, as the command", where="/command")
        with _work_folder(files) as folder:
            runner = await self._taken()
            try:
                async with OutputCollector(profile.output_bytes, on_output) as output:
                    return await _ran(runner, profile, command, folder=folder, stdin=stdin, output=output)
            finally:
                await _ended(runner)

    def unfit(self, profile: SandboxProfile) -> str | None:
        """Return why this backend cannot give a profile what it asks, or None."""
        if profile.network == "allow":
            return "a module has no sockets, so no network can be allowed: use bubblewrap or docker"
        return None

    async def missing(self) -> str | None:
        """Return what is missing and how to get it, or None."""
        return None if find_spec("wasmtime") is not None else "the package wasmtime is not installed: `pip install wasmtime`"

    async def _taken(self) -> _Runner:
        """Take a waiting process, or start one, and have the place filled again."""
        while self._waiting and self._waiting[0].process.returncode is not None:
            self._waiting.pop(0).channel.close()
        runner = self._waiting.pop(0) if self._waiting else await _started()
        if self._warm and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())
        return runner

    async def _fill(self) -> None:
        """Start what is lacking."""
        while len(self._waiting) < self._warm:
            self._waiting.append(await _started())

    async def aclose(self) -> None:
        """End the processes that wait."""
        if self._filling is not None:
            await asyncio.gather(self._filling, return_exceptions=True)
        waiting, self._waiting = self._waiting, []
        for runner in waiting:
            await _ended(runner)


async def _started() -> _Runner:
    """Start a process that loads wasmtime and waits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(RUNNER), str(theirs.fileno())),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={"LANG": "C.UTF-8"},
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return _Runner(process, ours)


async def _ran(
    runner: _Runner, profile: SandboxProfile, command: list[str], *, folder: Path, stdin: bytes, output: OutputCollector
) -> SandboxResult:
    """Give the job and wait for the end."""
    own = await asyncio.to_thread(tree_usage, runner.process.pid)
    allowed = profile.model_copy(update={"memory_bytes": profile.memory_bytes + own.memory_bytes + OWN_BYTES})
    job = json.dumps(_job(profile, command, folder)).encode()
    try:
        await asyncio.get_running_loop().sock_sendall(runner.channel, len(job).to_bytes(4, "big") + job)
    except OSError as error:
        return SandboxResult(ended="error", exit_code=137, stdout="", stderr=f"the process for the module is gone: {error}")
    result = await Watched(runner.process, allowed, output, limits=[_Folder(folder, profile)]).result(stdin)
    files = await asyncio.to_thread(_left, folder, profile)
    told = await _told(runner.channel) if result.ended == "exit" else None
    if told is None:
        broke = result.ended == "exit"
        return result.model_copy(update={"files": files, **({"ended": "error", "exit_code": 137} if broke else {})})
    ended, code, said = told
    room = max(0, profile.output_bytes - len(result.stderr.encode()))
    stderr = result.stderr + said.encode()[:room].decode(errors="ignore")
    return result.model_copy(update={"ended": ended, "exit_code": code if ended == "exit" else 137, "stderr": stderr, "files": files})


def _job(profile: SandboxProfile, command: list[str], folder: Path) -> dict[str, object]:
    """Return the job as the runner reads it (`wasm_runner.Job`)."""
    try:
        # A second wall behind wasmtime's own, where libseccomp is there to build it.
        program = bpf_program(network=False).hex() if sys.platform == "linux" else ""
    except SeccompUnavailableError:
        program = ""
    return {
        "module": str(folder / checked_name(command[0])),
        "folder": str(folder),
        "argv": command,
        "fuel": round(profile.cpu_s * FUEL_PER_S),
        "wall_s": profile.wall_s,
        "cpu_s": profile.cpu_s,
        "memory_bytes": profile.memory_bytes,
        "disk_bytes": profile.disk_bytes,
        "seccomp": program,
    }


async def _told(channel: socket.socket) -> tuple[Ended, int, str] | None:
    """Return the runner's report, or None when it ended without one."""
    said = b""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(REPORT_S):
            while chunk := await asyncio.get_running_loop().sock_recv(channel, 65536):
                said += chunk
    try:
        report = cast("dict[str, object]", json.loads(said))
        return cast("Ended", report["ended"]), int(str(report["code"])), str(report["said"])
    except (ValueError, KeyError):
        return None


async def _ended(runner: _Runner) -> None:
    """End the process, whatever it does."""
    if runner.process.returncode is None:
        kill_group(runner.process.pid)
    await runner.process.wait()
    runner.channel.close()
    if runner.process.stdin is not None:
        runner.process.stdin.close()


class _Folder:
    """Judges how full the work folder is."""

    def __init__(self, folder: Path, profile: SandboxProfile) -> None:
        self._folder = folder
        self._disk_bytes = profile.disk_bytes

    def broken(self) -> Ended | None:
        """Return "output" when more stands in the folder than the profile allows."""
        taken, count = 0, 0
        for root, folders, names in os.walk(self._folder):
            for name in (*folders, *names):
                count += 1
                with suppress(OSError):
                    taken += os.lstat(Path(root, name)).st_blocks * 512
            if taken > self._disk_bytes or count > INODES_MAX:
                return "output"
        return None


@contextmanager
def _work_folder(files: dict[str, bytes]) -> Generator[Path]:
    """Give a folder with the files, which `nobody` may use when this process is root, and remove it afterwards.

    Raises:
        InvalidInput: a name that leaves the folder.
    """
    named = {checked_name(name): content for name, content in files.items()}
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        for name, content in named.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _left(folder: Path, profile: SandboxProfile) -> dict[str, bytes]:
    """Return the wanted files that are plain files, following no link on the way to them."""
    found: dict[str, bytes] = {}
    room = profile.disk_bytes
    for name in map(checked_name, profile.files_out):
        with contextlib.ExitStack() as opened, suppress(OSError):
            at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, at)
            *parents, last = PurePosixPath(name).parts
            for parent in parents:
                at = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                opened.callback(os.close, at)
            descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
            opened.callback(os.close, descriptor)
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and os.fstat(descriptor).st_size <= room:
                found[name] = os.pread(descriptor, room, 0)
                room -= len(found[name])
    return found
