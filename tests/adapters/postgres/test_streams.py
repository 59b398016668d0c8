"""Streams in PostgreSQL: one statement for many deltas, partitions that are emptied whole, erasure, and what wakes watchers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager

import psycopg
import pytest

from adapters.postgres.deltas import HELD_CHARS_MAX, PostgresDeltaSink
from adapters.postgres.pool import Database
from adapters.postgres.streams import PostgresStreamReader
from adapters.postgres.watching import PostgresWatching
from domain.deltas import StreamKey
from domain.ledger import Kind
from domain.provider import Delta
from tests.adapters.postgres.databases import MigratedServer
from tests.adapters.postgres.sealing_by_xor import XorCipher
from tests.contracts.journal_bench import AT, RUN
from tests.contracts.postgres_bench import PostgresBench

NOTICE_S = 5.0


def key_of(tenant: str, *, step: str = "review") -> StreamKey:
    """Name an attempt."""
    return StreamKey(tenant=tenant, run=RUN, step=step, visit=1, call="0", epoch=1, attempt=1)


async def write(sink: PostgresDeltaSink, key: StreamKey, *words: str) -> None:
    """Write a whole stream."""
    stream = sink.open(key)
    for word in words:
        await stream.write(Delta(kind="text", text=word))
    await stream.close()


async def rows_of(db: Database, tenant: str) -> list[tuple[int, bytes]]:
    """Return (last, sealed) of a tenant's rows."""
    async with db.tenant(tenant) as tx:
        return [(row["last"], bytes(row["sealed"])) for row in await tx.rows("SELECT last, sealed FROM stream_deltas ORDER BY last")]


@pytest.fixture
async def sink(db: Database, tenant: str) -> PostgresDeltaSink:
    """A writer, with a run to write of."""
    await PostgresBench(db, tenant).accept()
    return PostgresDeltaSink(db, XorCipher())


class TestWriter:
    async def test_joins_what_comes_while_it_writes(self, db: Database, sink: PostgresDeltaSink, tenant: str) -> None:
        await write(sink, key_of(tenant), *[f"w{number} " for number in range(1000)])
        rows = await rows_of(db, tenant)
        assert 1 <= len(rows) <= 3
        pieces = await PostgresStreamReader(db, XorCipher()).pieces(key_of(tenant), after=0, limit=10)
        assert "".join(piece.delta.text for piece in pieces if piece.delta is not None) == "".join(f"w{number} " for number in range(1000))

    async def test_keeps_nothing_in_plain_text(self, db: Database, sink: PostgresDeltaSink, tenant: str) -> None:
        await write(sink, key_of(tenant), "Ada Lovelace")
        assert all(b"Ada" not in sealed for _, sealed in await rows_of(db, tenant))

    async def test_loses_deltas_beyond_its_bound_and_says_so_by_a_gap(self, db: Database, sink: PostgresDeltaSink, tenant: str) -> None:
        stream = sink.open(key_of(tenant))
        await stream.write(Delta(kind="text", text="x" * HELD_CHARS_MAX))
        await stream.write(Delta(kind="reasoning", text="too much"))
        await stream.write(Delta(kind="text", text="small"))
        await stream.close()
        (piece,) = await PostgresStreamReader(db, XorCipher()).pieces(key_of(tenant), after=0, limit=10)
        assert (piece.number, piece.delta) == (3, Delta(kind="text", text="small"))

    async def test_goes_on_when_the_database_does_not_take_it(self, server: MigratedServer, tenant: str) -> None:
        async with Database(server.app_url, timeout_s=5) as db:
            await PostgresBench(db, tenant).accept()
            sink = PostgresDeltaSink(db, XorCipher())
            await write(sink, key_of(tenant), "first")
        stream = sink.open(key_of(tenant))
        await stream.write(Delta(kind="text", text="lost"))
        await stream.close()


class TestErasure:
    async def test_reaches_deltas(self, db: Database, sink: PostgresDeltaSink, tenant: str) -> None:
        await write(sink, key_of(tenant), "Ada")
        async with db.tenant(tenant) as tx:
            await tx.execute("UPDATE runs SET erased_at = now()")
        assert await PostgresStreamReader(db, XorCipher()).pieces(key_of(tenant), after=0, limit=10) == []
        after = PostgresDeltaSink(db, XorCipher())
        await write(after, key_of(tenant, step="other"), "Ada again")
        assert len(await rows_of(db, tenant)) == 1


class TestPartitions:
    def test_are_unlogged_and_granted_to_nobody(self, server: MigratedServer) -> None:
        with psycopg.connect(server.owner_url) as connection:
            rows = connection.execute(
                "SELECT c.relname, c.relpersistence,"
                " has_table_privilege('standfast_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
                " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = 'stream_deltas'::regclass AND c.relkind = 'r'"
            ).fetchall()
        assert sorted(rows) == [(f"stream_deltas_{slot}", "u", False) for slot in range(4)]

    async def test_are_emptied_when_they_are_next_and_only_then(
        self, db: Database, sink: PostgresDeltaSink, server: MigratedServer, tenant: str
    ) -> None:
        await write(sink, key_of(tenant), "now")
        with psycopg.connect(server.owner_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO stream_deltas SELECT tenant_id, run, step, visit, call, epoch, attempt, last, (slot + n) %% 4, sealed"
                " FROM stream_deltas, generate_series(1, 3) AS n WHERE tenant_id = %s",
                [tenant],
            )
            async with db.platform() as tx:
                await tx.execute("SELECT forget_deltas()")
            left = connection.execute(
                "SELECT (slot - delta_slot() + 4) %% 4 FROM stream_deltas WHERE tenant_id = %s ORDER BY 1", [tenant]
            ).fetchall()
        assert [place for (place,) in left] == [0, 2, 3]


@asynccontextmanager
async def watching(db: Database) -> AsyncGenerator[PostgresWatching]:
    """Wake watchers until the block ends."""
    found = PostgresWatching(db)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])


class TestWatching:
    async def test_wakes_who_watches_the_run(self, db: Database, sink: PostgresDeltaSink, tenant: str) -> None:
        async with watching(db) as watched:
            with watched.watch(tenant, RUN) as mine, watched.watch(tenant, "run_00000000000000000000000002") as other:
                await asyncio.wait_for(mine.wait(), NOTICE_S)
                for event in (mine, other):
                    event.clear()
                while not mine.is_set():
                    await write(sink, key_of(tenant), "word")
                    await asyncio.wait({asyncio.ensure_future(mine.wait())}, timeout=0.05)
                assert not other.is_set()

    async def test_wakes_when_the_ledger_grows(self, db: Database, sink: PostgresDeltaSink, tenant: str) -> None:
        del sink
        bench = PostgresBench(db, tenant)
        async with watching(db) as watched:
            with watched.watch(tenant, RUN) as mine:
                await asyncio.wait_for(mine.wait(), NOTICE_S)
                mine.clear()
                asked = Kind.RUN_CANCEL_REQUESTED
                await bench.runs.append_entry(tenant, RUN, kind=asked, principal="prn_b", at=AT, data={}, content=None)
                await asyncio.wait_for(mine.wait(), NOTICE_S)

    async def test_wakes_everybody_when_its_connection_is_lost(self, db: Database, server: MigratedServer, tenant: str) -> None:
        await PostgresBench(db, tenant).accept()
        async with watching(db) as watched:
            with watched.watch(tenant, RUN) as mine:
                await asyncio.wait_for(mine.wait(), NOTICE_S)
                await asyncio.sleep(0)
                mine.clear()
                with psycopg.connect(server.owner_url, autocommit=True) as connection:
                    ended = connection.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                    ).fetchone()
                assert ended
                await asyncio.wait_for(mine.wait(), NOTICE_S)

    async def test_sends_everybody_away_when_it_stops(self, db: Database, tenant: str) -> None:
        with ExitStack() as held:
            async with watching(db) as watched:
                mine = held.enter_context(watched.watch(tenant, RUN))
                await asyncio.wait_for(mine.wait(), NOTICE_S)
                mine.clear()
            assert (watched.over, mine.is_set()) == (True, True)
