"""Other platforms in the benchmark: installed apart or skipped with a line, and measured in turns."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.peer_installs import READY, PeerUnavailableError, python_with, restate_server
from benchmarks.peer_servers import ROOT, Peer
from benchmarks.peers import OURS, PEERS, WARM_UP, Opening, measure, opened, report
from benchmarks.servers import Servers

NOWHERE = Servers(Path(), "", "")
FIRST, SECOND = PEERS

CONTENDER = """
import asyncio
from benchmarks.contenders.turns import take_turns
asyncio.run(take_turns(lambda: asyncio.sleep(0)))
"""


class Counted:
    """A contender whose runs take as many milliseconds as runs were made so far, by anyone."""

    def __init__(self, made: list[str], name: str) -> None:
        self._made = made
        self._name = name

    async def turn(self, runs: int) -> list[float]:
        """Make runs."""
        self._made.extend([self._name] * runs)
        return [float(len(self._made))] * runs


def opening(contender: Counted | None) -> Opening:
    """Return how a platform is started that is there, or one that cannot be installed."""

    @asynccontextmanager
    async def there(servers: Servers) -> AsyncGenerator[Counted]:
        del servers
        if contender is None:
            raise PeerUnavailableError("it cannot be installed: no network")
        yield contender

    return there


class TestMeasurement:
    async def test_takes_turns(self) -> None:
        made: list[str] = []
        await measure({name: Counted(made, name) for name in "abc"}, rounds=2, runs=2)
        assert "".join(made) == "aabbcc" * (WARM_UP + 2)

    async def test_leaves_out_what_warms_up(self) -> None:
        times = await measure({"a": Counted([], "a")}, rounds=2, runs=1)
        assert times == {"a": [WARM_UP + 1.0, WARM_UP + 2.0]}

    async def test_skips_a_platform_that_cannot_be_installed_with_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        async with AsyncExitStack() as stack:
            found = await opened(NOWHERE, stack, {FIRST: opening(None), SECOND: opening(Counted([], SECOND))})
        assert list(found) == [SECOND]
        assert capsys.readouterr().out == f"{FIRST} is skipped: it cannot be installed: no network\n"


class TestReport:
    def test_judges_ours_beside_each_platform(self) -> None:
        lines = report({OURS: [2.0, 2.0], FIRST: [4.0, 4.0], SECOND: [1.0, 1.0]}).splitlines()
        assert [line.split()[-4:] for line in lines[-2:]] == [["goal", "below", "1:", "met"], ["goal", "below", "1:", "MISSED"]]
        assert "0.50" in lines[-2]

    def test_says_nothing_of_a_platform_that_was_skipped(self) -> None:
        assert "dbos" not in report({OURS: [2.0, 2.0]})


class TestPeer:
    async def test_makes_as_many_runs_as_it_is_asked_for(self, tmp_path: Path) -> None:
        peer = await started(CONTENDER, tmp_path / "log")
        assert await peer.answer() == []
        assert [len(await peer.turn(runs)) for runs in (3, 1)] == [3, 1]
        peer.process.kill()
        await peer.process.wait()

    async def test_that_ends_says_its_last_line(self, tmp_path: Path) -> None:
        peer = await started("raise SystemExit('no database')", tmp_path / "log")
        with pytest.raises(PeerUnavailableError, match="it ended: no database"):
            await peer.answer()
        await peer.process.wait()


class TestInstall:
    async def test_of_restate_needs_npm(self, tmp_path: Path) -> None:
        with pytest.raises(PeerUnavailableError, match="`npm` is not on PATH"):
            await restate_server(print, cache=tmp_path, search_path=str(tmp_path))

    async def test_that_fails_says_why_in_one_line_and_does_not_count_as_installed(self, tmp_path: Path) -> None:
        with pytest.raises(PeerUnavailableError, match=r"^/no/such/folder cannot be installed: .+$"):
            await python_with(["/no/such/folder"], print, cache=tmp_path)
        assert list(tmp_path.rglob(READY)) == []


async def started(source: str, log: Path) -> Peer:
    """Start a process that may take turns."""
    pipe = asyncio.subprocess.PIPE
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdin=pipe, stdout=pipe, stderr=said, cwd=ROOT)
    return Peer(process, log)
