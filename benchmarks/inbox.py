"""How long a page of the inbox takes at 100,000 approvals, against a bare indexed SELECT of as many rows.

    python -m benchmarks.inbox [--approvals 100000] [--runs 4000] [--pages 60]

Pages of 50 as the gateway reads them: the query under row-level security, the data subjects' keys, decryption, the domain's values.
Every page is read by a store that has never seen a key, as a gateway does that has just started; between two pages of a kind the others
are read. Three in five approvals are open, one in ten has no deadline, roles are uneven. The yardstick is a bare SELECT of 50 rows by a
range of the primary key from the same pool, without decryption. Goal: p95 of every kind under 50 ms on an idle box.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from adapters.codec.cipher import TenantCipher
from adapters.postgres.migrate import migrate
from adapters.postgres.pool import Database
from benchmarks.inbox_rows import TENANT, Filled, fill
from benchmarks.servers import postgres_server
from benchmarks.step_overhead import load, quantile
from domain.inbox import InboxFilter, MayDecide
from wiring.keys import InstallationKeys
from wiring.processes import leave
from wiring.storage import build_storage

GOAL_MS = 50.0
YARDSTICK = "bare SELECT of 50 rows"
_BARE = "SELECT * FROM approvals WHERE tenant_id = %s AND approval > %s ORDER BY approval LIMIT 50"

MINE = MayDecide(principal="prn_1", roles=("role-0", "role-3", "role-9"))
KINDS: dict[str, InboxFilter] = {
    "open, by deadline": InboxFilter(state="open"),
    "any state, by opening": InboxFilter(order="opened"),
    "what I may decide": InboxFilter(state="open", may_decide=MINE),
    "a frequent role": InboxFilter(state="open", role="role-0"),
    "a rare role": InboxFilter(state="open", role="role-18"),
    "a role nobody asks": InboxFilter(state="open", role="nobody"),
    "definition and tool": InboxFilter(state="open", definition="definition-7", tool="tool-3"),
    "role and requester": InboxFilter(state="open", role="role-1", requester="prn_9"),
    "role and definition": InboxFilter(state="open", role="role-12", definition="definition-4"),
    "assigned to me": InboxFilter(state="open", assignee="prn_1"),
    "my decisions": InboxFilter(decided_by="prn_1", order="opened"),
    "due before a day": InboxFilter(state="open", deadline_before="2026-03-03T00:00:00Z"),
}


async def measure(database: Database, cipher: TenantCipher, filled: Filled, pages: int) -> dict[str, list[float]]:
    """Return the milliseconds of each page by kind, taken in turns; every other page of a kind is the one after its first."""
    times: dict[str, list[float]] = {kind: [] for kind in (*KINDS, YARDSTICK)}
    for turn in range(pages + 5):
        for kind, where in KINDS.items():
            known = build_storage(database, cipher).approvals
            cursor = (await known.page(TENANT, where)).next_cursor if turn % 2 else None
            cold = build_storage(database, cipher).approvals
            took = time.perf_counter()
            await cold.page(TENANT, where.model_copy(update={"cursor": cursor}))
            times[kind].append(1000 * (time.perf_counter() - took))
        start = f"apr_{(turn * 977) % filled.approvals:026d}"
        took = time.perf_counter()
        async with database.tenant(TENANT) as tx:
            await tx.rows(_BARE, [TENANT, start])
        times[YARDSTICK].append(1000 * (time.perf_counter() - took))
    return {kind: taken[5:] for kind, taken in times.items()}


def report(times: dict[str, list[float]]) -> list[str]:
    """Return the lines to print."""
    bare = statistics.median(times[YARDSTICK])
    lines: list[str] = []
    for kind, taken in times.items():
        p50, p95 = statistics.median(taken), quantile(taken, 95)
        lines.append(f"  {kind:<24} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   {p50 / bare:5.1f} times the bare SELECT")
    worst = max(quantile(taken, 95) for kind, taken in times.items() if kind != YARDSTICK)
    verdict = "met" if worst < GOAL_MS else "MISSED"
    return [*lines, f"  slowest kind: p95 {worst:.1f} ms, goal under {GOAL_MS:.0f} ms: {verdict}"]


async def run(options: argparse.Namespace) -> None:
    """Fill, measure and print."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        folder = Path(name)
        async with postgres_server(folder) as owner_url:
            keys = InstallationKeys(folder / "master.key")
            migrated = await asyncio.to_thread(migrate, owner_url, app_password=keys.app_password)
            cipher = TenantCipher(keys.master)
            async with Database(migrated.app_url or owner_url) as database:
                began = time.perf_counter()
                filled = await fill(build_storage(database, cipher), cipher, approvals=options.approvals, runs=options.runs)
                print(f"{filled.approvals:,} approvals of {filled.runs:,} runs, written in {time.perf_counter() - began:.0f} s")
                times = await measure(database, cipher, filled, options.pages)
    print("\n".join(report(times)))
    print(load())


def main() -> None:
    """Measure, print, and end the process."""
    parser = argparse.ArgumentParser(description="Measure pages of the inbox.")
    parser.add_argument("--approvals", type=int, default=100_000, help="approvals in the inbox")
    parser.add_argument("--runs", type=int, default=4000, help="runs they belong to, each with a key of its own")
    parser.add_argument("--pages", type=int, default=60, help="pages of each kind")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args()))
    leave(0)


if __name__ == "__main__":
    main()
