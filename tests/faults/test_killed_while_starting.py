"""A part of the stack under test that is killed just as it gets ready is not taken for ready: the scenario would wait for the dead."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.faults.harness.processes import Part


async def test_a_part_killed_while_it_says_that_it_is_ready_is_not_ready(tmp_path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def says_so_late(_part: Part) -> bool:
        asked.set()
        await answer.wait()
        return True

    part = Part("sleeper", (sys.executable, "-c", "import signal; signal.pause()"), tmp_path, says_so_late)
    starting = asyncio.create_task(part.start())
    await asked.wait()
    assert await part.kill()
    answer.set()
    with pytest.raises(RuntimeError, match="killed while it got ready"):
        await starting
    assert not part.ready
