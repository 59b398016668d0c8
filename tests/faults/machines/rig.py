"""What the machines share: one migrated database, one event loop, and a look at the stored rows from outside."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from tests.contracts.postgres_bench import PostgresBench
from tests.faults.checker.chains import Row, wrong_chain
from tests.faults.planted.registry import plant_sql
from tests.servers.postgres import embedded_postgres

T = TypeVar("T")
RUN_OF_TENANT = b"SELECT tenant_id, run, head_seq, head_hash, fact_head, epoch FROM runs WHERE tenant_id = %s"
ENTRIES_OF_TENANT = b"""
SELECT tenant_id, run, seq, (extract(epoch FROM recorded_at) * 1000000)::bigint AS at_us, prev, hash, body, kind, principal, epoch,
    fact_seq, step, payload_digest, fact_digest
FROM ledger_entries WHERE tenant_id = %s ORDER BY run, seq
"""


@dataclass
class Rig:
    """A database to drive. Each example takes a tenant of its own. `fired` counts the faults that machines injected."""

    owner: psycopg.Connection[Any]
    db: Database
    runner: asyncio.Runner
    plant: str | None = None
    tenants: "itertools.count[int]" = field(default_factory=itertools.count)
    mark: str = field(default_factory=lambda: secrets.token_hex(3))
    fired: "Counter[str]" = field(default_factory=Counter[str])

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the machines' loop."""
        return self.runner.run(work)

    def accept(self) -> PostgresBench:
        """Accept a run of a new tenant."""
        return self.wait(PostgresBench(self.db, f"m-{self.mark}-{next(self.tenants)}").accept())

    def rows(self, tenant: str) -> list[Row]:
        """Return the ledger's rows of a tenant as the superuser sees them."""
        with self.owner.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(ENTRIES_OF_TENANT, [tenant]).fetchall()

    def head(self, tenant: str) -> Row:
        """Return the run's row."""
        with self.owner.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(RUN_OF_TENANT, [tenant]).fetchone()
        assert row is not None
        return row

    def check_chain(self, tenant: str) -> None:
        """Have the outside checker's rule recompute the chain."""
        wrong = wrong_chain(self.rows(tenant), self.head(tenant))
        assert wrong is None, wrong


@contextmanager
def open_rig(owner_url: str, *, plant: str | None = None) -> Generator[Rig]:
    """Migrate a database, plant a bug in it if one is named, and open it."""
    app_url = migrate(owner_url, app_password="app-password").app_url
    assert app_url is not None
    plant_sql(plant, owner_url)
    with psycopg.connect(owner_url, autocommit=True) as owner, asyncio.Runner() as runner:
        db = Database(app_url, max_size=8)
        runner.run(db.open())
        try:
            yield Rig(owner, db, runner, plant)
        finally:
            runner.run(db.close())


@contextmanager
def throwaway_rig(*, plant: str | None = None) -> Generator[Rig]:
    """The same on a server of its own."""
    with embedded_postgres() as server, open_rig(server.owner_url, plant=plant) as rig:
        yield rig
