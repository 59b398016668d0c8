"""Plays a program through the stepper, outcome by outcome, on a clock that only the test moves."""

from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from domain.envelope import Receipt, Usage
from domain.program import Program
from domain.runs import RunStatus
from domain.state import (
    AskApproval,
    CallTool,
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
    State,
    Tick,
    Unwind,
    Unwound,
)
from domain.stepper import Stepper

RUN = RunContext(tenant="acme", run="run_1", principal="prn_starter", input={"n": 1})


class Play:
    """One run, played by hand. `last` holds the commands of the last turn; `turn` counts on from those of an execution before."""

    def __init__(
        self, program: Program, *, given: JsonValue = None, state: State | None = None, stepper: type[Stepper] = Stepper, turn: int = 0
    ) -> None:
        context = RUN.model_copy(update={"input": {"n": 1} if given is None else given})
        self.stepper = stepper(program, context, state or State())
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self._turn = turn
        self.last: list[Command] = self.stepper.start(self.tick())

    def tick(self) -> Tick:
        """Return the next tick: the clock as it stands, and entropy of its own."""
        self._turn += 1
        return Tick(now=self.now.isoformat(timespec="microseconds"), entropy=f"{self._turn:032x}")

    @property
    def state(self) -> State:
        """The stepper's state."""
        return self.stepper.state

    @property
    def waiting(self) -> list[str]:
        """The ids of pending commands, the finish left out."""
        return [command.id for command in self.state.pending.values() if not isinstance(command, Finish)]

    def facts(self, prefix: str = "") -> list[str]:
        """Return the kinds of all facts, with their step."""
        return [f"{fact.kind} {fact.step or ''}".strip() for fact in self.state.unacked if fact.kind.startswith(prefix)]

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    def apply(self, outcome: Outcome) -> list[Command]:
        """Hand the stepper an outcome."""
        self.last = self.stepper.apply(outcome, self.tick())
        return self.last

    def pending(self, step: str) -> Command:
        """Return the pending command of a step."""
        return next(command for command in self.state.pending.values() if not isinstance(command, Finish) and command.step == step)

    def calling(self, step: str) -> CallTool:
        """Return the pending tool call of a step."""
        command = self.pending(step)
        assert isinstance(command, CallTool)
        return command

    def prompting(self, step: str) -> CompletePrompt:
        """Return the pending model call of a step."""
        command = self.pending(step)
        assert isinstance(command, CompletePrompt)
        return command

    def asking(self, step: str) -> AskApproval:
        """Return the pending question of a step."""
        command = self.pending(step)
        assert isinstance(command, AskApproval)
        return command

    def unwinding(self, step: str) -> Unwind:
        """Return the pending unwind of a saga."""
        command = next(c for c in self.state.pending.values() if isinstance(c, Unwind) and c.step == step)
        assert isinstance(command, Unwind)
        return command

    def done(self, step: str, output: JsonValue = None, *, usage: Usage | None = None) -> list[Command]:
        """Let a step's command succeed with a whole output."""
        receipt = Receipt(ref=f"ref-{step}", digest="d" * 64, fields={"": output}, usage=usage or Usage())
        return self.apply(Done(command=self.pending(step).id, receipt=receipt))

    def fail(self, step: str, code: str = "tool-failed", *, unknown: bool = False) -> list[Command]:
        """Let a step's command fail."""
        return self.apply(Failed(command=self.pending(step).id, failure=Failure(code=code, detail="no", step=step, unknown=unknown)))

    def decide(self, step: str, verdict: str) -> list[Command]:
        """Let a person decide, or the deadline (`timed_out`)."""
        by = None if verdict == "timed_out" else "prn_reviewer"
        return self.apply(Decided.model_validate({"command": self.pending(step).id, "verdict": verdict, "decided_by": by, "comment": ""}))

    def unwound(self, step: str) -> list[Command]:
        """Let a saga's compensations be through."""
        return self.apply(Unwound(command=self.unwinding(step).id))

    def cancel(self) -> list[Command]:
        """Ask the run to end."""
        return self.apply(CancelRequested())

    @property
    def end(self) -> Finish:
        """The finish of the last turn."""
        [finish] = [command for command in self.last if isinstance(command, Finish)]
        return finish

    @property
    def verdict(self) -> tuple[RunStatus, str | None]:
        """Status and failure code of the end."""
        return self.end.status, (self.end.error or {}).get("code")
