"""What many runs leave behind: no process, no folder, no container, no descriptor.

PROOF B22 asks for 1,000 runs, which `make faults` makes; here there are 50 in each backend.
"""

import asyncio
import json
import sys
from typing import cast

import pytest

from tests.contracts.sandbox_subjects import KINDS
from tests.facilities import require

RUNS = 50


async def left(backend: str, *options: str) -> dict[str, list[str]]:
    """Return what a process that made runs found afterwards, by kind."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.security.residue", backend, *options), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    return cast("dict[str, list[str]]", json.loads(told)["left"])


class TestResidue:
    @pytest.mark.timeout(900)
    @pytest.mark.parametrize("name", [name for name in KINDS if name != "the fake"])
    async def test_is_none_after_many_runs(self, name: str) -> None:
        needed = KINDS[name].needs
        if needed is not None:
            require(needed)
        found = await left(name, "--runs", str(RUNS))
        assert found == {"processes": [], "folders": [], "containers": [], "descriptors": []}

    async def test_is_seen_when_it_is_there(self) -> None:
        found = await left("monty", "--runs", "1", "--plant")
        assert [(kind, len(things)) for kind, things in found.items() if things] == [("processes", 1), ("folders", 1), ("descriptors", 1)]
