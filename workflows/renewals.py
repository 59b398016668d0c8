"""A hand-written run with a long history goes on in a new execution: when nothing is under way, with all it knows. Deterministic."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

from temporalio import workflow

from domain.pinned_agents import PinnedAgent
from domain.program import Program
from domain.runs import Projection
from domain.state import State
from workflows.couriers import Courier
from workflows.run_tickets import CarriedRun, RunTicket

HISTORY_MAX = 3000
"""Continue as new beyond this many events: well before the server suggests it at 4,096 (TEMPORAL.md §4)."""


class Renewed(Protocol):
    """What is carried on; a `Run` is one."""

    ticket: RunTicket
    program: Program
    state: State
    agents: dict[str, PinnedAgent]
    called: set[str]

    @property
    def courier(self) -> Courier:
        """What writes its facts."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to end."""
        ...


class Renewal:
    """When and how one run goes on anew; `arguments` are the workflow's after the ticket, None for a run that never does."""

    def __init__(self, run: Renewed, arguments: Sequence[object] | None) -> None:
        self._run = run
        self._arguments = arguments
        self._holders = 0

    def hold(self) -> None:
        """Keep the run in this execution until `release`: something is under way that cannot be carried."""
        self._holders += 1

    def release(self) -> None:
        """Take one hold back."""
        self._holders -= 1

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold for the length of a block."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    async def breathe(self) -> None:
        """Write facts that have grown heavy; go on in a new execution if the history is long and nothing is under way.

        Raises:
            ContinueAsNewError: it goes on elsewhere.
        """
        await self._run.courier.relieve()
        if not self._due():
            return
        if self._run.state.unacked:
            await self._run.courier.flush(Projection(), "facts")
        if self._due():
            carried = CarriedRun(
                state=self._run.state.model_dump(mode="json"),
                tools=self._run.program.tools,
                agents=self._run.agents,
                called=sorted(self._run.called),
                sha256=self._run.program.sha256,
            )
            ticket = self._run.ticket.model_copy(update={"epoch": self._run.state.epoch + 1, "carried": carried})
            workflow.continue_as_new(args=[ticket, *(self._arguments or ())])

    def _due(self) -> bool:
        if self._arguments is None or self._holders or self._run.cancelled or not workflow.all_handlers_finished():
            return False
        info = workflow.info()
        most = self._run.ticket.history_max or HISTORY_MAX
        return info.is_continue_as_new_suggested() or info.get_current_history_length() > most
