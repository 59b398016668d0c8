"""Fixtures of tests that run workflows; they live on the session's event loop, so that one client and one pool serve all."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from adapters.codec.cipher import TenantCipher
from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from tests.adapters.postgres.databases import MigratedServer
from tests.servers.postgres import embedded_postgres
from tests.servers.temporal import DEV_SERVER_EXTRA_ARGS, dev_server_existing_path
from tests.workflows.bench import Bench
from wiring.keys import InstallationKeys
from wiring.storage import build_storage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal() -> AsyncGenerator[WorkflowEnvironment]:
    """A server whose clock can be moved; payloads are plain, so that tests can read them."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=dev_server_existing_path(),
        dev_server_extra_args=DEV_SERVER_EXTRA_ARGS,
        dev_server_log_level="error",
        data_converter=pydantic_data_converter,
    ) as env:
        yield env


@pytest.fixture(scope="session")
def migrated() -> Iterator[MigratedServer]:
    """A migrated database: the superuser's address, to tamper with it, and the app role's."""
    with embedded_postgres() as server:
        url = migrate(server.owner_url, app_password="app-password").app_url
        assert url is not None
        yield MigratedServer("embedded 18", server.owner_url, url)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(migrated: MigratedServer) -> AsyncGenerator[Database]:
    """The pool."""
    async with Database(migrated.app_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: WorkflowEnvironment, database: Database, tmp_path: Path) -> Bench:
    """This test's corner."""
    keys = InstallationKeys(tmp_path / "master.key")
    made = Bench(temporal, build_storage(database, TenantCipher(keys.master)), keys)
    await made.add_reviewers()
    return made
