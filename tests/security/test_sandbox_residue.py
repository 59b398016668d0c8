"""What many runs leave behind: no process, no folder, no container, no descriptor.

PROOF B22 asks for 1,000 runs; CI makes 50 in each backend, and 5 in those of containers, whose starts take longer:

    STANDFAST_SANDBOX_RUNS=1000 pytest tests/security/test_sandbox_residue.py
"""

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sandboxes.container_options import LABEL
from adapters.sandboxes.docker_engine import DEFAULT_URL, connect
from domain.sandbox import SandboxResult
from tests.contracts.sandbox_subjects import KINDS, Subject, subject_of
from tests.facilities import docker_url

IN_CI = 50
RUNS = int(os.environ.get("STANDFAST_SANDBOX_RUNS", str(IN_CI)))
AT_ONCE = 5
SOON_S = 2.0
"""PROOF B22: how long after its end something of a sandbox may still be there."""


def processes(mark: str) -> set[str]:
    """Return the processes of this test's sandboxes; bwrap shows the names of given files in its command line, whoever is its parent."""
    found: set[str] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, IndexError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                own = parent == str(os.getpid()) and ("wasm_runner" in line or "bwrap" in line)
                found |= {f"{folder.name} {line[:200]}"} if own or mark in line else set()
    return found


def containers(mark: str) -> set[str]:
    """Return this test's containers."""
    try:
        client = connect(docker_url() or DEFAULT_URL)
    except OSError:
        return set()
    try:
        found = client.containers.list(all=True, filters={"label": f"{LABEL}={mark}"}, ignore_removed=True)
        return {str(container.attrs.get("Id")) for container in found}
    finally:
        client.close()


def residue(mark: str) -> dict[str, object]:
    """Return everything that runs under a mark could leave on the host; other tests make sandboxes at the same time."""
    return {
        "processes": processes(mark),
        "folders": {str(path) for path in Path("/tmp").glob(f"standfast-wasm-*/{mark}")},  # noqa: S108 (where they are made)
        "containers": containers(mark),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
    }


async def run(subject: Subject, mark: str, number: int) -> SandboxResult | None:
    """Make one run: some end well, some fail, some break a limit, some are cancelled on the way."""
    language = subject.language
    source = (language.greets, language.fails, language.writes_left, language.floods, language.greets_then_sleeps)[number % 5]
    profile, files = subject.profile.model_copy(update={"name": mark}), {"main.py": language.compiled(source), mark: b""}
    running = subject.sandbox.run(profile, list(language.command), files=files)
    if number % 5 < 4:
        return await running
    task = asyncio.create_task(running)
    await asyncio.wait({task}, timeout=0.02 * (number % 7))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


class TestResidue:
    @pytest.mark.parametrize("name", [name for name in KINDS if name != "the fake"])
    async def test_is_none_after_many_runs(self, name: str) -> None:
        mark = f"residue-{secrets.token_hex(8)}"
        async with subject_of(name) as subject:
            await run(subject, mark, 0)
        before = residue(mark)
        async with subject_of(name) as subject:
            wanted = RUNS // 10 if RUNS == IN_CI and name in ("docker", "gvisor") else RUNS
            for first in range(0, wanted, AT_ONCE):
                await asyncio.gather(*(run(subject, mark, number) for number in range(first, first + AT_ONCE)))
        after = before | {"processes": {"not looked yet"}}
        with suppress(TimeoutError):
            async with asyncio.timeout(SOON_S):
                while (after := await asyncio.to_thread(residue, mark)) != before:
                    await asyncio.sleep(0.05)
        assert after == before
