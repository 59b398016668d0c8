"""Each bug planted in the relay, or in the sealer beside it, is caught by a test that the right ones pass (JOURNAL §4)."""

from collections.abc import Awaitable, Callable

import psycopg
import pytest

from adapters.postgres.pool import Database
from adapters.postgres.relay import PostgresRelay
from adapters.postgres.sealer import PostgresSealer
from tests.adapters.postgres import test_relay
from tests.adapters.postgres.databases import MigratedServer, Servers, servers, tenant
from tests.adapters.postgres.test_relay import RelayBench
from tests.faults.planted import relay_bugs as planted

__all__ = ["servers", "tenant"]

Check = Callable[[MigratedServer, RelayBench], Awaitable[None]]


async def late_commit(server: MigratedServer, bench: RelayBench) -> None:
    """A transaction begins first and commits last."""
    await test_relay.TestLateCommits().test_are_told_though_others_began_later_and_committed_sooner(server, bench)


async def lost_lease(server: MigratedServer, bench: RelayBench) -> None:
    """A relay wakes up after another took over."""
    del server
    await test_relay.TestLease().test_that_was_lost_tells_nothing(bench)


async def death(server: MigratedServer, bench: RelayBench) -> None:
    """The relay dies between cursors and rows."""
    del server
    await test_relay.TestDeath().test_between_cursors_and_rows_loses_nothing(bench)


async def flag(server: MigratedServer, bench: RelayBench) -> None:
    """The sealer is quicker than the relay."""
    del server
    await test_relay.TestFlag().test_stays_until_the_relay_has_read_what_the_sealer_has_sealed(bench)


CAUGHT: dict[str, tuple[type[PostgresRelay], type[PostgresSealer], Check]] = {
    "tails by time": (planted.TailsByTime, PostgresSealer, late_commit),
    "no fence": (planted.WithoutFence, PostgresSealer, lost_lease),
    "cursors before rows": (planted.MovesCursorsFirst, PostgresSealer, death),
    "the sealer forgets the relay": (PostgresRelay, planted.ForgetsTheRelay, flag),
}


@pytest.mark.parametrize("name", CAUGHT)
async def test_the_relays_suite_catches(name: str, servers: Servers, tenant: str) -> None:
    relay, sealer, check = CAUGHT[name]
    server = servers.get("embedded 18")
    async with Database(server.app_url) as db:
        await check(server, await RelayBench(db, f"{tenant}-right").open())
        with pytest.raises((AssertionError, pytest.fail.Exception, psycopg.errors.UniqueViolation)):
            await check(server, await RelayBench(db, tenant, relay, sealer).open())
