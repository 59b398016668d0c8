"""How a process waits for its start: for its file, or until it is told to stop."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from api.main import run_gateway
from wiring.processes import may_start, say_not_ready, say_ready
from wiring.worker import run_worker

KEPT = """\
import gc
import api.main
from wiring.processes import keep_loaded
loaded = len(gc.get_objects())
keep_loaded()
print(loaded, len(gc.get_objects()))
"""


class TestKeepLoaded:
    def test_leaves_what_was_loaded_out_of_every_later_collection(self) -> None:
        said = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        before, after = map(int, said.stdout.split())
        assert before > 50_000
        assert after < before / 100


class TestMayStart:
    async def test_waits_for_nothing_unless_a_file_is_named(self) -> None:
        assert await may_start(None, asyncio.Event())

    async def test_waits_for_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "servers"
        waiting = asyncio.create_task(may_start(file, asyncio.Event()))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert done == set()

        file.touch()
        assert await waiting

    @pytest.mark.parametrize("run", [run_worker, run_gateway])
    async def test_worker_and_gateway_that_are_told_to_stop_first_use_no_server(
        self, run: Callable[[asyncio.Event], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)  # without it, using the database is an error
        monkeypatch.setenv("STANDFAST_START_FILE", str(tmp_path / "never"))
        ready = tmp_path / "left by a killed worker"
        ready.touch()
        monkeypatch.setenv("STANDFAST_READY_FILE", str(ready))
        stop = asyncio.Event()
        running = asyncio.ensure_future(run(stop))
        done, _ = await asyncio.wait({running}, timeout=0.1)
        assert done == set()
        assert ready.exists() is (run is run_gateway), "the file is the worker's, who is not ready yet"

        stop.set()
        await running


class TestReadyFile:
    def test_is_made_with_its_folder_and_taken_back(self, tmp_path: Path) -> None:
        file = tmp_path / "state" / "worker.ready"
        say_ready(file)
        assert file.exists()
        for _ in range(2):
            say_not_ready(file)
        assert not file.exists()

    def test_may_be_unwanted(self) -> None:
        say_ready(None)
        say_not_ready(None)
