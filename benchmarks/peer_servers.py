"""Other platforms as processes, each with what it needs, for the duration of `benchmarks.peers`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from psycopg import AsyncConnection

from benchmarks.peer_installs import DBOS, RESTATE, PeerUnavailableError, python_with, restate_server
from benchmarks.servers import Servers
from wiring.embedded.ports import LOOPBACK, free_ports

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0
ROOT = Path(__file__).parents[1]
DBOS_DATABASE = "bench_dbos"


@dataclass(frozen=True)
class Peer:
    """A contender that takes turns (`benchmarks.contenders.turns`)."""

    process: asyncio.subprocess.Process
    log: Path

    async def turn(self, runs: int) -> list[float]:
        """Return the milliseconds of so many runs, one after the other.

        Raises:
            PeerUnavailableError: it has ended.
        """
        if self.process.stdin is None:
            raise PeerUnavailableError("it takes no turns")
        self.process.stdin.write(f"{runs}\n".encode())
        return await self.answer()

    async def answer(self) -> list[float]:
        """Return the next line; empty when the contender says that it is ready.

        Raises:
            PeerUnavailableError: it has ended.
        """
        line = await self.process.stdout.readline() if self.process.stdout is not None else b""
        if not line:
            raise PeerUnavailableError(f"it ended: {_last_line(self.log)}")
        return [float(value) for value in json.loads(line)]


@asynccontextmanager
async def dbos(there: Servers) -> AsyncGenerator[Peer]:
    """Run DBOS on a database of its own of the same PostgreSQL.

    Raises:
        PeerUnavailableError: it cannot be installed, or does not start.
    """
    python = await python_with(DBOS, print)
    async with await AsyncConnection.connect(there.owner_url, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {DBOS_DATABASE}".encode())
    url = there.owner_url.replace("/standfast?", f"/{DBOS_DATABASE}?")
    async with _contender(python, "dbos_steps", [url], there.folder / "dbos.log") as peer:
        yield peer


@asynccontextmanager
async def restate(there: Servers) -> AsyncGenerator[Peer]:
    """Run Restate's server with its default durability, and a process with the handler and its caller.

    Raises:
        PeerUnavailableError: it cannot be installed, or does not start.
    """
    python, program = await python_with(RESTATE, print), await restate_server(print)
    node, ingress, admin, handler = free_ports(4)
    settings = {
        "RESTATE_BASE_DIR": str(there.folder / "restate"),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_ADDRESS": f"{LOOPBACK}:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://{LOOPBACK}:{node}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"{LOOPBACK}:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{LOOPBACK}:{admin}",
    }
    log = there.folder / "restate-server.log"
    async with _process([str(program), "--no-logo"], log, settings) as server:
        arguments = [str(handler), f"http://{LOOPBACK}:{ingress}"]
        async with _contender(python, "restate_steps", arguments, there.folder / "restate.log") as peer:
            await _registered(f"http://{LOOPBACK}:{admin}", f"http://{LOOPBACK}:{handler}", server, log)
            yield peer


async def _registered(admin: str, handler: str, server: asyncio.subprocess.Process, log: Path) -> None:
    """Tell Restate's server about the handler, as soon as it listens.

    Raises:
        PeerUnavailableError: the server has ended.
    """
    async with httpx2.AsyncClient(base_url=admin, trust_env=False) as client, asyncio.timeout(START_SECONDS_MAX):
        while server.returncode is None:
            try:
                answer = await client.post("/deployments", json={"uri": handler}, timeout=10)
            except httpx2.HTTPError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code < httpx2.codes.MULTIPLE_CHOICES:
                return
            await asyncio.sleep(0.2)
    raise PeerUnavailableError(f"its server ended: {_last_line(log)}")


@asynccontextmanager
async def _contender(python: Path, module: str, arguments: list[str], log: Path) -> AsyncGenerator[Peer]:
    command = [str(python), "-m", f"benchmarks.contenders.{module}", *arguments]
    async with _process(command, log, {"PYTHONPATH": str(ROOT)}, talks=True) as process:
        peer = Peer(process, log)
        async with asyncio.timeout(START_SECONDS_MAX):
            await peer.answer()
        yield peer


@asynccontextmanager
async def _process(
    command: list[str], log: Path, settings: Mapping[str, str], *, talks: bool = False
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a process; what it says goes to `log`, unless it `talks`: then its standard input and output are ours."""
    pipe = asyncio.subprocess.PIPE
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=pipe if talks else subprocess.DEVNULL,
            stdout=pipe if talks else said,
            stderr=said,
            env={**os.environ, **settings},
        )
    try:
        yield process
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process: at the end of its standard input if it has one, else by a signal; one that does not is killed."""
    if process.stdin is not None:
        process.stdin.close()
    elif process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"it said nothing ({sys.platform})"
