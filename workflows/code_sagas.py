"""Sagas in hand-written workflows, with what sagas of definitions promise (DESIGN §8). Deterministic.

    async with Saga(run, "trip") as saga:
        flight = await saga.step("flight", Call(tool="flights.book"), undo=Undoing(tool="flights.cancel", arguments=booking_of))

A compensation is registered before its step begins. When a failure or a cancellation leaves the block, what was done is undone, latest
end first, in a shielded scope, each as an effect of its own; one that fails for good waits for a person. A bug undoes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Literal, Self

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError, TerminatedError
from temporalio.exceptions import TimeoutError as TemporalTimeout

from domain.errors import RunCancelled, StepTimedOut
from domain.ledger import Kind
from domain.program import CallStep, PinnedTool, RetryRule
from domain.saga_plan import lane_of
from domain.state import CallTool, Failed, Failure, RenderedUndo, StepRecord, StepStatus, Unwind, Unwound
from workflows.code_runs import Call, Run, failure_error, is_business, seconds_from_now
from workflows.couriers import now_text
from workflows.run_tickets import RunTicket
from workflows.saga_entries import HandedOver, Registered, Undoing, lost_child


class Saga:
    """One saga; see the module."""

    def __init__(
        self,
        run: Run,
        name: str,
        *,
        within: "Saga | None" = None,
        timeout: timedelta | None = None,
        on_failure: Literal["await", "cancel"] = "await",
        undo: Literal["reverse", "parallel"] = "reverse",
        hand_over: bool = False,
    ) -> None:
        """Name it.

        Args:
            run: The run it belongs to.
            name: Unique in the run, or in the saga around it.
            within: The saga around it; it takes over what this one did once it is complete.
            timeout: After it no step begins, and those under way end: the saga is undone. It ends at a pivot.
            on_failure: What becomes of steps of `gather` beside one that failed.
            undo: One after the other, or branch beside branch.
            hand_over: A child's saga, whose undo list goes to the parent (`handed_over`).
        """
        self.path = f"{within.path}.{name}" if within is not None else name
        self._run = run
        self._within = within
        self._deadline = seconds_from_now(timeout) if timeout is not None else (within.deadline if within is not None else None)
        self._on_failure = on_failure
        self._undo = undo
        self._hand_over = hand_over
        self._entries: list[Registered] = []
        self._tools: dict[str, PinnedTool] = {}
        self._failed: BaseException | None = None
        self._running: set[str] = set()
        self._pivoted = False
        self._over = False

    @property
    def deadline(self) -> str | None:
        """When its time is over, RFC 3339 UTC."""
        return self._deadline

    async def __aenter__(self) -> Self:
        """Begin, or stand for one that an execution before this one brought to its end."""
        self._over = self._run.done_before(self.path)
        if self._over:
            return self
        self._run.renewal.hold()
        self._run.state.steps[self.path] = StepRecord(status=StepStatus.ENTERED)
        self._run.recorder.fact(Kind.SAGA_STARTED, step=self.path, data={"keyword": "saga"})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Complete it, or undo what it did; an exception goes on.

        Raises:
            CancelledError: the run was cancelled meanwhile.
        """
        del kind, trace
        if self._over or (error is not None and not is_business(error)):
            return
        self._run.renewal.release()
        if error is None and (not self._run.cancelled or self._pivoted):
            self._complete()
            if self._run.cancelled:
                raise asyncio.CancelledError("the run was asked to end")
            return
        if not self._pivoted:
            await self.unwind()
        if error is None:
            raise asyncio.CancelledError("the run was asked to end")

    def _complete(self) -> None:
        self._run.state.steps[self.path].status = StepStatus.SUCCEEDED
        self._run.recorder.fact(Kind.SAGA_COMPLETED, step=self.path)
        if self._within is not None:
            self._within.adopt(self._entries, self._tools)
        elif self._hand_over:
            self._run.at_end(self.unwind)

    def adopt(self, entries: list[Registered], tools: dict[str, PinnedTool]) -> None:
        """Take over the undo list of a saga inside."""
        self._entries.extend(entries)
        self._tools.update(tools)

    async def step(
        self,
        name: str,
        call: Call,
        *,
        undo: Undoing | None = None,
        pivot: bool = False,
        retriable: bool = False,
        retry: RetryRule | None = None,
    ) -> JsonValue:
        """Do one step and return its output.

        Args:
            name: Unique in the saga.
            call: What to call.
            undo: Its compensation.
            pivot: Before it everything can be undone; after it, steps are `retriable` and nothing stops them.
            retriable: It is tried until it is done, or a person settles it. Only after a pivot.
            retry: How it is tried.

        Raises:
            ApplicationError: it failed for good; its type is the failure's code.
            CancelledError: the run was cancelled.
            ValueError: it cannot be: a compensation at or after the pivot, a second pivot, a step after it that may fail.
        """
        if self._run.done_before(f"{self.path}.{name}"):
            return self._run.output(f"{self.path}.{name}")
        self._check(name, undo=undo, pivot=pivot, retriable=retriable)
        self._may_begin()
        path = f"{self.path}.{name}"
        step = CallStep(path=path, tool=call.tool, retry=retry, pivot=pivot, retriable=retriable, forward=self._pivoted)
        command = self._run.command(step, call.arguments, deadline=None if self._pivoted else self._deadline)
        entry = self._register(command, undo) if undo is not None else None
        self._running.add(command.id)
        outcome = await self._run.perform(command)
        self._running.discard(command.id)
        if isinstance(outcome, Failed):
            self._ended(entry, "unknown" if outcome.failure.unknown else "not")
            raise self._failure(outcome.failure)
        self._ended(entry, "happened")
        self._pivoted = self._pivoted or pivot
        if self._run.cancelled and not self._pivoted:
            raise asyncio.CancelledError("the run was asked to end")
        await self._run.relieve()
        return self._run.output(path)

    def _check(self, name: str, *, undo: Undoing | None, pivot: bool, retriable: bool) -> None:
        """Refuse what cannot be, as the definition format does; it is a bug of the workflow.

        Raises:
            ValueError: see `step`.
        """
        if (pivot or self._pivoted) and undo is not None:
            raise ValueError(f"{self.path}.{name}: a pivot, and what follows it, is never undone: leave `undo` out")
        if pivot and (self._pivoted or self._within is not None or self._hand_over):
            raise ValueError(f"{self.path}.{name}: a saga has one pivot, and one inside another saga or of a child has none")
        if retriable != self._pivoted:
            raise ValueError(f"{self.path}.{name}: steps after the pivot, and only those, are `retriable`")

    def _may_begin(self) -> None:
        """Begin nothing after a cancellation, a failure beside it, or the saga's time.

        Raises:
            CancelledError: the run was cancelled, or a branch beside it failed.
            ApplicationError: the saga's time is over.
        """
        if self._pivoted:
            return
        if self._run.cancelled or self._failed is not None:
            raise asyncio.CancelledError("nothing begins any more in this saga")
        if self._deadline is not None and self._deadline <= now_text():
            raise self._failure(Failure(code=StepTimedOut.code, detail=f"the time of {self.path} is over"))

    def _register(self, command: CallTool, undo: Undoing) -> Registered:
        path = command.step
        entry = Registered(step=path, known="pending", undoing=undo, arguments=command.arguments, asked=command.policy)
        self._entries.append(entry)
        self._run.recorder.fact(Kind.COMPENSATION_REGISTERED, step=path, data={"tool": undo.tool})
        return entry

    def _ended(self, entry: Registered | None, known: Literal["happened", "unknown", "not"]) -> None:
        """Remember what became of a step; the list is in the order in which steps ended."""
        if entry is not None:
            entry.known = known
            self._entries.remove(entry)
            self._entries.append(entry)

    def _failure(self, failure: Failure) -> BaseException:
        cut = self._run.cancelled and failure.code == RunCancelled.code
        error = asyncio.CancelledError(failure.detail) if cut else failure_error(failure)
        self._failed = self._failed or error
        if self._on_failure == "cancel":
            self._run.courier.call_off(list(self._running))
        return error

    async def gather(self, *branches: Awaitable[JsonValue]) -> list[JsonValue]:
        """Do branches at once, each a step or a coroutine of several, and return what they gave.

        When one fails, no other begins a further step; those under way are awaited, or cancelled where `on_failure` says so.

        Raises:
            BaseException: the first failure, when all branches have ended.
        """
        tasks = [asyncio.ensure_future(branch) for branch in branches]
        while True:
            try:
                await workflow.wait_condition(lambda: all(task.done() for task in tasks))
                break
            except asyncio.CancelledError:
                self._run.cancel()
        bug = next((error for task in tasks if (error := _error_of(task)) is not None and not is_business(error)), None)
        failed = bug or self._failed or next((error for task in tasks if (error := _error_of(task)) is not None), None)
        if failed is not None:
            raise failed
        return [task.result() for task in tasks]

    async def child(self, name: str, child: Callable[..., Awaitable[HandedOver]], *arguments: object) -> JsonValue:
        """Run a child workflow, whose first argument is its own ticket, and take over what would undo it; return its value.

        A child that fails has undone what it did. One that was terminated has not: then a person is asked to.

        Raises:
            ApplicationError: it failed.
            CancelledError: the run was cancelled.
        """
        if self._run.done_before(f"{self.path}.{name}"):
            return self._run.output(f"{self.path}.{name}")
        self._check(name, undo=None, pivot=False, retriable=False)
        self._may_begin()
        path, ticket = f"{self.path}.{name}", self._run.child_ticket()
        self._run.state.steps[path] = StepRecord(status=StepStatus.ENTERED)
        self._run.recorder.fact(Kind.STEP_ENTERED, step=path, data={"keyword": "run", "run": ticket.run})
        entry = lost_child(path, ticket.run)
        self._entries.append(entry)
        self._run.recorder.fact(Kind.COMPENSATION_REGISTERED, step=path, data={"run": ticket.run})
        try:
            handed = await self._child(child, ticket, *arguments)
        except ChildWorkflowError as error:
            outside = isinstance(error.cause, TerminatedError | TemporalTimeout)
            self._ended(entry, "unknown" if outside else "not")
            code = error.cause.type if isinstance(error.cause, ApplicationError) and error.cause.type else RunCancelled.code
            failure = Failure(code="step-failed" if outside else code, detail=str(error.cause), step=path, unknown=outside)
            self._run.close_step(path, failure)
            raise self._failure(failure) from error
        self._entries.remove(entry)
        ready = [undo.model_copy(update={"step": f"{path}.{undo.step}"}) for undo in handed.undo]
        self._entries.extend(Registered(step=undo.step, known=undo.known, ready=undo) for undo in reversed(ready))
        self._tools.update(handed.tools)
        self._run.called.add(f"run:{path}")
        self._run.close_step(path, None, output=handed.value)
        if self._run.cancelled:
            raise asyncio.CancelledError("the run was asked to end")
        return handed.value

    async def _child(self, child: Callable[..., Awaitable[HandedOver]], ticket: RunTicket, *arguments: object) -> HandedOver:
        handle = await workflow.start_child_workflow(
            child,  # pyright: ignore[reportArgumentType] - any workflow's run method that hands over
            args=[ticket, *arguments],
            id=ticket.run,
            result_type=HandedOver,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        )
        return await self._run.shielded(handle, on_cancel=handle.cancel)

    def handed_over(self, value: JsonValue = None) -> HandedOver:
        """Return what a child workflow returns, after its saga with `hand_over` is complete."""
        undo = self._plan()
        tools = {entry.tool: self._pinned(entry.tool) for entry in undo if entry.problem is None}
        return HandedOver(value=value, undo=undo, tools=tools)

    def _pinned(self, tool: str) -> PinnedTool:
        return self._tools.get(tool) or self._run.program.tools[tool]

    def _plan(self) -> list[RenderedUndo]:
        """What is to undo, latest end first, with its arguments of this moment."""
        plan: list[RenderedUndo] = []
        for entry in reversed(self._entries):
            if entry.known != "not":
                record = self._run.state.steps.get(entry.step)
                output = self._run.output(entry.step) if entry.known == "happened" and entry.ready is None else None
                lane = lane_of(self.path, entry.step) if self._undo == "parallel" else ""
                made = entry.rendered(output, visit=record.visit if record is not None else 1, lane=lane)
                tool = self._tools.get(made.tool) or self._run.program.tools.get(made.tool)
                plan.append(entry.labelled(made, self._run.labels, tool))
        return plan

    async def unwind(self) -> None:
        """Undo what was done, whatever is asked of the run meanwhile."""
        plan, self._entries = self._plan(), []
        if not plan:
            return
        self._run.program.tools.update({tool: pinned for tool, pinned in self._tools.items() if tool not in self._run.program.tools})
        self._run.recorder.fact(Kind.SAGA_COMPENSATING, step=self.path, data={"undo": [entry.step for entry in plan]})
        outcome = await self._run.shielded(self._run.effects.run(Unwind(id=f"{self.path}#1/unwind", step=self.path, undo=plan)))
        self._run.recorder.fact(Kind.SAGA_COMPENSATED, step=self.path, data={"undone": len(plan)})
        if isinstance(outcome, Unwound):
            self._run.state.undone |= outcome.ended


def _error_of(task: "asyncio.Future[JsonValue]") -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
