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

import pytest

from domain.sandbox import MIB, SandboxProfile, SandboxResult
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
AT_ONCE = 3
NO_CGROUPS = frozenset({"memory", "memory_of_many_processes", "forks", "many_files", "processors_in_turn"})
"""What Debian's runsc of 2022 cannot hold on kernels of today, since it ignores cgroups here (.ci/start-docker.sh)."""


async def exploded(backend: str, name: str) -> SandboxResult:
    """Run one bomb inside a backend."""
    profile = PROFILE.model_copy(update={"backend": backend})
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
        names = [name for name in BOMBS if name != "orphan" and not (backend == "gvisor" and name in NO_CGROUPS)]
        for first in range(0, len(names), AT_ONCE):
            several, asked = names[first : first + AT_ONCE], len(answers)
            results = dict(zip(several, await asyncio.gather(*(exploded(backend, name) for name in several)), strict=True))
            assert [name for name, result in results.items() if "ESCAPED" in result.stdout] == []
            assert [(name, result.ended) for name, result in results.items() if result.ended == "error"] == []
            assert len(answers) > asked
        assert set(answers) == {0}

    @pytest.mark.parametrize("backend", BACKENDS)
    async def test_leaves_no_orphan(self, backend: str) -> None:
        result = await exploded(backend, "orphan")
        assert (result.ended, result.stdout) == ("exit", "ESCAPED\n")
        while processes_called("standfast-orphan"):
            await asyncio.sleep(0.05)
