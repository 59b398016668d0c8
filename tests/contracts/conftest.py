"""Benches: each suite of a port runs on every adapter and on its fake."""

from collections.abc import AsyncGenerator

import pytest

from adapters.postgres.pool import Database
from tests.adapters.postgres.databases import VERSIONS, Servers, db, server, servers, tenant
from tests.contracts.journal_bench import JournalBench
from tests.contracts.postgres_bench import PostgresBench
from tests.fake_journal import FakeJournal

__all__ = ["bench", "db", "server", "servers", "tenant"]


@pytest.fixture(params=["fake", *VERSIONS])
async def bench(request: pytest.FixtureRequest, servers: Servers, tenant: str) -> AsyncGenerator[JournalBench]:
    """A journal with one accepted run."""
    if request.param == "fake":
        yield FakeJournal.with_run(tenant)
        return
    async with Database(servers.get(request.param).app_url, timeout_s=5) as database:
        yield await PostgresBench(database, tenant).accept()
