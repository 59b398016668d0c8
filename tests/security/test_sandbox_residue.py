"""What many runs leave behind: no process, no folder, no container, no mount, no descriptor.

PROOF B22 asks for 1,000 runs; CI makes 50 in each backend, and 10 in those of containers, whose starts take longer:

    STANDFAST_SANDBOX_RUNS=1000 pytest tests/security/test_sandbox_residue.py
"""

import asyncio
import os
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


def processes() -> set[str]:
    """Return the command lines of this process's descendants and of every sandbox, whoever is its parent now."""
    found: set[str] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if "bwrap" in line or "wasm_runner" in line or "sleep 777" in line:
                found.add(f"{folder.name} {line[:200]}")
    return found


def containers() -> set[str]:
    """Return the sandboxes of the daemon."""
    try:
        client = connect(docker_url() or DEFAULT_URL)
    except OSError:
        return set()
    try:
        found = client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        return {str(container.attrs.get("Id")) for container in found}
    finally:
        client.close()


def residue() -> dict[str, object]:
    """Return everything a run could leave on the host."""
    return {
        "processes": processes(),
        "folders": {str(path) for path in Path("/tmp").glob("standfast-wasm-*")},  # noqa: S108 (where they are made)
        "containers": containers(),
        "mounts": len(Path("/proc/mounts").read_text(encoding="utf-8").splitlines()),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
    }


async def run(subject: Subject, number: int) -> SandboxResult | None:
    """Make one run: some end well, some fail, some break a limit, some are cancelled on the way."""
    language = subject.language
    source = (language.greets, language.fails, language.writes_left, language.floods, language.greets_then_sleeps)[number % 5]
    running = subject.sandbox.run(subject.profile, list(language.command), files={"main.py": language.compiled(source)})
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
        async with subject_of(name) as subject:
            await run(subject, 0)
        before = residue()
        async with subject_of(name) as subject:
            wanted = RUNS // 5 if RUNS == IN_CI and name in ("docker", "gvisor") else RUNS
            for first in range(0, wanted, AT_ONCE):
                await asyncio.gather(*(run(subject, number) for number in range(first, first + AT_ONCE)))
        async with asyncio.timeout(SOON_S):
            while (after := await asyncio.to_thread(residue)) != before:
                await asyncio.sleep(0.05)
        assert after == before
