"""What a round of the watch does with calls it has not seen: report what is odd, and hold tools back where that is wanted. Pure."""

from collections.abc import Iterable
from typing import Literal, Protocol

from domain.model import Value
from domain.tool_anomalies import Anomaly, Baseline, Watch, WatchedCall

WatchMode = Literal["off", "report", "quarantine"]
"""Whether tool calls are watched, and whether a tool with an unusual call is held back until a person releases it."""
WATCHER = "platform:watch"
"""Stands where a principal does for what the watch did."""
CALLS_MAX = 2000
"""Calls of one transaction of the watch."""


class Unwatched(Value):
    """Calls that nobody has looked at, oldest first; `txid` is up to where, and `more` says that there are others."""

    calls: tuple[WatchedCall, ...]
    txid: int
    more: bool = False


class ToolWatchStore(Protocol):
    """The audit as the watch reads it, under a lease per tenant."""

    async def claim(self, tenant: str, *, holder: str, lease_s: float) -> int | None:
        """Take or keep the tenant's lease; return its epoch, or None while another holds it."""
        ...

    async def release(self, tenant: str, *, epoch: int) -> None:
        """Give the lease back."""
        ...

    async def waiting(self, tenant: str) -> bool:
        """Whether there are calls to look at."""
        ...

    async def unwatched(self, tenant: str, *, limit: int) -> Unwatched:
        """Return calls not looked at yet; none twice, and none that a transaction still open could precede."""
        ...

    async def baselines(self, tenant: str, tools: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Baseline]:
        """Return what is usual for these (tool, version), where anything is known."""
        ...

    async def watched(
        self, tenant: str, *, epoch: int, txid: int, baselines: dict[tuple[str, str], Baseline], found: list[Anomaly]
    ) -> bool:
        """Store all of it, quarantines too, in one transaction; False and nothing when another holds the lease."""
        ...


def look_at(calls: Iterable[WatchedCall], baselines: dict[tuple[str, str], Baseline], *, mode: WatchMode) -> list[Anomaly]:
    """Return what is odd among calls, the baselines taught by them; in the mode `quarantine` each holds its tool back."""
    found: list[Anomaly] = []
    for call in calls:
        found.extend(Watch(baselines.setdefault((call.tool, call.version), Baseline())).look(call))
    return [one.model_copy(update={"quarantined": mode == "quarantine"}) for one in found]
