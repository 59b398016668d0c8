"""The watch over tool calls on its loop: an unusual call is found within a round, the tool held back, and no call looked at twice."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from domain.tool_anomalies import Anomaly, AnomalyKind, Baseline, WatchedCall
from domain.tool_watching import Unwatched, WatchMode
from tests.domain.tool_traffic import Traffic, planted
from wiring.tool_watching import ToolWatcher, ToolWatchParts, watching_tools

FOUND_WITHIN_S = 60.0
"""How long an unusual call may stay unfound."""


@dataclass
class FakeWatchStore:
    """Calls of one tenant, and what was stored of them; `holder` has the lease."""

    calls: list[WatchedCall]
    holder: str = ""
    place: int = 0
    usual: dict[tuple[str, str], Baseline] = field(default_factory=dict[tuple[str, str], Baseline])
    found: list[Anomaly] = field(default_factory=list[Anomaly])
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Give the lease to whom it belongs."""
        del tenant, lease_s
        self.holder = self.holder or holder
        return 1 if self.holder == holder else None

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Let it go."""
        del tenant, epoch
        self.holder = ""

    async def waiting(self, tenant: str) -> bool:
        """Whether calls are left."""
        return tenant == "acme" and self.place < len(self.calls)

    async def unwatched(self, tenant: str, *, limit: int) -> Unwatched:
        """Return the next calls."""
        assert tenant == "acme"
        part = self.calls[self.place : self.place + limit]
        return Unwatched(calls=tuple(part), txid=self.place + len(part), more=self.place + len(part) < len(self.calls))

    async def baselines(self, tenant: str, tools: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Baseline]:
        """Return what is stored, as it comes from a database: never the same object."""
        del tenant
        return {key: self.usual[key].model_copy(deep=True) for key in tools if key in self.usual}

    async def watched(
        self, tenant: str, *, epoch: int, txid: int, baselines: dict[tuple[str, str], Baseline], found: list[Anomaly]
    ) -> bool:
        """Store it."""
        assert (tenant, epoch) == ("acme", 1)
        self.place, self.usual = txid, {**self.usual, **baselines}
        self.found += found
        self.looked.set()
        return True


def parts(store: FakeWatchStore, *, holder: str = "a", mode: WatchMode = "quarantine") -> ToolWatchParts:
    """Build a watch of two tenants that looks often."""

    async def tenants() -> list[str]:
        return ["acme", "quiet"]

    return ToolWatchParts(tenants=tenants, store=store, holder=holder, mode=mode, pause_s=0.01, calls_max=400)


def taught() -> tuple[Traffic, FakeWatchStore]:
    """Return traffic of which enough was seen."""
    traffic = Traffic(11)
    return traffic, FakeWatchStore(list(traffic.usual(1500)))


class TestToolWatcher:
    @pytest.mark.parametrize(("mode", "held"), [("quarantine", True), ("report", False)])
    async def test_finds_an_unusual_call_in_time_and_holds_its_tool_back_where_that_is_wanted(self, mode: WatchMode, *, held: bool) -> None:
        traffic, store = taught()
        stop = asyncio.Event()
        async with watching_tools(parts(store, mode=mode), stop), asyncio.timeout(FOUND_WITHIN_S):
            while await store.waiting("acme"):
                await store.looked.wait()
                store.looked.clear()
            began = time.monotonic()
            store.calls += planted(traffic, AnomalyKind.COST, 1)
            while not any(one.kind is AnomalyKind.COST and one.run.startswith("odd") for one in store.found):
                await store.looked.wait()
                store.looked.clear()
        assert time.monotonic() - began < FOUND_WITHIN_S
        assert {one.quarantined for one in store.found} == {held}
        assert store.holder == "", "the lease is given back"

    async def test_looks_at_each_call_once_however_many_batches_it_takes(self) -> None:
        traffic, store = taught()
        await ToolWatcher(parts(store)).round()
        assert sum(one.calls for one in store.usual.values()) == store.place == 1500
        assert not await store.waiting("acme")
        store.calls += list(traffic.usual(3))
        await ToolWatcher(parts(store)).round()
        assert sum(one.calls for one in store.usual.values()) == 1503

    async def test_leaves_a_tenant_to_whoever_has_its_lease(self) -> None:
        _, store = taught()
        store.holder = "another"
        await ToolWatcher(parts(store)).round()
        assert store.place == 0

    async def test_that_is_off_looks_at_nothing(self) -> None:
        _, store = taught()
        await ToolWatcher(parts(store, mode="off")).run(asyncio.Event())
        assert store.place == 0
