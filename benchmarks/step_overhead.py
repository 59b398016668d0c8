"""What a step costs on Standfast beside a hand-written Temporal workflow with as many regular activities.

    python -m benchmarks.step_overhead [--runs 60] [--steps 3 20] [--profile FILE]

Four kinds of run in this process, in turns, on the same Temporal server and connection, unsandboxed and with eager start: a hand-written
workflow; a definition as it stands (quick reads form a segment); the same definition under `execution: steps`, each step an activity of its
own; and the floor of a segment, one hand-written activity that commits a row for each step and does nothing else. N steps are N + 1
activities by hand: the last one writes the closing status. The hand-written activities' payloads are plain; ours journal each step durably
in PostgreSQL, and every payload is encrypted. Time runs from the start call to the result; the gateway's row for a new run is made before
it. Goals at 20 steps: a run as it stands takes at most 1.3 times as long as by hand, and its steps at most 1.5 ms each, all in; the segment
is at least 5 times as fast as the activities.
"""

import argparse
import asyncio
import cProfile
import os
import platform as machine
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import uvloop
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.bare_workflow import BY_HAND, BY_ROWS, BareWorkflow, ByRowsWorkflow, RowActivities, bare_close, bare_step
from benchmarks.platform import Platform, plain_client, platform, program_of
from benchmarks.servers import Servers, servers, yardstick
from wiring.processes import leave

BARE_QUEUE = "bench-bare"
WARM_UP = 15
"""Runs of each kind before the clock counts: prepared statements, caches and the server's own warm-up."""

GOAL = 1.3
SEGMENT_GOAL = 5.0
STEP_GOAL_MS = 1.5
JUDGED_STEPS = 20
HAND_WRITTEN = {"by hand": BY_HAND, "a row a step": BY_ROWS}
KINDS = (*HAND_WRITTEN, "standfast", "execution: steps")


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the milliseconds that `work` took."""
    start = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - start)


async def measure(ours: Platform, bare: Client, *, steps: int, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each run by kind, taken in turns."""
    programs = {"standfast": program_of(steps), "execution: steps": program_of(steps, execution="steps")}
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(WARM_UP + runs):
        for kind in KINDS:
            if kind in programs:
                start = await ours.accept(programs[kind])
                took = await timed(lambda start=start: ours.run(start))
            else:
                took = await timed(lambda kind=kind: by_hand(bare, HAND_WRITTEN[kind], steps))
            if turn >= WARM_UP:
                times[kind].append(took)
    return times


async def by_hand(client: Client, workflow: str, steps: int) -> int:
    """Make one run of a hand-written workflow; its activities run on BARE_QUEUE."""
    return await client.execute_workflow(
        workflow, steps, id=f"bare-{uuid4()}", task_queue=BARE_QUEUE, request_eager_start=True, result_type=int
    )


@asynccontextmanager
async def rows(there: Servers) -> AsyncGenerator[RowActivities]:
    """Make their table and what writes to it."""
    async with yardstick(there, "bench_rows (run text, step integer, PRIMARY KEY (run, step))") as pool:
        yield RowActivities(pool)


def quantile(times: list[float], percent: int) -> float:
    """Return a percentile, such as 95."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def report(steps: int, times: dict[str, list[float]]) -> str:
    """Return the lines about one number of steps."""
    p50 = {kind: quantile(times[kind], 50) for kind in KINDS}
    lines = [f"{steps} steps, {len(times['standfast'])} runs each"]
    for kind in KINDS:
        ratio = f"   {p50[kind] / p50['by hand']:5.2f} times by hand" if kind != "by hand" else ""
        lines.append(f"  {kind:<17} p50 {p50[kind]:7.1f} ms   p95 {quantile(times[kind], 95):7.1f} ms{ratio}")
    if steps == JUDGED_STEPS:
        ratio, faster, step_ms = p50["standfast"] / p50["by hand"], p50["execution: steps"] / p50["standfast"], p50["standfast"] / steps
        floor = p50["a row a step"]
        lines += [
            judged("standfast / by hand", ratio, f"at most {GOAL}", met=ratio <= GOAL),
            judged("activities / segment", faster, f"at least {SEGMENT_GOAL:g}", met=faster >= SEGMENT_GOAL),
            judged("ms a step in a segment", step_ms, f"at most {STEP_GOAL_MS}", met=step_ms <= STEP_GOAL_MS),
            f"    the floor: {floor / steps:.2f} ms a step, {p50['execution: steps'] / floor:.2f} times as fast as the activities",
        ]
    return "\n".join(lines)


def judged(name: str, value: float, goal: str, *, met: bool) -> str:
    """Return the line about one goal."""
    return f"  {name:<23} {value:6.2f}, goal {goal}: {'met' if met else 'MISSED'}"


def load() -> str:
    """Return the load of the box, which absolute figures mean little without."""
    return f"load average {' '.join(f'{value:.2f}' for value in os.getloadavg())} on {os.cpu_count()} cores"


async def run(options: argparse.Namespace) -> None:
    """Measure each number of steps and print it."""
    print(
        f"Python {machine.python_version()}, temporalio {version('temporalio')}, psycopg {version('psycopg')}, uvloop {version('uvloop')}"
    )
    print(load())
    async with servers() as there, platform(there) as ours, rows(there) as by_rows:
        bare = plain_client(ours.link)
        written = [bare_step, bare_close, by_rows.by_rows]
        async with Worker(bare, task_queue=BARE_QUEUE, workflows=[BareWorkflow, ByRowsWorkflow], activities=written):
            for steps in options.steps:
                profile = cProfile.Profile()
                if options.profile:
                    profile.enable()
                times = await measure(ours, bare, steps=steps, runs=options.runs)
                profile.disable()
                if options.profile:
                    profile.dump_stats(f"{options.profile}.{steps}")
                print(report(steps, times))
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
