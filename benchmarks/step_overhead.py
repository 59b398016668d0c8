"""What a step costs on Standfast beside a hand-written Temporal workflow with as many regular activities.

    python -m benchmarks.step_overhead [--runs 60] [--steps 3 20] [--profile FILE]

Both run in this process, one after the other in turns, on the same Temporal server and connection, unsandboxed and with eager start.
N steps are N + 1 activities on either side: the last one writes the closing status. The hand-written activities touch nothing and its
payloads are plain; ours journal each step in two durable PostgreSQL transactions, and every payload is encrypted. Time runs from the
start call to the result; the gateway's row for a new run is made before it. Goal: at 20 steps at most 1.3 times as long.
"""

import argparse
import asyncio
import cProfile
import os
import platform as machine
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import uvloop
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.bare_workflow import BareWorkflow, bare_close, bare_step
from benchmarks.platform import Platform, plain_client, platform, program_of
from benchmarks.servers import servers
from wiring.processes import leave

BARE_QUEUE = "bench-bare"
WARM_UP = 15
"""Runs of each kind before the clock counts: prepared statements, caches and the server's own warm-up."""

GOAL = 1.3
JUDGED_STEPS = 20


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the milliseconds that `work` took."""
    start = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - start)


async def measure(ours: Platform, bare: Client, *, steps: int, runs: int) -> tuple[list[float], list[float]]:
    """Return (bare, ours): milliseconds of each run, taken in turns."""
    program = program_of(steps)
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(WARM_UP + runs):
        start = await ours.accept(program)
        bare_ms = await timed(lambda: _bare(bare, steps))
        ours_ms = await timed(lambda start=start: ours.run(start))
        if turn >= WARM_UP:
            times[0].append(bare_ms)
            times[1].append(ours_ms)
    return times


async def _bare(client: Client, steps: int) -> int:
    return await client.execute_workflow(BareWorkflow.run, steps, id=f"bare-{uuid4()}", task_queue=BARE_QUEUE, request_eager_start=True)


def quantile(times: list[float], percent: int) -> float:
    """Return a percentile, such as 95."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def report(steps: int, bare: list[float], ours: list[float]) -> str:
    """Return the lines about one number of steps."""
    lines = [f"{steps} steps, {len(ours)} runs each"]
    for name, times in (("hand-written", bare), ("standfast", ours)):
        lines.append(f"  {name:<13} p50 {quantile(times, 50):7.1f} ms   p95 {quantile(times, 95):7.1f} ms")
    ratio = quantile(ours, 50) / quantile(bare, 50)
    judged = f", goal {GOAL}: {'met' if ratio <= GOAL else 'MISSED'}" if steps == JUDGED_STEPS else ""
    lines.append(f"  ratio         p50 {ratio:7.2f}      p95 {quantile(ours, 95) / quantile(bare, 95):7.2f}{judged}")
    return "\n".join(lines)


def load() -> str:
    """Return the load of the box, which absolute figures mean little without."""
    return f"load average {' '.join(f'{value:.2f}' for value in os.getloadavg())} on {os.cpu_count()} cores"


async def run(options: argparse.Namespace) -> None:
    """Measure each number of steps and print it."""
    print(
        f"Python {machine.python_version()}, temporalio {version('temporalio')}, psycopg {version('psycopg')}, uvloop {version('uvloop')}"
    )
    print(load())
    async with servers() as there, platform(there) as ours:
        bare = plain_client(ours.link)
        async with Worker(bare, task_queue=BARE_QUEUE, workflows=[BareWorkflow], activities=[bare_step, bare_close]):
            for steps in options.steps:
                profile = cProfile.Profile()
                if options.profile:
                    profile.enable()
                times = await measure(ours, bare, steps=steps, runs=options.runs)
                profile.disable()
                if options.profile:
                    profile.dump_stats(f"{options.profile}.{steps}")
                print(report(steps, *times))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure what a step costs beside a hand-written Temporal workflow.")
    parser.add_argument("--runs", type=int, default=60, help="measured runs of each kind")
    parser.add_argument("--steps", type=int, nargs="+", default=[3, JUDGED_STEPS], help="numbers of steps")
    parser.add_argument("--profile", type=Path, default=None, help="write cProfile statistics of the event loop's thread to FILE.STEPS")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
