"""The real servers a measurement runs on, for its duration: PostgreSQL with durable commits, Temporal with a SQLite file in WAL mode."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from wiring.embedded.port_claims import claimed_ports
from wiring.embedded.ports import LOOPBACK
from wiring.embedded.postgres import STOP_SIGNAL, PostgresServer
from wiring.embedded.temporal_arguments import TemporalPorts, temporal_database_file, temporal_server_arguments
from wiring.embedded.temporal_ready import wait_for_temporal
from wiring.embedded.temporal_server import ensure_temporal_server


@dataclass(frozen=True)
class Servers:
    """Where they answer, and the folder they live in."""

    folder: Path
    owner_url: str
    temporal_address: str


@asynccontextmanager
async def servers() -> AsyncGenerator[Servers]:
    """Run both on a folder of their own, with the settings of `standfast dev`; both are stopped and the folder removed at the end."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        folder = Path(name)
        async with postgres_server(folder) as owner_url, _temporal(folder) as address:
            yield Servers(folder, owner_url, address)


@asynccontextmanager
async def yardstick(
    there: Servers, table: LiteralString, *, size: int = 1
) -> AsyncGenerator[AsyncConnectionPool[AsyncConnection[TupleRow]]]:
    """Make a yardstick's table beside the platform's, and open a pool of its own, of so many connections, which commits each statement.

    `table` is what follows CREATE TABLE.
    """
    pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
        there.owner_url, kwargs={"autocommit": True, "prepare_threshold": 1}, min_size=size, open=False
    )
    async with pool:
        async with pool.connection() as connection:
            await connection.execute(f"CREATE TABLE {table}")
        yield pool


@asynccontextmanager
async def postgres_server(folder: Path) -> AsyncGenerator[str]:
    """Run PostgreSQL alone in a folder; yields its owner's address."""
    server = await asyncio.to_thread(PostgresServer.prepare, folder, print, durable=True)
    with (folder / "postgres.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*server.argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        await server.wait_ready(process.pid, alive=lambda: process.returncode is None)
        yield server.owner_url
    finally:
        await _stopped(process, STOP_SIGNAL)
        server.clean_up()


@asynccontextmanager
async def _temporal(folder: Path) -> AsyncGenerator[str]:
    program = await ensure_temporal_server(progress=print)
    database, log_file = temporal_database_file(folder), folder / "temporal.log"
    database.parent.mkdir(parents=True, exist_ok=True)
    with claimed_ports(3) as chosen:
        ports = TemporalPorts(*chosen)
        arguments = temporal_server_arguments(ports=ports, database=database)
        with log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(str(program), *arguments, stdout=log, stderr=log)
        try:
            address = f"{LOOPBACK}:{ports.frontend}"
            await wait_for_temporal(address, alive=lambda: process.returncode is None, log=log_file)
            yield address
        finally:
            await _stopped(process, signal.SIGTERM)


async def _stopped(process: asyncio.subprocess.Process, signal_number: int) -> None:
    if process.returncode is None:
        process.send_signal(signal_number)
    await process.wait()
