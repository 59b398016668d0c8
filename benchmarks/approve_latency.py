"""How soon the next step starts when a person approves, beside a bare Temporal workflow that waits for an update.

    python -m benchmarks.approve_latency [--runs 100]

Ours runs from the moment the gateway has checked the request until the bound tool is called: the decision stored, sent as an update,
checked by the workflow and against live roles by a local activity, and the call's intent written with the facts, while the inbox's row is
closed beside it. The yardstick is an update and one activity of a hand-written workflow, with nothing stored. Both workflows have come to
rest before they are told: a person reads first. In turns, one run at a time, in this process. Goal: p95 at most 50 ms on an idle box.
"""

import argparse
import asyncio
import time
from uuid import uuid4

import uvloop
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.asking import Reviewer, TimedTool, asking_program, runs_of
from benchmarks.bare_approval import CALLED, BareApproval, after_approval
from benchmarks.platform import Platform, plain_client, platform
from benchmarks.servers import servers
from benchmarks.step_overhead import judged, load, quantile
from domain.program import Program
from wiring.keys import InstallationKeys
from wiring.processes import leave

GOAL_MS = 50.0
WARM_UP = 10
QUEUE = "bench-approve"
REST_S = 0.05
"""How long a run that waits is left alone first: the inbox shows its question a workflow task before it has gone to sleep."""


async def ours_ms(ours: Platform, reviewer: Reviewer, tool: TimedTool, program: Program) -> float:
    """Return the milliseconds from the decision to the bound tool's call."""
    start = await ours.accept(program)
    ended = asyncio.create_task(ours.run(start, eager=False))
    row = await reviewer.opened(start.run)
    await asyncio.sleep(REST_S)
    began = time.perf_counter()
    await reviewer.approve(row)
    await ended
    return 1000 * (tool.called[start.run] - began)


async def bare_ms(client: Client) -> float:
    """Return the milliseconds from the update to the activity."""
    name = f"bare-{uuid4()}"
    handle = await client.start_workflow(BareApproval.run, id=name, task_queue=QUEUE)
    await asyncio.sleep(REST_S)
    began = time.perf_counter()
    await handle.execute_update("approve")  # pyright: ignore[reportUnknownMemberType] - the SDK's overloads are partly untyped
    await handle.result()
    return 1000 * (CALLED[name] - began)


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    tool = TimedTool()
    async with servers() as there, platform(there, tools=[tool]) as ours:
        client = plain_client(ours.link)
        reviewer = await Reviewer.made(ours.storage, runs_of(ours), InstallationKeys(there.folder / "master.key"))
        program, times = asking_program(), {"standfast": list[float](), "by hand": list[float]()}
        async with Worker(client, task_queue=QUEUE, workflows=[BareApproval], activities=[after_approval]):
            for turn in range(WARM_UP + options.runs):
                taken = {"standfast": await ours_ms(ours, reviewer, tool, program), "by hand": await bare_ms(client)}
                for kind, took in taken.items():
                    if turn >= WARM_UP:
                        times[kind].append(took)
    for kind, took in times.items():
        print(f"  {kind:<10} approve → next step p50 {quantile(took, 50):6.1f} ms   p95 {quantile(took, 95):6.1f} ms")
    p95, ratio = quantile(times["standfast"], 95), quantile(times["standfast"], 50) / quantile(times["by hand"], 50)
    print(f"  {ratio:.1f} times by hand")
    print(judged("p95, ms", p95, f"at most {GOAL_MS:.0f}", met=p95 <= GOAL_MS))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure how soon the next step starts after an approval.")
    parser.add_argument("--runs", type=int, default=100, help="runs of each kind")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
