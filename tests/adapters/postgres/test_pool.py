"""The pool wrapper: clear errors, a server that goes away and comes back, and every loop."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from psycopg import conninfo

from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from domain.errors import Unavailable
from tests.adapters.postgres.databases import MigratedServer
from tests.contracts.postgres_bench import PostgresBench
from wiring.embedded.postgres import PostgresServer

PATIENCE_S = 20


class RestartableServer:
    """An embedded server that a test stops and starts."""

    def __init__(self, home: Path) -> None:
        self.server = PostgresServer.prepare(home, print)
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        process = subprocess.Popen(self.server.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
        self.process = process
        await self.server.wait_ready(process.pid, alive=lambda: process.poll() is None)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it with all its children."""
        if self.process is not None:
            if how is signal.SIGKILL:
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)
            self.process.wait()
            self.process = None


@pytest.fixture
async def restartable(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RestartableServer]:
    """A running server."""
    server = RestartableServer(tmp_path_factory.mktemp("pg"))
    await server.start()
    yield server
    server.stop()
    server.server.clean_up()


async def eventually(attempt: Callable[[], Coroutine[None, None, None]]) -> None:
    """Try until the database answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await attempt()
            except Unavailable:
                await asyncio.sleep(0.05)


async def until_refused(attempt: Callable[[], Coroutine[None, None, None]]) -> None:
    """Go on asking until an attempt raises."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await attempt()


class TestDatabase:
    async def test_says_which_setting_to_look_at_when_nothing_answers(self) -> None:
        with pytest.raises(Unavailable, match="DATABASE_URL names its host"):
            await Database("postgresql://standfast_app@/standfast?host=/nonexistent", timeout_s=2).open()

    async def test_says_what_postgresql_says_and_never_a_password(self, server: MigratedServer) -> None:
        url = conninfo.make_conninfo(server.app_url, dbname="absent", password="hidden")
        with pytest.raises(Unavailable, match='"absent" does not exist') as caught:
            await Database(url, timeout_s=2).open()
        assert "hidden" not in str(caught.value)

    async def test_says_that_all_connections_are_taken(self, server: MigratedServer) -> None:
        async with Database(server.app_url, max_size=1, timeout_s=0.2) as db, db.platform():
            with pytest.raises(Unavailable, match="more connections"):
                async with db.platform():
                    pass

    async def test_rolls_back_what_an_error_leaves(self, db: Database, tenant: str) -> None:
        with suppress(ZeroDivisionError):
            async with db.tenant(tenant) as tx:
                await tx.execute("INSERT INTO tenants (tenant_id) VALUES (%s)", [tenant])
                raise ZeroDivisionError
        async with db.tenant(tenant) as tx:
            assert await tx.rows("SELECT * FROM tenants") == []

    async def test_serves_the_next_after_a_cancelled_statement(self, server: MigratedServer, tenant: str) -> None:
        async with Database(server.app_url, max_size=1) as db:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), db.tenant(tenant) as tx:
                    await tx.rows("SELECT pg_sleep(30)")
            async with db.tenant(tenant) as tx:
                assert await tx.rows("SELECT 1 AS one") == [{"one": 1}]

    def test_works_on_uvloop(self, server: MigratedServer, tenant: str) -> None:
        async def accept() -> bool:
            async with Database(server.app_url) as db:
                return (await (await PostgresBench(db, tenant).accept()).verification()).ok

        assert uvloop.run(accept())


class TestRestart:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
    async def test_is_survived_by_the_pool(self, restartable: RestartableServer, tenant: str, how: signal.Signals) -> None:
        app_url = migrate(restartable.server.owner_url, app_password="app-password").app_url
        assert app_url is not None
        async with Database(app_url, timeout_s=1) as db:
            bench = await PostgresBench(db, tenant).accept()

            async def accept() -> None:
                await bench.runs.get(tenant, "run_00000000000000000000000001")

            restartable.stop(how)
            with pytest.raises(Unavailable, match="PostgreSQL does not answer"):
                await until_refused(accept)  # a backend outlives its killed postmaster for a moment
            await restartable.start()
            await eventually(accept)

    async def test_without_a_pause_is_not_even_noticed(self, restartable: RestartableServer, tenant: str) -> None:
        app_url = migrate(restartable.server.owner_url, app_password="app-password").app_url
        assert app_url is not None
        async with Database(app_url, timeout_s=5) as db:
            bench = await PostgresBench(db, tenant).accept()
            restartable.stop()
            await restartable.start()
            assert (await bench.row()).tenant == tenant
