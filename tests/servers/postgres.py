"""A throwaway embedded PostgreSQL for tests: an empty database `standfast` and a superuser to set it up with."""

import asyncio
import subprocess
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wiring.embedded.postgres import STOP_SIGNAL, PostgresServer

READY_SECONDS_MAX = 120
"""A machine that runs other tests beside may take a while; a server that ends is noticed at once."""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server.

    Attributes:
        owner_url: URL of the superuser at the database `standfast`.
        server: Makes URLs of other roles and databases by `server.url(role, database)`; needs no password.
        pid: Its process.
    """

    owner_url: str
    server: PostgresServer
    pid: int


@contextmanager
def embedded_postgres(state_dir: Path | None = None, *, durable: bool = False) -> Generator[EmbeddedPostgres]:
    """Run a server on a folder of its own and stop it at the end; about 2 s for a new folder.

    Args:
        state_dir: The state folder, kept afterwards; a new temporary one, removed at the end, when None.
        durable: Whether commits reach the disk.
    """
    with tempfile.TemporaryDirectory(prefix="standfast-pg-") as temporary:
        home = state_dir or Path(temporary)
        server = PostgresServer.prepare(home, print, durable=durable)
        log_file = home / "postgres.log"
        with log_file.open("ab") as log:
            process = subprocess.Popen(server.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        try:
            _wait_ready(server, process, log_file)
            yield EmbeddedPostgres(server.owner_url, server, process.pid)
        finally:
            if process.poll() is None:
                process.send_signal(STOP_SIGNAL)
            process.wait()
            server.clean_up()


def _wait_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait in a thread of its own, so that a test may call this inside a running event loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(_ready(server, process, log))).result()


async def _ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    await server.wait_ready(process.pid, limit_seconds=READY_SECONDS_MAX, alive=lambda: process.poll() is None, log=log)
