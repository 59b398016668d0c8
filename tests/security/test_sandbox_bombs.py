"""Bombs in sandboxes: each takes far more than its profile grants. It is stopped, the host answers meanwhile, and nothing is left.

PROOF B22. Without a sandbox every bomb gets what it takes; else it would prove nothing. How soon bombs are gone and how fast the host
answers beside them is measured by `benchmarks/sandbox_stop.py`.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from adapters.sandboxes.docker_engine import DEFAULT_URL, connect
from domain.sandbox import MIB, SandboxProfile, SandboxResult
from tests.facilities import docker_url, require
from tests.security.probes.outside import marked
from tests.security.test_sandbox_escapes import BACKENDS, IMAGE, sandbox_of

PROGRAM = Path(__file__).with_name("probes") / "bombs.py"
BOMBS = marked(PROGRAM, "@bomb")
PROFILE = SandboxProfile(
    name="bombed",
    backend="bubblewrap",
    wall_s=1.8,
    cpu_s=1.0,
    memory_bytes=96 * MIB,
    disk_bytes=32 * MIB,
    pids=24,
    output_bytes=4096,
    image=IMAGE,
)
AT_ONCE = 4
PATIENT = ("disk_in_the_work_folder", "disk_in_the_scratch_folder", "descriptors")
"""Those that are told no at once: they share a sandbox, with time enough for all."""
ENOUGH_S = 60.0
NO_CGROUPS = frozenset({"memory", "memory_of_many_processes", "forks", "processors_in_turn"})
"""What a runsc that is told to ignore cgroups cannot hold: Debian's build of 2022 has to be, on kernels of today (.ci/start-docker.sh)."""
NO_COUNT = frozenset({"many_files"})
"""What gVisor does not hold: its memory file system counts bytes, and no files."""
GVISOR_PIDS = 64
"""Where a runsc has cgroups, its own threads count too; with fewer it does not start."""


def left_out(backend: str) -> frozenset[str]:
    """Return the bombs that a backend is not made for, as the daemon says."""
    if backend != "gvisor":
        return frozenset()
    client = connect(docker_url() or DEFAULT_URL)
    try:
        runtimes = cast("dict[str, dict[str, list[str]]]", client.info()["Runtimes"])
    finally:
        client.close()
    return NO_COUNT | NO_CGROUPS if "--ignore-cgroups" in runtimes["runsc"].get("runtimeArgs", []) else NO_COUNT


async def exploded(backend: str, name: str, *, seconds: float | None = None) -> SandboxResult:
    """Run one bomb, or several, inside a backend; in `seconds` instead of the time that bombs have."""
    profile = PROFILE.model_copy(update={"backend": backend, "pids": GVISOR_PIDS if backend == "gvisor" else PROFILE.pids})
    if seconds is not None:
        profile = profile.model_copy(update={"wall_s": seconds, "cpu_s": seconds})
    files = {"bombs.py": PROGRAM.read_bytes()}
    return await sandbox_of(backend).run(profile, ["python3", "bombs.py", name, "120"], files=files)


async def unhindered(name: str) -> bytes:
    """Run one bomb without a sandbox, in a folder that is removed, and return its last line."""
    folder = tempfile.mkdtemp(prefix="standfast-bomb-")
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/python3", str(PROGRAM), name, "2.5"), cwd=folder, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        told = await process.stdout.read()
        return told[-len(b"ESCAPED\n") :]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.to_thread(shutil.rmtree, folder)


@pytest.fixture
async def answers() -> AsyncGenerator[list[int]]:
    """Ask, while a test runs, this process and a new one of the host for an answer, over and over; the list holds what came."""
    came: list[int] = []

    async def ask() -> None:
        while True:
            process = await asyncio.create_subprocess_exec("/bin/true")
            came.append(await process.wait())
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    yield came
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


def processes_called(text: str) -> list[int]:
    """Return the host's processes whose command line holds a text."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                found += [int(folder.name)] if text.encode() in (folder / "cmdline").read_bytes() else []
    return found


class TestBombs:
    async def test_take_what_they_want_where_no_sandbox_is(self) -> None:
        told = dict(zip(BOMBS, await asyncio.gather(*(unhindered(name) for name in BOMBS)), strict=True))
        assert [name for name, last in told.items() if last != b"ESCAPED\n"] == []
        orphans = processes_called("standfast-orphan")
        for orphan in orphans:
            os.kill(orphan, signal.SIGKILL)
        assert len(orphans) == 1

    @pytest.mark.parametrize("backend", BACKENDS)
    async def test_gets_no_more_than_its_profile_grants(self, backend: str, answers: list[int]) -> None:
        if backend != "bubblewrap":
            require("docker" if backend == "docker" else "runsc")
        names = [name for name in BOMBS if name not in {"orphan", *PATIENT, *left_out(backend)}]
        for first in range(0, len(names), AT_ONCE):
            several, asked = names[first : first + AT_ONCE], len(answers)
            results = dict(zip(several, await asyncio.gather(*(exploded(backend, name) for name in several)), strict=True))
            assert [name for name, result in results.items() if "ESCAPED" in result.stdout] == []
            assert [(name, result.ended) for name, result in results.items() if result.ended == "error"] == []
            assert len(answers) > asked
        assert set(answers) == {0}

    @pytest.mark.parametrize("backend", BACKENDS)
    async def test_is_told_no_by_what_its_profile_says_of_files(self, backend: str) -> None:
        result = await exploded(backend, ",".join(PATIENT), seconds=ENOUGH_S)
        assert [line.partition(":")[0] for line in result.stdout.splitlines()] == ["held"] * len(PATIENT)

    @pytest.mark.parametrize("backend", BACKENDS)
    async def test_leaves_no_orphan(self, backend: str) -> None:
        result = await exploded(backend, "orphan")
        assert (result.ended, result.stdout) == ("exit", "ESCAPED\n")
        while processes_called("standfast-orphan"):
            await asyncio.sleep(0.05)
