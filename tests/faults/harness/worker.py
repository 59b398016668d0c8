"""A worker of the harness: the product's, with fault points around the writes of facts, and with a planted bug if one is named.

python -m tests.faults.harness.worker worker
"""

import asyncio
import dataclasses
import fcntl
import os
import signal
from pathlib import Path
from typing import cast

import temporalio.client
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.journal_calls import FaultPoint
from adapters.postgres.journal import PostgresJournal
from domain.effects import Carrier
from domain.envelope import Envelope
from domain.runs import Projection
from tests.faults.planted.registry import WORKER_PLANT
from tests.faults.planted.workflow_bugs import LateCompensationRun, UnnotedVotesRun
from wiring.logs import set_up_logs
from wiring.processes import leave, run_loop
from wiring.settings import FaultSettings, WorkerSettings
from wiring.worker import WorkerParts, build_worker, worker_parts


class Points:
    """The worker's fault points, of which each is noted in `<fault file>.reached` when it is first reached; one process at a time looks."""

    def __init__(self, real: FaultPoint, file: Path) -> None:
        self._real = real
        self._file = file
        self._known: set[str] = set()

    def __call__(self, point: str, step: str, call: str) -> None:
        """Note the point, and end the process if the file names it."""
        place = f"{point} {step} {call}"
        with Path(f"{self._file}.reached").open("a", encoding="utf-8") as reached:
            fcntl.flock(reached, fcntl.LOCK_EX)
            if place not in self._known:
                self._known.add(place)
                reached.write(f"{place}\n")
                reached.flush()
            self._real(point, step, call)


class PointedJournal:
    """The journal with fault points around each write of facts: `before-flush`, `after-flush`; the rest is the real one's."""

    def __init__(self, real: PostgresJournal, point: FaultPoint) -> None:
        self._real = real
        self._point = point

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def flush(self, carrier: Carrier, projection: Projection, *, fact_seq: int) -> int:
        """Flush between two fault points; their call is the status that is written, or `facts`."""
        call = projection.status.value if projection.status is not None else "facts"
        self._point("before-flush", "(run)", call)
        head = await self._real.flush(carrier, projection, fact_seq=fact_seq)
        self._point("after-flush", "(run)", call)
        return head


class _AttemptKey(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's parameter name
        given = input.args[0] if input.args else None
        if isinstance(given, Envelope) and given.call:
            input.args = [given.model_copy(update={"call": f"{given.call}@{activity.info().attempt}"})]
        return await super().execute_activity(input)


class KeyPerAttempt(temporalio.client.Interceptor, Interceptor):
    """The bug: the effect's key, and with it the Idempotency-Key handed outside, changes with each attempt."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's parameter name
        """Stand before the journal's interceptor."""
        return _AttemptKey(next)


def variant(parts: WorkerParts, plant: str | None) -> WorkerParts:
    """Return the parts with the bug in them."""
    file = FaultSettings().file
    if file is not None:
        points = Points(parts.fault_point, file)
        journal = cast("PostgresJournal", PointedJournal(parts.storage.journal, points))
        parts = dataclasses.replace(parts, fault_point=points, storage=dataclasses.replace(parts.storage, journal=journal))
    if plant == "key-per-attempt":
        config = parts.client.config()
        config["interceptors"] = [KeyPerAttempt()]  # the SDK hands a client's interceptors on to its workers
        return dataclasses.replace(parts, client=Client(**config))
    changed = {"late-compensation": LateCompensationRun, "unnoted-votes": UnnotedVotesRun}.get(plant or "")
    if changed is not None:
        return dataclasses.replace(parts, workflows=[changed])
    return parts


async def _work() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with worker_parts() as parts, build_worker(variant(parts, os.environ.get(WORKER_PLANT))):
        ready = WorkerSettings().ready_file
        assert ready is not None
        ready.touch()
        await stop.wait()


if __name__ == "__main__":
    set_up_logs(style="json", level="INFO")
    run_loop(_work)
    leave(0)
