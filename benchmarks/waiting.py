"""What runs that wait for people cost a worker: memory, processor, and how soon it serves again after a restart.

    python -m benchmarks.waiting [--runs 2000] [--cached 80] [--idle 10]

A worker in a process of its own takes runs that ask a person and wait. It keeps `--cached` of them in its cache; the others are let go, and
live in Temporal and PostgreSQL alone. Its resident memory is read after a warm-up of 500 runs that asked and were decided, and again when
all N wait; the processor time is what it takes while nothing happens. Then it is killed and started anew, and one run is decided at once:
the time runs from the start of the new process, and from when it polls. Goals: at most 1 kB of memory a waiting run, and the first decision
within 2 s of a worker that polls again.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvloop
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from adapters.codec.cipher import TenantCipher
from adapters.outbound.clients import GuardedClients
from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from adapters.sandboxes.select import SandboxRouter
from adapters.tools.declared import DeclaredHttpTools
from adapters.tools.registry import ToolRegistry
from benchmarks.asking import Reviewer, TimedTool, asking_program, runs_of
from benchmarks.platform import TENANT, Platform, no_secret
from benchmarks.servers import Servers, servers
from benchmarks.step_overhead import judged, load
from wiring.keys import InstallationKeys
from wiring.processes import leave
from wiring.storage import build_storage
from wiring.temporal import connect
from wiring.tools import Toolbox
from workflows.messages import RUN_WORKFLOW, TASK_QUEUE

BYTES_GOAL = 1024
SERVE_GOAL_S = 2.0
WARM_UP = 500
AT_ONCE = 40
_WAITING = "SELECT count(*) AS n FROM approvals WHERE tenant_id = %s AND state = 'open'"


@asynccontextmanager
async def worker(there: Servers, database_url: str, cached: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a worker process until the block ends; it polls when the block begins.

    Raises:
        RuntimeError: it ended before it polled.
    """
    ready = there.folder / "ready"
    ready.unlink(missing_ok=True)
    words = ["-m", "benchmarks.waiting_worker", str(there.folder), database_url, there.temporal_address, str(cached)]
    process = await asyncio.create_subprocess_exec(sys.executable, *words)
    try:
        while not ready.exists():
            if process.returncode is not None:
                raise RuntimeError("the worker did not start")
            await asyncio.sleep(0.01)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


def resident_bytes(process: asyncio.subprocess.Process) -> int:
    """Return a process's resident memory."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_s(process: asyncio.subprocess.Process) -> float:
    """Return the processor time a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(ours: Platform, count: int) -> list[str]:
    """Start so many runs that ask, and return when all of them wait."""
    program, started = asking_program(), list[str]()
    expected = await waiting(ours) + count

    async def start(_: int) -> None:
        given = await ours.accept(program)
        words = {"TenantId": TENANT, "Definition": program.name, "RunStatus": "running"}
        pairs = [SearchAttributePair(SearchAttributeKey.for_keyword(name), word) for name, word in words.items()]
        await ours.link.client.start_workflow(
            RUN_WORKFLOW, given, id=given.run, task_queue=TASK_QUEUE, search_attributes=TypedSearchAttributes(pairs)
        )
        started.append(given.run)

    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*(start(number) for number in range(first, min(first + AT_ONCE, count))))
        while await waiting(ours) < expected - count + min(first + AT_ONCE, count) - AT_ONCE:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.02)
    while await waiting(ours) < expected:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.05)
    return started


async def waiting(ours: Platform) -> int:
    """Return how many runs wait for a decision."""
    async with ours.storage.database.tenant(TENANT) as tx:
        row = await tx.row(_WAITING, [TENANT])
    return 0 if row is None else int(row["n"])


async def decide_all(reviewer: Reviewer, runs: list[str]) -> None:
    """Approve a list of runs."""
    for first in range(0, len(runs), AT_ONCE):
        rows = [await reviewer.opened(run) for run in runs[first : first + AT_ONCE]]
        await asyncio.gather(*(reviewer.approve(row) for row in rows))


async def measure(there: Servers, database_url: str, ours: Platform, options: argparse.Namespace) -> list[str]:
    """Return the lines to print."""
    reviewer = await Reviewer.made(ours.storage, runs_of(ours), InstallationKeys(there.folder / "master.key"))
    count: int = options.runs
    async with worker(there, database_url, options.cached) as process:
        await decide_all(reviewer, await ask(ours, WARM_UP))
        await asyncio.sleep(2)
        before = resident_bytes(process)
        runs = await ask(ours, count)
        await asyncio.sleep(2)
        after, spent = resident_bytes(process), processor_s(process)
        await asyncio.sleep(options.idle)
        idle = (processor_s(process) - spent) / options.idle
        process.kill()
        await process.wait()
    row, began = await reviewer.opened(runs[len(runs) // 2]), time.perf_counter()
    async with worker(there, database_url, options.cached):
        polls = time.perf_counter()
        await reviewer.approve(row)
        served = time.perf_counter()
    each = (after - before) / count
    return [
        f"{count:,} waiting runs, at most {options.cached} cached: {before / 2**20:.1f} MB before, {after / 2**20:.1f} MB with them",
        judged("bytes a waiting run", each, f"at most {BYTES_GOAL}", met=each <= BYTES_GOAL),
        f"  {100 * idle:.1f} % of a processor while nothing happens",
        judged("s to the first decision", served - polls, f"at most {SERVE_GOAL_S:.0f}", met=served - polls <= SERVE_GOAL_S),
        f"  {served - began:.1f} s from the start of the new process, {polls - began:.1f} s of them until it polled",
    ]


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    async with servers() as there:
        keys = InstallationKeys(there.folder / "master.key")
        cipher = TenantCipher(keys.master)
        migrated = await asyncio.to_thread(migrate, there.owner_url, app_password=keys.app_password)
        url = migrated.app_url or there.owner_url
        link = await connect(there.temporal_address, namespace="default", cipher=cipher)
        declared = DeclaredHttpTools(resolve_secret=no_secret, outbound=GuardedClients())
        toolbox = Toolbox(ToolRegistry([TimedTool()]), declared, SandboxRouter.with_all_backends())
        async with Database(url) as database:
            ours = Platform(link, build_storage(database, cipher), toolbox)
            for line in await measure(there, url, ours, options):
                print(line)
        await toolbox.aclose()
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure what waiting runs cost a worker.")
    parser.add_argument("--runs", type=int, default=2000, help="runs that wait")
    parser.add_argument("--cached", type=int, default=80, help="runs the worker may keep in its cache")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds to watch it do nothing")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
