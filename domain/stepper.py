"""The stepper: (program, state, outcome) → (state, commands), nothing else (DESIGN §3). Pure.

`Stepper` walks the program from its root after each outcome: records say how far each step is, so the walk needs no stack of
its own; it begins each list at the first step that was not done at the last look. Leaves ask for commands; containers look at
their children. A failure climbs until a saga has undone its steps, then on. The agent loop is `domain/agent_loop.py`; what a
single step does on entering is `domain/step_entry.py`.
"""

from enum import Enum
from typing import Literal

from pydantic import JsonValue

from domain.agent_answers import question_for_agent
from domain.agent_loop import AgentLoop
from domain.decide_step import decide_step
from domain.errors import CompensatedByHand, EffectSuperseded, StandfastError
from domain.ledger import Kind
from domain.listening import begin_listening, take_signal
from domain.program import ApproveStep, DoStep, ListenStep, Program, SagaStep, Step, SwitchStep, TaskStep
from domain.projection import unproject
from domain.recorder import Recorder
from domain.runs import RunStatus
from domain.saga_plan import hand_over, mark_known, plan_unwind
from domain.saga_walk import SagaWalk, first_failure
from domain.state import (
    Answered,
    AskApproval,
    AskPerson,
    CancelRequested,
    Command,
    CompletePrompt,
    Decided,
    Done,
    Failed,
    Failure,
    Finish,
    Outcome,
    RunContext,
    Signalled,
    State,
    StepStatus,
    Tick,
    Unwind,
    Unwound,
)
from domain.step_entry import complete_step, enter_leaf, fail_step, open_step
from domain.task_steps import open_task, take_answer

CANCELLED = "run-cancelled"
"""Failure code of a run that was asked to end."""


class Progress(Enum):
    """How far a step is after a look at it."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stepper:
    """Drives one run's state. Not thread-safe; `state` may be read and saved between calls."""

    def __init__(self, program: Program, run: RunContext, state: State) -> None:
        self.program = program
        self.run = run
        self.state = state
        self._leaves = {step.path: step for step in walk(program.steps)}
        self._sagas = SagaWalk(list(self._leaves.values()))
        self._done: dict[str, int] = {}  # how many steps of a container's list ('': the program's) are done, which is for good

    def start(self, tick: Tick) -> list[Command]:
        """Begin the run, or go on from a carried state: returns what to do first, pending commands included."""
        recorder = self._recorder(tick)
        carried = list(self.state.pending.values())
        if not self.state.steps:
            recorder.fact(
                Kind.RUN_STARTED, data={"definition": self.program.name, "version": self.program.version, "sha256": self.program.sha256}
            )
        return carried + self._go_on(recorder)

    def apply(self, outcome: Outcome, tick: Tick) -> list[Command]:
        """Take one outcome and return the next commands; an outcome of an unknown command changes nothing."""
        recorder = self._recorder(tick)
        if isinstance(outcome, CancelRequested):
            self._cancel(outcome, recorder)
        elif isinstance(outcome, Signalled):
            take_signal(recorder, self._leaves, outcome.signal)
        else:
            command = self.state.pending.pop(outcome.command, None)
            if command is None:
                return []
            self._settle(command, outcome, recorder)
        return self._go_on(recorder)

    def called_off(self) -> list[Command]:
        """Return the pending commands that are not wanted any more; their outcomes still come."""
        return self._sagas.called_off(self.state)

    def _cancel(self, asked: CancelRequested, recorder: Recorder) -> None:
        if asked.by_hand and not self.state.cancelled:
            self.state.by_hand = True
            recorder.fact(Kind.COMPENSATION_REQUESTED)
        self.state.cancelled = True

    def _recorder(self, tick: Tick) -> Recorder:
        return Recorder(self.program, self.run, self.state, tick, steps=self._leaves)

    def _go_on(self, recorder: Recorder) -> list[Command]:
        undoing = any(isinstance(command, Unwind) for command in self.state.pending.values())
        if self.state.finished or undoing or (self.state.cancelled and self._in_flight()):
            return recorder.commands
        progress = self._sequence("", self.program.steps, recorder, saga=None)
        if progress is Progress.DONE:
            self._finish_well(recorder)
        elif progress is Progress.FAILED:
            self._finish_badly(recorder)
        return recorder.commands

    def _in_flight(self) -> bool:
        return any(not isinstance(command, Unwind) for command in self.state.pending.values())

    def _asked(self, path: str) -> bool:
        """Whether something of this very step is still in flight: it ends before anything is undone or finished."""
        return any(command.step == path for command in self.state.pending.values() if not isinstance(command, Finish))

    def note(
        self, tick: Tick, kind: Kind, *, step: str | None = None, principal: str | None = None, data: dict[str, JsonValue] | None = None
    ) -> None:
        """Note a fact that the shell saw, such as a refused signal."""
        self._recorder(tick).fact(kind, step=step, principal=principal, data=data)

    def question_for_agent(self, command: AskApproval, tick: Tick) -> CompletePrompt | None:
        """Return the model call that answers an approval's open question, None where a person has to. Nothing is noted."""
        return question_for_agent(self._recorder(tick), command, self._leaves)

    def _settle(self, command: Command, outcome: Outcome, recorder: Recorder) -> None:
        if isinstance(command, Unwind):
            recorder.fact(Kind.SAGA_COMPENSATED, step=command.step, data={"undone": len(command.undo)})
            self.state.undone |= outcome.ended if isinstance(outcome, Unwound) else {}
            undone = {entry.step for entry in command.undo}
            left = [entry for entry in self.state.undo.get(command.step, []) if entry.step not in undone and entry.known == "happened"]
            self.state.undo[command.step] = left
            return
        if isinstance(command, Finish):
            return
        if isinstance(outcome, Failed) and outcome.failure.code == EffectSuperseded.code:
            self._enter_anew(command.step, command.visit)
            return
        step = self._leaves[command.step]
        try:
            self._take(step, command, outcome, recorder)
        except StandfastError as error:  # such as a template that can be rendered no more at an agent's later turn
            fail_step(recorder, step, Failure(code=error.code, detail=error.detail, step=step.path))

    def _enter_anew(self, step: str, visit: int) -> None:
        """Forget a step, so that it is entered with its next visit; what its last one still waits for is not waited for."""
        state = self.state
        state.visits[step] = visit + 1
        state.steps.pop(step, None)
        state.agents.pop(step, None)
        state.pending = {name: command for name, command in state.pending.items() if isinstance(command, Finish) or command.step != step}
        state.undo = {saga: [undo for undo in entries if undo.step != step] for saga, entries in state.undo.items()}

    def _take(self, step: Step, command: Command, outcome: Outcome, recorder: Recorder) -> None:
        if step.kind == "agent":
            AgentLoop(step, recorder).settle(command, outcome)
            return
        if isinstance(outcome, Failed):
            self._known(step, "unknown" if outcome.failure.unknown else "not")
            fail_step(recorder, step, outcome.failure)
        elif isinstance(outcome, Done):
            self._known(step, "happened")
            self.state.usage = self.state.usage + outcome.receipt.usage
            complete_step(recorder, step, fields=outcome.receipt.fields, ref=outcome.receipt.ref, digest=outcome.receipt.digest)
        elif isinstance(outcome, Decided):
            self._decided(step, command, outcome, recorder)
        elif isinstance(outcome, Answered) and isinstance(step, TaskStep) and isinstance(command, AskPerson):
            take_answer(recorder, step, command, outcome)

    def _known(self, step: Step, known: Literal["happened", "unknown", "not"]) -> None:
        if step.compensate is not None:
            mark_known(self.state, step.path, known)

    def _decided(self, step: Step, command: Command, outcome: Decided, recorder: Recorder) -> None:
        if isinstance(step, ApproveStep) and isinstance(command, AskApproval):
            decide_step(recorder, step, command, outcome)

    def _sequence(self, path: str, steps: list[Step], recorder: Recorder, *, saga: str | None) -> Progress:
        for place in range(self._done.get(path, 0), len(steps)):
            progress = self._look(steps[place], recorder, saga=saga)
            if progress is not Progress.DONE:
                return progress
            self._done[path] = place + 1
        return Progress.DONE

    def _branches(self, path: str, steps: list[Step], recorder: Recorder, *, saga: str | None) -> Progress:
        """Look at steps that run at once: they have failed when one has and no other is under way any more."""
        del path
        looks = {self._look(step, recorder, saga=saga) for step in steps}
        return next((each for each in (Progress.RUNNING, Progress.FAILED) if each in looks), Progress.DONE)

    def _look(self, step: Step, recorder: Recorder, *, saga: str | None) -> Progress:
        record = self.state.steps.get(step.path)
        if record is None:
            if not self._sagas.may_begin(step, self.state):
                return Progress.FAILED
            open_step(recorder, step)
            record = self.state.steps[step.path]
            if record.status is StepStatus.ENTERED and not isinstance(step, DoStep | SwitchStep | SagaStep):
                self._enter_leaf(step, recorder, saga=saga)
                record = self.state.steps[step.path]
        if record.status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED):
            return Progress.DONE
        if record.status is StepStatus.FAILED:
            return Progress.RUNNING if self._asked(step.path) else Progress.FAILED
        return self._inside(step, recorder, saga=saga)

    def _enter_leaf(self, step: Step, recorder: Recorder, *, saga: str | None) -> None:
        try:
            if step.kind == "agent":
                AgentLoop(step, recorder).begin()
            else:
                enter_leaf(recorder, step, saga=saga)
                if isinstance(step, ListenStep):
                    begin_listening(recorder, step)
                elif isinstance(step, TaskStep):
                    open_task(recorder, step)
        except StandfastError as error:
            fail_step(recorder, step, Failure(code=error.code, detail=error.detail, step=step.path))

    def _inside(self, step: Step, recorder: Recorder, *, saga: str | None) -> Progress:
        if isinstance(step, DoStep):
            return self._close(step, self._sequence(step.path, step.steps, recorder, saga=saga), recorder)
        if isinstance(step, SwitchStep):
            chosen = self.state.steps[step.path].chosen
            branches: list[list[Step]] = [case.steps for case in step.cases if case.name == chosen]
            return self._close(step, self._sequence(step.path, branches[0] if branches else [], recorder, saga=saga), recorder)
        if isinstance(step, SagaStep):
            return self._saga(step, recorder, outer=saga)
        return Progress.FAILED if self.state.cancelled and not step.forward else Progress.RUNNING

    def _saga(self, step: SagaStep, recorder: Recorder, *, outer: str | None) -> Progress:
        if any(isinstance(command, Unwind) and command.step == step.path for command in self.state.pending.values()):
            return Progress.RUNNING
        walk_steps = self._branches if step.mode == "parallel" else self._sequence
        progress = walk_steps(step.path, step.steps, recorder, saga=step.path)
        if progress is Progress.DONE:
            progress = self._close(step, progress, recorder)  # its `output.as` may fail: what it did is then undone
            if progress is Progress.DONE:
                hand_over(self.state, step.path, outer)
                recorder.fact(Kind.SAGA_COMPLETED, step=step.path)
                return progress
        if progress is Progress.FAILED:
            undo = plan_unwind(self.program, self.state, self.run, step, recorder.labels)
            if undo:
                recorder.command(Unwind(id=recorder.command_id(step.path, "unwind"), step=step.path, undo=undo))
                recorder.fact(Kind.SAGA_COMPENSATING, step=step.path, data={"undo": [u.step for u in undo]})
                return Progress.RUNNING
        return self._close(step, progress, recorder)

    def _close(self, step: DoStep | SwitchStep | SagaStep, progress: Progress, recorder: Recorder) -> Progress:
        if progress is Progress.DONE:
            complete_step(recorder, step, fields={"": self._inner_outputs(step)}, ref=None, digest=None)
            return Progress.DONE if self.state.steps[step.path].status is StepStatus.SUCCEEDED else Progress.FAILED
        if progress is Progress.FAILED:
            fail_step(recorder, step, self._failure_below(step.path))
        return progress

    def _inner_outputs(self, step: Step) -> JsonValue:
        """A container's output: the map of its steps' outputs, as far as expressions read them."""
        records = {inner.path: self.state.steps.get(inner.path) for steps in inner_lists(step) for inner in steps}
        return {
            path.rpartition(".")[2]: unproject(record.fields)
            for path, record in records.items()
            if record is not None and (record.fields or record.status is StepStatus.SUCCEEDED)
        }

    def _failure_below(self, path: str) -> Failure:
        return first_failure(self.state, path) or Failure(code=CANCELLED, detail="the run was asked to end", step=path)

    def _finish_well(self, recorder: Recorder) -> None:
        try:
            output = recorder.render(self.program.output)
        except StandfastError as error:
            self._finish(recorder, Finish(status=RunStatus.FAILED, error={"code": error.code, "detail": error.detail, "step": "output"}))
            return
        self._finish(recorder, Finish(status=RunStatus.SUCCEEDED, output=output))

    def _finish_badly(self, recorder: Recorder) -> None:
        failure = self._failure_below("")
        cancelled = self.state.cancelled and not self.state.by_hand
        error = {"code": CANCELLED if cancelled else failure.code, "detail": failure.detail, "step": failure.step}
        if self.state.by_hand:
            error = {**error, "code": CompensatedByHand.code, "detail": "an operator asked for its compensations"}
        self._finish(recorder, Finish(status=RunStatus.CANCELLED if cancelled else RunStatus.FAILED, error=error))

    def _finish(self, recorder: Recorder, finish: Finish) -> None:
        self.state.finished = True
        code = (finish.error or {}).get("code", "")
        facts: dict[str, JsonValue] = {"facts": self.state.fact_seq + 1, "last_digest": self.state.last_fact_digest}
        recorder.fact(Kind.RUN_FINISHED, data={"status": finish.status.value, "code": code, **facts})
        recorder.command(finish)


def walk(steps: list[Step]) -> list[Step]:
    """Return all steps, containers before what is inside them."""
    found: list[Step] = []
    for step in steps:
        found.append(step)
        for inner in inner_lists(step):
            found.extend(walk(inner))
    return found


def inner_lists(step: Step) -> list[list[Step]]:
    """Return the lists of steps directly inside a container: one, or one for each case; none for other steps."""
    if isinstance(step, DoStep | SagaStep):
        return [step.steps]
    return [case.steps for case in step.cases] if isinstance(step, SwitchStep) else []
