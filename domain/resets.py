"""A raw Temporal reset: the run goes on as another execution, which must learn where the ledger is. Pure (JOURNAL §2.3).

An execution that neither our continue-as-new nor a redrive made is unlinked: it claims an epoch that another one already writes. When it is
the current one, the run's epoch grows by one, and the execution is told so by its activity's failure; its facts that are not in the ledger
come again in the new epoch, after those of the execution it replaces.
"""

from typing import Protocol

from domain.facts import Fact
from domain.ledger import Kind
from domain.model import Wire
from domain.state import State


class ResetPoint(Wire):
    """Where a reset run goes on: its epoch, the last fact in the ledger, and the Temporal run that was replaced ('' when unknown).

    `tried` are the commands whose call the replaced execution may have made, without an outcome that says so.
    """

    epoch: int
    fact_head: int
    fact_digest: str = ""
    replaced: str = ""
    tried: list[str] = []


class ResetStore(Protocol):
    """Which execution a run's row follows."""

    async def point(self, tenant: str, run: str, *, temporal_run_id: str) -> ResetPoint | None:
        """Return where the run stands if its row follows this execution already. Raises: NotFound."""
        ...

    async def adopt(self, tenant: str, run: str, *, temporal_run_id: str, at: str) -> ResetPoint:
        """Let the row follow this execution in the next epoch, with `platform:run:reset`; adopted before changes nothing.

        A run that had ended is open again. Raises: NotFound.
        """
        ...


def rebase(state: State, point: ResetPoint) -> None:
    """Move a state to where the ledger is: facts that it does not have get the numbers after its last one.

    A state that is there already stays as it is: several activities may bring the same news.
    """
    if state.epoch >= point.epoch:
        return
    state.epoch = point.epoch
    state.tried |= dict.fromkeys(point.tried, 1)
    head, digest, moved = point.fact_head, point.fact_digest, list[Fact]()
    for fact in state.unacked:
        head += 1
        counted = {"facts": head, "last_digest": digest} if fact.kind == Kind.RUN_FINISHED else {}
        moved.append(fact.model_copy(update={"seq": head, "epoch": point.epoch, "data": {**fact.data, **counted}}))
        digest = moved[-1].digest()
    state.unacked, state.fact_seq, state.last_fact_digest = moved, head, digest
