"""Each bug planted in the sealer is caught by a test that the right sealer passes (JOURNAL §4)."""

from collections.abc import Awaitable, Callable

import psycopg
import pytest

from adapters.postgres.pool import Database
from adapters.postgres.sealer import PostgresSealer
from tests.adapters.postgres import test_sealer
from tests.adapters.postgres.databases import MigratedServer, Servers, servers, tenant
from tests.contracts.sealing_bench import SealingBench
from tests.faults.planted import sealer_bugs as planted

__all__ = ["servers", "tenant"]

Check = Callable[[MigratedServer, SealingBench], Awaitable[None]]


async def late_commit(server: MigratedServer, bench: SealingBench) -> None:
    """A transaction begins first and commits last."""
    await test_sealer.TestLateCommits().test_are_sealed_though_others_began_later_and_committed_sooner(server, bench)


async def many_writers(server: MigratedServer, bench: SealingBench) -> None:
    """Fourteen connections write while the sealer runs."""
    await test_sealer.TestLateCommits().test_of_many_writers_leave_no_gap_while_the_sealer_runs(server, bench)


async def lost_lease(server: MigratedServer, bench: SealingBench) -> None:
    """A sealer wakes up after another took over."""
    del server
    await test_sealer.TestLease().test_that_was_lost_seals_nothing(bench)


async def flag(server: MigratedServer, bench: SealingBench) -> None:
    """Entries wait, and somebody looks."""
    del server
    await test_sealer.TestFlag().test_stays_while_an_entry_is_not_sealed(bench.db, bench)


async def death(server: MigratedServer, bench: SealingBench) -> None:
    """The sealer dies between leaves and head."""
    del server
    await test_sealer.TestDeath().test_between_leaves_and_head_leaves_nothing(bench)


CAUGHT: dict[str, tuple[type[PostgresSealer], Check]] = {
    "tails by id, one late commit": (planted.TailsById, late_commit),
    "tails by id, many writers": (planted.TailsById, many_writers),
    "tails by time, one late commit": (planted.TailsByTime, late_commit),
    "no fence": (planted.WithoutFence, lost_lease),
    "forgets what is unsealed": (planted.ForgetsUnsealed, flag),
    "signs apart from its leaves": (planted.SignsApart, death),
}


@pytest.mark.parametrize("name", CAUGHT)
async def test_the_sealers_suite_catches(name: str, servers: Servers, tenant: str) -> None:
    bug, check = CAUGHT[name]
    server = servers.get("embedded 18")
    async with Database(server.app_url) as db:
        await check(server, await SealingBench(db, f"{tenant}-right").accept(1, 2, 3))
        with pytest.raises((AssertionError, pytest.fail.Exception, psycopg.errors.UniqueViolation)):
            await check(server, await SealingBench(db, tenant, bug).accept(1, 2, 3))
