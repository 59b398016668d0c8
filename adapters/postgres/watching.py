"""Wakes the watchers of one gateway: one connection that listens for deltas, and a poll that sees the rest (JOURNAL §6)."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Generator

from adapters.postgres.deltas import CHANNEL
from adapters.postgres.pool import Database
from adapters.postgres.stream_queries import HEADS
from domain.errors import StandfastError

log = logging.getLogger(__name__)

POLL_S = 0.25
"""Seconds between two looks at the heads of all watched runs, and, while nothing listens, between two alarms for everybody."""

RECONNECT_S_MAX = 5.0


class PostgresWatching:
    """Implements `Watching`. `run` it beside the gateway."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watched: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._heads: dict[tuple[str, str], tuple[int, str]] = {}
        self._listens = False
        self._over = False

    @property
    def over(self) -> bool:
        """Whether it was stopped."""
        return self._over

    @contextlib.contextmanager
    def watch(self, tenant: str, run: str) -> Generator[asyncio.Event]:
        """Give an event that is set when there may be news of a run; the watcher clears it."""
        event = asyncio.Event()
        self._watched[tenant, run].add(event)
        try:
            yield event
        finally:
            left = self._watched[tenant, run]
            left.discard(event)
            if not left:
                del self._watched[tenant, run]
                self._heads.pop((tenant, run), None)

    async def run(self) -> None:
        """Listen and poll until cancelled; then send every watcher away."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._poll())
        finally:
            self._over = True
            self._told("*")

    async def _listen(self) -> None:
        pause_s = POLL_S
        while True:
            try:
                async with contextlib.aclosing(self._db.notices(CHANNEL)) as notices:
                    async for notice in notices:
                        self._listens, pause_s = True, POLL_S
                        self._told(notice)
            except StandfastError as error:
                log.warning("nothing listens for deltas, watchers poll: %s", error.detail)
            finally:
                self._listens = False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RECONNECT_S_MAX)

    def _told(self, notice: str) -> None:
        """Wake the watchers of the runs that a notice names; an empty one says that notices may have been missed before."""
        runs = None if notice in ("", "*") else set(notice.split())
        for (_, run), events in self._watched.items():
            if runs is None or run in runs:
                for event in events:
                    event.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            if not self._listens:
                self._told("*")
            tenants: defaultdict[str, list[str]] = defaultdict(list)
            for tenant, run in list(self._watched):
                tenants[tenant].append(run)
            for tenant, runs in tenants.items():
                try:
                    rows = await self._db.select_all(HEADS, [tenant, runs])
                except StandfastError:
                    self._told("*")  # each watcher finds out for itself, and says so
                    continue
                for row in rows:
                    self._seen(tenant, row["run"], (int(row["head_seq"]), str(row["status"])))

    def _seen(self, tenant: str, run: str, head: tuple[int, str]) -> None:
        if (tenant, run) not in self._watched or self._heads.get((tenant, run)) == head:
            return
        self._heads[tenant, run] = head
        for event in self._watched[tenant, run]:
            event.set()
