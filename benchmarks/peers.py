"""A run of three reads beside other platforms for durable execution: DBOS and Restate.

    python -m benchmarks.peers [--rounds 20] [--runs 10]

Each contender makes runs one after the other, in turns with the others; a run is three steps that return a value at once, each durable
before the next begins, started by a call and waited for. Everyone has its default durability, one worker process and uvloop. Installed
into the user's cache by pip and npm; a platform that cannot be installed is skipped.

What differs. Ours commits the run's row, each step with its ledger entries, and the end in PostgreSQL (synchronous commits), walked as a
segment in one Temporal activity; Temporal's server is a process of its own on a SQLite file that is not synced at each commit, as under
`standfast dev`. Worker and caller are one process, as with DBOS, and Temporal hands the first task back to it (eager start). The line
`started elsewhere` is without that, as a start by the gateway is, though without the gateway's HTTP. DBOS commits the workflow's start,
each step and its end in the same PostgreSQL, from the calling process. Restate's server is a process of its own that syncs its log; the
call goes to it by HTTP, and from there by HTTP/2 to the handler, which shares a process with the caller. Ours keeps inputs and outputs
encrypted and hash-chained, theirs keep them in clear. The floor is what Temporal itself takes here: a hand-written workflow of one activity
that commits a row for each step. Goal: faster than both, by the median.
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

import uvloop
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.bare_workflow import BY_ROWS, ByRowsWorkflow
from benchmarks.contenders.turns import timed_runs
from benchmarks.peer_installs import DBOS, RESTATE_SERVER, PeerUnavailableError
from benchmarks.peer_servers import dbos, restate
from benchmarks.platform import Platform, plain_client, platform, program_of
from benchmarks.servers import Servers, servers
from benchmarks.step_overhead import BARE_QUEUE, by_hand, judged, load, quantile, rows
from domain.program import Program
from wiring.processes import leave

STEPS = 3
WARM_UP = 3
"""Rounds before the clock counts."""


class Contender(Protocol):
    """What takes turns."""

    async def turn(self, runs: int) -> list[float]:
        """Return the milliseconds of so many runs, one after the other."""
        ...


class Floor:
    """The hand-written workflow."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def turn(self, runs: int) -> list[float]:
        """Return the milliseconds of so many runs."""
        return await timed_runs(self._run, runs)

    async def _run(self) -> None:
        await by_hand(self._client, BY_ROWS, STEPS)


Opening = Callable[[Servers], AbstractAsyncContextManager[Contender]]
"""Starts a platform, beside our servers and perhaps on them."""


OURS, FLOOR = "standfast", "a row a step on Temporal"
PEERS: dict[str, Opening] = {f"dbos {DBOS[0].rpartition('=')[2]}": dbos, f"restate {RESTATE_SERVER.rpartition('@')[2]}": restate}


class Ours:
    """Standfast; a run's row is made within the time that counts."""

    def __init__(self, there: Platform, program: Program, *, eager: bool = True) -> None:
        self._there = there
        self._program = program
        self._eager = eager

    async def turn(self, runs: int) -> list[float]:
        """Return the milliseconds of so many runs."""
        return await timed_runs(self._run, runs)

    async def _run(self) -> None:
        await self._there.run(await self._there.accept(self._program), eager=self._eager)


@asynccontextmanager
async def floor(there: Servers, ours: Platform) -> AsyncGenerator[Contender]:
    """Run the hand-written workflow beside our worker."""
    client = plain_client(ours.link)
    async with rows(there) as made, Worker(client, task_queue=BARE_QUEUE, workflows=[ByRowsWorkflow], activities=[made.by_rows]):
        yield Floor(client)


async def opened(there: Servers, stack: AsyncExitStack, peers: Mapping[str, Opening]) -> dict[str, Contender]:
    """Return the other platforms by name; one that is not to be had is skipped with a line."""
    contenders: dict[str, Contender] = {}
    for name, opening in peers.items():
        try:
            contenders[name] = await stack.enter_async_context(opening(there))
        except (PeerUnavailableError, TimeoutError) as error:
            print(f"{name} is skipped: {error or 'it does not start'}")
    return contenders


async def measure(contenders: dict[str, Contender], *, rounds: int, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each run by contender, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(WARM_UP + rounds):
        for name, contender in contenders.items():
            took = await contender.turn(runs)
            if turn >= WARM_UP:
                times[name].extend(took)
    return times


def report(times: dict[str, list[float]]) -> str:
    """Return the lines."""
    p50 = {name: quantile(each, 50) for name, each in times.items()}
    lines = [f"{STEPS} reads, {len(times[OURS])} runs each"]
    lines += [f"  {name:<28} p50 {p50[name]:7.1f} ms   p95 {quantile(each, 95):7.1f} ms" for name, each in times.items()]
    for name in times:
        if name in PEERS:
            ratio = p50[OURS] / p50[name]
            lines.append(judged(f"{OURS} / {name}", ratio, "below 1", met=ratio < 1))
            lines += [f"    the floor / {name}: {p50[FLOOR] / p50[name]:.2f}"] if FLOOR in p50 else []
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    print(load())
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(servers())
        ours = await stack.enter_async_context(platform(there))
        program = program_of(STEPS)
        contenders: dict[str, Contender] = {OURS: Ours(ours, program), f"{OURS}, started elsewhere": Ours(ours, program, eager=False)}
        contenders[FLOOR] = await stack.enter_async_context(floor(there, ours))
        contenders |= await opened(there, stack, PEERS)
        print(report(await measure(contenders, rounds=options.rounds, runs=options.runs)))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure a run of three reads beside DBOS and Restate.")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contender")
    parser.add_argument("--runs", type=int, default=10, help="runs of a turn")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
