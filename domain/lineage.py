"""Redrives and forks: what is ordered, what is stored until its workflow has started, and the port to it. Pure.

A continuation is a start that carries state: the next epoch of a redriven run, or the first one of a fork. It is stored in the
transaction that opens the run, so a crash before the start loses nothing: the sweeper starts what is not started.
"""

from typing import Literal, Protocol

from pydantic import JsonValue

from domain.ledger import Kind
from domain.model import Value
from domain.past import Past
from domain.runs import RunStatus
from domain.stores import NewRun, RunRow

REDRIVABLE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT, RunStatus.DEAD, RunStatus.TERMINATED})
"""How a run must have ended to be redriven."""

ForkEffects = Literal["simulated", "allowed"]
"""What becomes of calls that change the world after a fork."""


class RedriveOrder(Value):
    """Open a closed run again. `epoch` and `fact_head` are what its past said; `after` is the Temporal run that has ended ('': none known).

    `start` is the workflow's input of the next epoch, `step` where it goes on, `kept` how many steps keep their outcome.
    """

    tenant: str
    run: str
    epoch: int
    fact_head: int
    principal: str
    at: str
    reason: str = ""
    step: str
    kept: int
    after: str
    start: dict[str, JsonValue]


class ForkOrder(Value):
    """Accept a new run that goes on at step `at` of `parent`. `start` is its workflow's input."""

    run: NewRun
    parent: str
    at: str
    effects: ForkEffects
    changed: tuple[str, ...]
    kept: int
    start: dict[str, JsonValue]


class Continuation(Value):
    """A start that carries state. `after` is the Temporal run it follows; `created_at` is RFC 3339 UTC."""

    tenant: str
    run: str
    epoch: int
    kind: Literal["redrive", "fork"]
    after: str
    created_at: str
    start: dict[str, JsonValue]


class Lineage(Value):
    """Where a run comes from: None for a run that is no fork."""

    parent: str
    step: str
    effects: ForkEffects


class RunRequest(Value):
    """What a person asked of a run that had begun. `reason` is None where none was given, or where it is erased."""

    what: Literal["cancel", "redrive", "compensate"]
    by: str
    at: str
    reason: str | None = None


REQUESTS: dict[str, Literal["cancel", "redrive", "compensate"]] = {
    Kind.RUN_CANCEL_REQUESTED: "cancel",
    Kind.RUN_REDRIVEN: "redrive",
    Kind.RUN_COMPENSATE_REQUESTED: "compensate",
}
"""The ledger kinds of requests. Their reasons are people's words: they stand in sealed payloads, as {reason}."""


class LineageStore(Protocol):
    """Pasts, redrives and forks, and what was asked of runs."""

    async def past(self, tenant: str, run: str) -> Past:
        """Return all that is known of a run. Raises: NotFound, ReferenceMissing."""
        ...

    async def lineage(self, tenant: str, run: str) -> Lineage | None:
        """Return what a fork comes from. Raises: NotFound."""
        ...

    async def requests(self, tenant: str, run: str) -> tuple[RunRequest, ...]:
        """Return what people asked of a run, oldest first; nothing for a run that is not there."""
        ...

    async def forked_start(self, tenant: str, run: str) -> dict[str, JsonValue] | None:
        """Return the input that a fork's workflow began with, None for a run that is no fork. Raises: NotFound, ReferenceMissing."""
        ...

    async def redrive(self, order: RedriveOrder) -> RunRow:
        """Open the run in its next epoch, in one transaction: row, failed effects, continuation, `gateway:run:redriven`.

        Raises:
            NotRedrivable: its row is not what the order says any more.
        """
        ...

    async def fork(self, order: ForkOrder) -> RunRow:
        """Accept the fork, in one transaction: row, continuation, and `gateway:run:forked` in both ledgers; an existing row stays."""
        ...

    async def unstarted(self, tenant: str, *, seconds: float, limit: int) -> list[tuple[str, int]]:
        """Return (run, epoch) of continuations that are not started and are older than that, oldest first."""
        ...

    async def claim(self, tenant: str, run: str, epoch: int, *, lease_s: float) -> Continuation | None:
        """Take a continuation to start it; None when it is started or another process holds it."""
        ...

    async def mark_started(self, tenant: str, run: str, epoch: int) -> None:
        """Remember that its workflow has started; a continuation that is given up is marked so, too."""
        ...
