"""Waiting for signals from outside: `listen:` steps of one run. Deterministic.

A signal is told to the stepper by the driver, between commands; here is what surrounds that: the row by which a signal finds the run, what
the run shows while it waits, and the deadline.
"""

from collections.abc import Callable

from temporalio import workflow

from activities.requests import ListenerRequest
from domain.errors import RunCancelled, StepTimedOut
from domain.runs import Projection, RunStatus
from domain.signals import Signal
from domain.state import AskApproval, AskPerson, Failed, Failure, Listen, Outcome, State
from workflows.couriers import Courier, brief
from workflows.enquiries import Enquiries
from workflows.people import time_left


class Listening:
    """The signals of one run; `arrived` are those that the stepper has not been told of yet, oldest first."""

    def __init__(self, courier: Courier, state: State) -> None:
        self._courier = courier
        self._enquiries = Enquiries(courier)
        self._state = state
        self.arrived: list[Signal] = []

    async def wait(self, command: Listen, *, stopped: Callable[[], bool]) -> Outcome | None:
        """Show what the run waits for until a signal has ended the command, which gives None; else its time is over, or it is stopped."""
        if command.key is not None:
            await self._enquiries.keep_listener(_request(command, opened=True), command.step)
        if self._waits(command):
            await self._courier.flush(_waiting(command), f"{command.summary}: wait for the signal")
        try:
            await workflow.wait_condition(
                lambda: not self._waits(command) or stopped(),
                timeout=time_left(command.deadline),
                timeout_summary=brief(f"{command.summary}: deadline of the signal"),
            )
        except TimeoutError:
            late = f"the signal {command.signal} did not come before {command.deadline}"
            return Failed(command=command.id, failure=Failure(code=StepTimedOut.code, detail=late, step=command.step))
        if not self._waits(command):
            return None
        return Failed(command=command.id, failure=Failure(code=RunCancelled.code, detail="the run was cancelled", step=command.step))

    async def close(self, command: Listen) -> None:
        """Take back what is shown of a wait that has ended."""
        if command.key is not None:
            await self._enquiries.keep_listener(_request(command, opened=False), command.step)
        await self._courier.flush(self._resting(), f"{command.step}: heard")

    def _waits(self, command: Listen) -> bool:
        return command.id in self._state.pending

    def _resting(self) -> Projection:
        """What the run waits for now: another signal or a decision, else nothing."""
        for other in self._state.pending.values():
            if isinstance(other, Listen):
                return _waiting(other)
            if isinstance(other, AskApproval):
                return Projection(status=RunStatus.WAITING, waits_for=f"{other.step}: a decision")
            if isinstance(other, AskPerson):
                return Projection(status=RunStatus.WAITING, waits_for=f"{other.step}: a person to complete task {other.task.task}")
        return Projection(status=RunStatus.RUNNING)


def _waiting(command: Listen) -> Projection:
    return Projection(status=RunStatus.WAITING, waits_for=f"{command.step}: the signal {command.signal}")


def _request(command: Listen, *, opened: bool) -> ListenerRequest:
    return ListenerRequest(step=command.step, visit=command.visit, signal=command.signal, key=command.key or "", opened=opened)
