"""Fixtures: a migrated server per version and session; tests share its database and keep apart by tenant."""

import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import conninfo, sql

from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from tests.adapters.postgres.debian import debian_postgres
from tests.facilities import require
from tests.servers.postgres import embedded_postgres

VERSIONS = ("embedded 18", "debian 15")


@dataclass(frozen=True)
class MigratedServer:
    """A server with one migrated database: the superuser's URL and that of the app role."""

    version: str
    owner_url: str
    app_url: str


def start_server(version: str, stack: ExitStack) -> MigratedServer:
    """Start and migrate a server of one of VERSIONS; the stack stops it."""
    if version == "debian 15":
        require("postgres15")
    owner_url = stack.enter_context(embedded_postgres()).owner_url if version == "embedded 18" else stack.enter_context(debian_postgres())
    app_url = migrate(owner_url, app_password="app-password").app_url
    assert app_url is not None
    return MigratedServer(version, owner_url, app_url)


class Servers:
    """Servers by version, each started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, MigratedServer] = {}

    def get(self, version: str) -> MigratedServer:
        """Return the migrated server of a version."""
        if version not in self._running:
            self._running[version] = start_server(version, self._stack)
        return self._running[version]


def new_database(owner_url: str) -> str:
    """Make an empty database on a server and return the superuser's address of it."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return conninfo.make_conninfo(owner_url, dbname=name)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """All servers of this session."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest, servers: Servers) -> MigratedServer:
    """A migrated server of each version."""
    return servers.get(request.param)


@pytest.fixture
async def db(server: MigratedServer) -> AsyncGenerator[Database]:
    """An open pool of the app role."""
    async with Database(server.app_url, max_size=10, timeout_s=5) as database:
        yield database


@pytest.fixture
def tenant() -> str:
    """A tenant of this test alone."""
    return f"t-{secrets.token_hex(6)}"
