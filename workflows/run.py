"""`standfast.run.v1`: the durable shell around the pure stepper. Deterministic.

It executes the stepper's commands as activities, timers and waits, and feeds outcomes back. Cancellation never cuts the driver:
the main coroutine takes it and tells the driver, which stops what runs, undoes sagas and ends the run.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from pydantic import JsonValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.approval import Decision
from domain.errors import StandfastError
from domain.ledger import Kind
from domain.projection import unproject
from domain.runs import Projection, RunStatus
from domain.saga_views import saga_shapes, sagas_of_state
from domain.segments import Segment
from domain.state import (
    AskApproval,
    AskPerson,
    CallTool,
    CancelRequested,
    Command,
    Decided,
    Failed,
    Finish,
    Listen,
    Outcome,
    RunContext,
    Signalled,
    State,
    Tick,
    Unwind,
)
from domain.stepper import Stepper
from workflows.couriers import Courier, now_text
from workflows.details import run_details
from workflows.effects import EffectRunner
from workflows.enquiries import AT_HAND
from workflows.informing import Informants
from workflows.listening import Listening
from workflows.messages import (
    APPROVE,
    COMPENSATE,
    COMPLETE_TASK,
    DECIDE_APPROVAL,
    DELIVER_SIGNAL,
    RUN_STATE,
    RUN_WORKFLOW,
    DecisionResult,
    RunInput,
    RunResult,
    RunState,
    Signal,
    TaskCompletion,
)
from workflows.people import People, shown
from workflows.refusals import refused_error
from workflows.segments import SegmentRunner

HISTORY_MAX = 3000
"""Continue as new beyond this many events: well before the server suggests it at 4,096 (TEMPORAL.md §4)."""


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class RunWorkflow:
    """One run of a definition."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        self._given = given
        state = State.model_validate(given.state) if given.state is not None else State()
        state.epoch = given.epoch
        context = RunContext(
            tenant=given.tenant,
            run=given.run,
            principal=given.principal,
            input=unproject(given.input_fields),
            input_labels=given.input_labels,
        )
        self._stepper = Stepper(given.program, context, state)
        self._courier = Courier(given, state)
        self._informants = Informants(self._courier, state, lambda asked: self._stepper.question_for_agent(asked, self._tick()))
        self._people = People(self._courier, state.decisions, self._note, self._informants)
        self._effects = EffectRunner(given.program, self._courier, self._people)
        self._listening = Listening(self._courier, state)
        self._segments = SegmentRunner(given.program, context, self._courier, self._tick)
        self._outcomes: list[Outcome] = []
        self._fault: BaseException | None = None
        self._told = False
        self._asked_to_end = CancelRequested()
        self._shapes = saga_shapes(given.program)
        self._deferred: list[Callable[[], None]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        """The stepper's state."""
        return self._stepper.state

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Drive the run to its end.

        Raises:
            ApplicationError: the run failed; its type is the failure's code.
            CancelledError: the run was cancelled.
        """
        del given  # the constructor has it
        driver = asyncio.create_task(self._drive())
        while True:
            try:
                finish = await asyncio.shield(driver)
                break
            except asyncio.CancelledError:
                if driver.cancelled():
                    raise
                self._people.cancelled = True
            except StandfastError as error:  # raised in no step's own code: it fails the run, and not its workflow task for ever
                failed = refused_error(error)
                raise failed from error
        await self._drain()
        error = finish.error or {}
        if finish.status is RunStatus.CANCELLED:
            raise asyncio.CancelledError(error.get("detail", "cancelled"))
        if finish.status is not RunStatus.SUCCEEDED:
            raise ApplicationError(error.get("detail", ""), error, type=error.get("code"), non_retryable=True)
        return RunResult(status=finish.status, output=finish.output)

    async def _drain(self) -> None:
        """Wait for the last handlers; a cancellation comes too late now: the run's row says how it ended."""
        while not workflow.all_handlers_finished():
            with contextlib.suppress(asyncio.CancelledError):
                await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update(name=DECIDE_APPROVAL)
    async def decide_approval(self, decision: Decision) -> DecisionResult:
        """Decide an approval; the update id is the decision's id.

        Raises:
            ApplicationError: refused; its type is the code.
        """
        try:
            return await self._people.decide(decision)
        except ApplicationError as error:
            self._note_decision(decision, error)
            raise

    @decide_approval.validator
    def validate_decision(self, decision: Decision) -> None:
        """Refuse late, double, self and wrong-digest decisions without history."""
        self._people.check(decision)

    @workflow.signal(name=APPROVE)
    async def approve(self, decision: Decision) -> None:
        """The same decision as a signal: it takes the same path, and a refusal becomes a fact."""
        try:
            self._people.check(decision)
            await self._people.decide(decision)
        except ApplicationError as error:
            self._note_decision(decision, error)

    @workflow.signal(name=COMPLETE_TASK)
    async def complete_task(self, completion: TaskCompletion) -> None:
        """A person's answer to a human task; a refusal becomes a fact."""
        try:
            await self._people.tasks.complete(completion)
        except ApplicationError as error:
            self._note_refusal(Kind.TASK_REFUSED, completion.principal, {"task": shown(completion.task), "code": error.type})

    @workflow.signal(name=COMPENSATE)
    def compensate(self) -> None:
        """Undo what the open sagas did, and end as failed; a run that was cancelled before ends as cancelled."""
        if not self._people.cancelled:
            self._asked_to_end = CancelRequested(by_hand=True)
            self._people.cancelled = True

    @workflow.signal(name=DELIVER_SIGNAL)
    def deliver_signal(self, signal: Signal) -> None:
        """Take what a step listens for, now or later; the same id counts once."""
        self._listening.arrived.append(signal)

    @workflow.query(name=RUN_STATE)
    def run_state(self) -> RunState:
        """What the run knows of itself."""
        return RunState(
            status=self._courier.status,
            epoch=self.state.epoch,
            waits_for=self._waits_for(),
            steps={path: record.status.value for path, record in self.state.steps.items()},
            approvals=list(self._people.approvals.values()),
            facts=self.state.fact_seq,
        )

    def _note_decision(self, decision: Decision, error: ApplicationError) -> None:
        said: dict[str, JsonValue] = {"approval": shown(decision.approval), "decision": shown(decision.decision_id), "code": error.type}
        self._note_refusal(Kind.APPROVAL_REFUSED, decision.principal, said)

    def _note_refusal(self, kind: Kind, principal: str, said: dict[str, JsonValue]) -> None:
        self._note(kind, step=None, principal=shown(principal) or None, said=said)

    def _note(self, kind: Kind, *, step: str | None, principal: str | None, said: dict[str, JsonValue]) -> None:
        """Note what the shell saw; what comes while a segment is walked waits for its end."""
        if self._segments.walking is not None:
            self._deferred.append(lambda: self._note(kind, step=step, principal=principal, said=said))
        elif not self.state.finished:
            self._stepper.note(self._tick(), kind, step=step, principal=principal, data=said)

    def _tick(self) -> Tick:
        return Tick(now=now_text(), entropy=workflow.uuid4().hex)

    async def _drive(self) -> Finish:
        commands = self._stepper.start(self._tick())
        while True:
            finish = next((command for command in commands if isinstance(command, Finish)), None)
            if finish is not None:
                await self._finish(finish)
                return finish
            await self._courier.relieve()
            await self._maybe_continue_as_new(commands)
            segment = None if self._people.cancelled else self._segments.plan(self.state, commands)
            if segment is not None:
                commands = await self._walk(segment)
                continue
            self._dispatch(commands)
            self._call_off()
            await workflow.wait_condition(
                lambda: bool(self._outcomes or self._fault or self._listening.arrived) or (self._people.cancelled and not self._told)
            )
            if self._fault is not None:
                raise self._fault
            await self._closed()
            if self._people.cancelled and not self._told:
                self._told = True
                self._courier.cancel_effects()
                commands = self._stepper.apply(self._asked_to_end, self._tick())
            elif self._listening.arrived:
                commands = await self._hear()
            else:
                commands = await self._take(self._outcomes.pop(0))

    async def _walk(self, segment: Segment) -> list[Command]:
        """Run a segment; a cancellation ends it early, and is told to the stepper after its outcomes."""
        self._show(segment.summary, walking=segment.paths)
        walk = self._segments.start(segment, self._stepper, cancelled=lambda: self._asked_to_end if self._people.cancelled else None)
        await workflow.wait_condition(lambda: walk.done() or self._people.cancelled)
        if not walk.done():
            self._courier.cancel_effects()
        commands = await walk
        self._told = self.state.cancelled
        deferred, self._deferred = self._deferred, []
        for note in deferred:
            note()
        return commands

    async def _take(self, outcome: Outcome) -> list[Command]:
        asked = self.state.pending.get(outcome.command) if isinstance(outcome, Decided | Failed) else None
        commands = self._stepper.apply(outcome, self._tick())
        if isinstance(asked, AskApproval) and self._goes_on(asked, commands):
            self._closing = asyncio.create_task(self._people.write_decision(asked))
        elif isinstance(asked, AskApproval):
            await self._people.write_decision(asked)
        elif isinstance(asked, Listen):
            await self._listening.close(asked)
        return commands

    def _goes_on(self, asked: AskApproval, commands: list[Command]) -> bool:
        """Whether nothing but bound calls comes next: they take along what closes the approval, and need not wait until it is written."""
        bound = all(isinstance(command, CallTool) and command.approval == asked.approval.approval for command in commands)
        return bool(commands) and bound and not self._people.cancelled and workflow.patched(AT_HAND)

    async def _closed(self) -> None:
        """Wait until the inbox shows a decision whose bound call went ahead; whatever is written next comes after it."""
        if self._closing is not None:
            await self._closing
            self._closing = None

    def _show(self, waits_for: str | None, *, walking: Sequence[str] = ()) -> None:
        """Show the run in the Web UI."""
        sagas = sagas_of_state(self._shapes, self.state)
        workflow.set_current_details(run_details(self._given, self.state, waits_for, walking=walking, sagas=sagas))

    def _call_off(self) -> None:
        """Take back what runs beside a branch that failed, where its saga does not await it."""
        unwanted = self._stepper.called_off()
        self._courier.call_off([command.id for command in unwanted])
        for command in unwanted:
            if isinstance(command, AskApproval):
                command.approval.decision = command.approval.decision or "withdrawn"

    async def _hear(self) -> list[Command]:
        """Tell the stepper of the oldest signal that has arrived."""
        listened = [command for command in self.state.pending.values() if isinstance(command, Listen)]
        commands = self._stepper.apply(Signalled(signal=self._listening.arrived.pop(0)), self._tick())
        for command in listened:
            if command.id not in self.state.pending:
                await self._listening.close(command)
        return commands

    def _dispatch(self, commands: list[Command]) -> None:
        for command in commands:
            task = asyncio.create_task(self._execute(command))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if commands:
            self._show(self._waits_for())

    async def _execute(self, command: Command) -> None:
        """Run one command to its outcome; a bug in this code stops the workflow task, not the run."""
        try:
            outcome = await self._outcome_of(command)
            self._outcomes += [] if outcome is None else [outcome]
        except StandfastError as error:
            self._fault = refused_error(error)
        except BaseException as error:  # noqa: BLE001 - handed to the driver, which raises it: a bug must fail the workflow task
            self._fault = error

    async def _outcome_of(self, command: Command) -> Outcome | None:
        """Return a command's outcome; None when a signal has ended it, which the driver has told the stepper."""
        if isinstance(command, Listen):
            return await self._listening.wait(command, stopped=lambda: self._people.cancelled or command.id in self._courier.unwanted)
        if isinstance(command, AskApproval):
            decided = await self._people.ask(command)
            ended = self._people.cancelled or command.id in self._courier.unwanted
            undecided = isinstance(decided, Decided) and decided.decided_by is None
            return self._effects.withdrawn(command) if ended and undecided else decided
        if isinstance(command, AskPerson):
            stopped = lambda: self._people.cancelled or command.id in self._courier.unwanted  # noqa: E731 - read anew at each look
            return await self._people.tasks.ask_person(command, stopped=stopped) or self._effects.withdrawn(command)
        return await self._effects.run(command)

    def _waits_for(self) -> str | None:
        if self._segments.walking is not None:
            return self._segments.walking.summary
        waiting = [
            f"{command.step} ({command.kind.replace('_', ' ')})"
            for command in self.state.pending.values()
            if not isinstance(command, Finish)
        ]
        return ", ".join(waiting) or None

    async def _maybe_continue_as_new(self, commands: list[Command]) -> None:
        """Continue as new when the history is long; facts are flushed first (JOURNAL §1.5)."""
        if self._may_continue_as_new(commands) and self.state.unacked:
            await self._courier.flush(Projection(), "facts")
        if self._may_continue_as_new(commands):
            carried = self.state.model_dump(mode="json")
            workflow.continue_as_new(self._given.model_copy(update={"epoch": self.state.epoch + 1, "state": carried}))

    def _may_continue_as_new(self, commands: list[Command]) -> bool:
        """Between commands only: nothing is in flight, no handler runs, and every pending command goes along."""
        info = workflow.info()
        long = info.is_continue_as_new_suggested() or info.get_current_history_length() > (self._given.history_max or HISTORY_MAX)
        working = self._running or self._closing is not None or not self._informants.quiet or not workflow.all_handlers_finished()
        quiet = len(self.state.pending) == len(commands) and not working
        return (
            long
            and quiet
            and not self._listening.arrived
            and not self._people.cancelled
            and not any(isinstance(c, Unwind | AskApproval | AskPerson) for c in commands)
        )

    async def _finish(self, finish: Finish) -> None:
        await workflow.wait_condition(lambda: not self._running and self._informants.quiet)
        projection = Projection(status=finish.status, result=finish.output, error=finish.error, usage=self.state.usage)
        if self._segments.finished and finish.status is RunStatus.SUCCEEDED:
            self._courier.closed(finish.status)
        else:
            await self._courier.flush(projection, f"{finish.status.value}: write the result")
        self._show(None)
