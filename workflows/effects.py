"""Runs effects to their outcome: retries are Temporal's, doubts a person's, compensations go through the undo stack. Deterministic."""

from temporalio.exceptions import ActivityError

from activities.requests import ResolveRequest
from domain.errors import EffectDivergent, EffectInDoubt, ExpressionFailed, RunCancelled
from domain.program import Program
from domain.runs import Projection, RunStatus
from domain.state import (
    AskApproval,
    AskPerson,
    CallTool,
    Command,
    CompletePrompt,
    Done,
    Failed,
    Failure,
    Outcome,
    RenderedUndo,
    Unwind,
    Unwound,
)
from sagas.undo import Answer, unwind
from workflows.couriers import Courier
from workflows.failures import failure_of
from workflows.forward import ForwardSteps
from workflows.lost import LostAttempts
from workflows.people import People

NEEDS_A_PERSON = frozenset({EffectInDoubt.code, EffectDivergent.code})


class EffectRunner:
    """Turns call, prompt and unwind commands into outcomes."""

    def __init__(self, program: Program, courier: Courier, people: People) -> None:
        self._program = program
        self._courier = courier
        self._people = people
        self._lost = LostAttempts(program)
        self._forward = ForwardSteps(people)
        self._tries: dict[str, int] = {}

    async def run(self, command: Command) -> Outcome:
        """Return the outcome of a command that is no question to people.

        Raises:
            TypeError: it is one.
        """
        if isinstance(command, CallTool | CompletePrompt) and self._unwanted(command):
            return self.withdrawn(command)
        if isinstance(command, CallTool):
            return await self._call_tool(command)
        if isinstance(command, CompletePrompt):
            return await self._complete_prompt(command)
        if isinstance(command, Unwind):
            return await self._unwind(command)
        raise TypeError(f"{command.kind} is not an effect")

    def _unwanted(self, command: CallTool | CompletePrompt) -> bool:
        """Whether a command was taken back before it began; what stands after a pivot never is."""
        ended = self._people.cancelled and not (isinstance(command, CallTool) and command.forward)
        return ended or command.id in self._courier.unwanted

    def withdrawn(self, command: AskApproval | AskPerson | CallTool | CompletePrompt) -> Failed:
        """Return the outcome of what a cancellation, or a failure beside it, took back before it began."""
        return Failed(command=command.id, failure=Failure(code=RunCancelled.code, detail="the run was cancelled", step=command.step))

    async def _complete_prompt(self, command: CompletePrompt) -> Outcome:
        try:
            return Done(command=command.id, receipt=await self._courier.complete_prompt(command))
        except ActivityError as error:
            return Failed(command=command.id, failure=failure_of(error, command.step))

    async def _call_tool(self, command: CallTool) -> Outcome:
        if command.problem is not None:
            return await self._forward.settle(command, Failure(code=ExpressionFailed.code, detail=command.problem, step=command.step))
        again = self._lost.of(command)
        while True:
            try:
                return Done(command=command.id, receipt=await self._courier.call_tool(again.next))
            except ActivityError as error:
                if again.repeats(error, cancelled=self._people.cancelled):
                    continue
                failure = failure_of(error, command.step)
            if failure.code not in NEEDS_A_PERSON:
                asked = command.forward or (command.pivot and failure.unknown)
                return await self._forward.settle(command, failure) if asked else Failed(command=command.id, failure=failure)
            again = self._lost.of(command)
            settled = await self._settle_doubt(command, failure)
            if settled is not None:
                return settled

    async def _settle_doubt(self, command: CallTool, failure: Failure) -> Outcome | None:
        """Ask a person; None means that the call is to be made again (the journal then knows more)."""
        kind = "divergent" if failure.code == EffectDivergent.code else "in_doubt"
        answer = await self._people.tasks.ask(
            kind,
            step=command.step,
            visit=command.visit,
            call=command.call,
            detail=f"{command.tool}: {failure.detail}",
            back_to=RunStatus.RUNNING,
            until_cancelled=not (command.pivot or command.forward),
        )
        if answer is None or answer.resolution == "give_up":
            return Failed(command=command.id, failure=failure.model_copy(update={"unknown": True}))
        if answer.late:
            return None
        happened = answer.resolution == "happened"
        request = ResolveRequest(happened=happened, output=answer.output, completed_by=answer.principal)
        try:
            receipt = await self._courier.resolve(command, request)
        except ActivityError as error:
            return Failed(command=command.id, failure=failure_of(error, command.step).model_copy(update={"unknown": True}))
        if happened:
            return Done(command=command.id, receipt=receipt)
        if self._people.cancelled and not command.forward:
            return Failed(command=command.id, failure=Failure(code=RunCancelled.code, detail="the run was cancelled", step=command.step))
        return None

    async def _unwind(self, command: Unwind) -> Outcome:
        await self._courier.flush(
            Projection(status=RunStatus.COMPENSATING, waits_for=f"{command.step}: compensations"), f"{command.step}: compensate"
        )
        return Unwound(command=command.id, ended=await unwind(command.undo, call=self._compensate, ask=self._ask))

    async def _compensate(self, undo: RenderedUndo) -> Failure | None:
        place = f"{undo.step}#{undo.visit}"
        self._tries[place] = tried = self._tries.get(place, undo.tried) + 1
        call = "compensate" if tried == 1 else f"compensate.{tried}"
        try:
            await self._courier.compensate(undo, self._program.tools[undo.tool], visit=undo.visit, call=call)
        except ActivityError as error:
            return failure_of(error, undo.step)
        return None

    async def _ask(self, undo: RenderedUndo, kind: str, detail: str) -> Answer:
        while True:
            answer = await self._people.tasks.ask(
                kind,
                step=undo.step,
                visit=undo.visit,
                call="compensate",
                detail=detail,
                back_to=RunStatus.COMPENSATING,
                until_cancelled=False,
            )
            if answer is None or answer.resolution in ("give_up", "completed"):
                return "give_up"
            if not answer.late or answer.resolution == "happened":
                return answer.resolution
            # The lost attempt told late that it failed: nothing is undone yet, so a person is asked again.
