"""How many ledger entries a second: 16 writers on 16 runs through the run ledger, against raw INSERT and COMMIT of rows of the same size.

    python -m benchmarks.append_rate [--writers 16] [--seconds 4]

Each append is a call of the run ledger that returns after its commit: the run's row lock, the chain's hash, the entry, the run's new head.
Appends that wait at the same time share a transaction, as in every worker (docs/ledger.md). The worker's sealer seals what is appended
meanwhile. The yardstick inserts a row of as many bytes into a table without locks, hashes or a sealer, one transaction each, from as many
writers in the same process, over a pool with a connection for each; PostgreSQL groups those commits itself. Goal: at least 0.8.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

import uvloop
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from benchmarks.platform import TENANT, Platform, platform, program_of
from benchmarks.servers import servers, yardstick
from benchmarks.step_overhead import load
from domain.effects import Carrier
from domain.facts import Fact
from domain.runs import Projection
from wiring.keys import clock_text
from wiring.processes import leave

TABLE = "bench_entries (tenant text, run text, seq bigint, body bytea, hash bytea, prev bytea, PRIMARY KEY (tenant, run, seq))"
GOAL = 0.8
ROUNDS = 3
"""Turns of either kind, taken in alternation."""

Append = Callable[[int, int], Awaitable[object]]
"""Appends entry `number` (from 1) of writer `place`."""


async def rate(append: Append, *, writers: int, seconds: float, first: list[int]) -> float:
    """Return appends a second; `first` keeps where each writer stands over the rounds."""
    loop = asyncio.get_running_loop()
    ends, done = loop.time() + seconds, 0

    async def write(place: int) -> None:
        nonlocal done
        while loop.time() < ends:
            first[place] += 1
            await append(place, first[place])
            done += 1

    started = loop.time()
    await asyncio.gather(*(write(place) for place in range(writers)))
    return done / (loop.time() - started)


async def appender(ours: Platform, writers: int) -> Append:
    """Return what appends a fact to the run of each writer."""
    program = program_of(3)
    runs = [(await ours.accept(program)).run for _ in range(writers)]

    async def append(place: int, number: int) -> object:
        fact = Fact(
            seq=number, kind="workflow:step:entered", at=clock_text(), epoch=1, step=f"s{number}", visit=1, data={"keyword": "call"}
        )
        carrier = Carrier(tenant=TENANT, run=runs[place], epoch=1, principal="prn_bench", correlation_id=runs[place], facts=(fact,))
        return await ours.storage.journal.flush(carrier, Projection(), fact_seq=number)

    return append


def inserter(pool: AsyncConnectionPool[AsyncConnection[TupleRow]]) -> Append:
    """Return what inserts a row of the size of an entry."""
    body = b"x" * 330

    async def append(place: int, number: int) -> object:
        async with pool.connection() as connection:
            return await connection.execute(
                "INSERT INTO bench_entries VALUES (%s, %s, %s, %s, %s, %s)", [TENANT, f"run_{place}", number, body, b"h" * 32, b"p" * 32]
            )

    return append


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    writers: int = options.writers
    async with servers() as there, platform(there) as ours, yardstick(there, TABLE, size=writers) as pool:
        ledger, raw = await appender(ours, writers), inserter(pool)
        stands: dict[Append, list[int]] = {ledger: [0] * writers, raw: [0] * writers}
        rates: dict[Append, list[float]] = {ledger: [], raw: []}
        for append in (ledger, raw):
            await rate(append, writers=writers, seconds=0.5, first=stands[append])
        for _ in range(ROUNDS):
            for append in (ledger, raw):
                rates[append].append(await rate(append, writers=writers, seconds=options.seconds, first=stands[append]))
    ours_rate, raw_rate = sorted(rates[ledger])[ROUNDS // 2], sorted(rates[raw])[ROUNDS // 2]
    ratio = ours_rate / raw_rate
    print(f"{writers} writers on {writers} runs: {ours_rate:,.0f} ledger appends/s, {raw_rate:,.0f} raw INSERT+COMMIT/s")
    print(f"  ratio {ratio:.2f}, goal at least {GOAL}: {'met' if ratio >= GOAL else 'MISSED'}")
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure ledger appends a second against raw INSERT and COMMIT.")
    parser.add_argument("--writers", type=int, default=16, help="writers, each on a run of its own")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
