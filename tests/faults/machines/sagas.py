"""The saga: stepper and unwinding beside a plain model of the world, in which each step happened or not and was undone or not.

Sagas run in sequence or at once, nested, with a pivot or without. Steps succeed, are refused, or leave it unknown; compensations fail and
people settle them; the run is cancelled; and at any moment the state goes through JSON, as continue-as-new and replay have it.
"""

import asyncio
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from domain.envelope import Receipt
from domain.errors import EffectSuperseded
from domain.program import CallStep, SagaStep
from domain.state import (
    CallTool,
    CancelRequested,
    Command,
    Done,
    Failed,
    Failure,
    Finish,
    RenderedUndo,
    State,
    StepStatus,
    Tick,
    Unwind,
    Unwound,
)
from domain.stepper import Stepper, walk
from sagas.undo import Answer, unwind
from tests.domain.play import RUN
from tests.domain.programs import call, program, saga
from tests.domain.saga_world import World, check_end
from tests.faults.machines.rig import Rig
from tests.faults.planted.stepper_bugs import RegistersAfter, UndoesBranchesThatNeverBegan

PLANTED: dict[str, type[Stepper]] = {"registered-late": RegistersAfter, "undo-never-began": UndoesBranchesThatNeverBegan}


def sagas_machine(rig: Rig) -> type[RuleBasedStateMachine]:
    """Return the machine; of the rig only the planted bug matters."""

    class SagasMachine(SagasRules):
        pass

    SagasMachine.plant = rig.plant
    return SagasMachine


class SagasRules(RuleBasedStateMachine):
    """See the module."""

    plant: str | None = None

    @initialize(
        inner=st.lists(st.sampled_from(["compensate", "ask", "sequential", "parallel"]), min_size=1, max_size=4),
        nested=st.integers(1, 3),
        shape=st.sampled_from(["sequential", "pivot", "await", "cancel", "side by side"]),
    )
    def begin(self, inner: list[str], nested: int, shape: str) -> None:
        """Start a saga of some steps; some are sagas of their own."""
        steps = [_inner(f"s.{n}", kind, nested) for n, kind in enumerate(inner)]
        if shape == "pivot":
            after = [call(f"s.after{n}", forward=True, retriable=True) for n in range(nested)]
            outer = saga("s", *steps, call("s.pivot", pivot=True), *after)
        elif shape == "sequential":
            outer = saga("s", *steps)
        else:
            how = {"on_failure": "cancel" if shape == "cancel" else "await", "undo": "parallel" if shape == "side by side" else "reverse"}
            outer = saga("s", *steps, mode="parallel", **how)
        self.program = program(outer, call("after"))
        self.world = World()
        self.turns = 0
        self.finished: Finish | None = None
        self.stepper = self._stepper(State())
        self._take(self.stepper.start(self._tick()))

    def _stepper(self, state: State) -> Stepper:
        return PLANTED.get(self.plant or "", Stepper)(self.program, RUN, state)

    def _tick(self) -> Tick:
        self.turns += 1
        return Tick(now="2026-03-01T12:00:00.000000+00:00", entropy=f"{self.turns:032x}")

    def _take(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, Finish):
                self.finished = command
            if isinstance(command, Unwind):
                calls = [c.step for c in self.calling if c.step.startswith(command.step + ".")]
                assert not calls, f"{command.step} is undone while {calls} may still happen"
        self._check_beside({command.step for command in commands if isinstance(command, CallTool)})

    def _check_beside(self, begun: set[str]) -> None:
        """Beside a failure nothing begins, and what runs is called off exactly where it is not awaited."""
        off: set[str] = set()
        for each in walk(self.program.steps):
            if isinstance(each, SagaStep) and each.mode == "parallel" and self._failing(each.path):
                inside = {c.step for c in self.calling if c.step.startswith(each.path + ".")}
                assert not begun & inside, f"{begun & inside} begin beside a failure"
                off |= inside if each.on_failure == "cancel" else set()
        assert {getattr(command, "step", "") for command in self.stepper.called_off()} == off

    def _failing(self, path: str) -> bool:
        return any(r.status is StepStatus.FAILED and inner.startswith(path + ".") for inner, r in self.stepper.state.steps.items())

    @property
    def calling(self) -> list[CallTool]:
        """The tool calls that are asked for."""
        return [c for c in self.stepper.state.pending.values() if isinstance(c, CallTool)]

    @property
    def unwinding(self) -> list[Unwind]:
        """The unwinds that are asked for."""
        return [c for c in self.stepper.state.pending.values() if isinstance(c, Unwind)]

    @rule()
    def carry_over(self) -> None:
        """A crash or continue-as-new: only the state's JSON is left."""
        late = getattr(self.stepper, "_late", None)
        self.stepper = self._stepper(State.model_validate_json(self.stepper.state.model_dump_json()))
        if late is not None:
            self.stepper.__dict__["_late"] = late

    @precondition(lambda self: self.calling)
    @rule(place=st.integers(0, 20))
    def succeed(self, place: int) -> None:
        """A call takes effect and says so."""
        asked = self.calling[place % len(self.calling)]
        self.world.done.append(asked.step)
        self._take(self.stepper.apply(Done(command=asked.id, receipt=Receipt(fields={"": 1})), self._tick()))

    @precondition(lambda self: self.calling)
    @rule(place=st.integers(0, 20), happened=st.booleans(), unknown=st.booleans())
    def fail(self, place: int, happened: bool, unknown: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """A call fails for good: surely without effect, or nobody knows. After a pivot it is done anew; a pivot is never unknown."""
        asked = self.calling[place % len(self.calling)]
        unknown = unknown and not asked.pivot and not asked.forward
        if unknown:
            self.world.unknown.add(asked.step)
        if unknown and happened:
            self.world.done.append(asked.step)
        code = EffectSuperseded.code if asked.forward else "tool-failed"
        failure = Failure(code=code, detail="no", step=asked.step, unknown=unknown)
        self._take(self.stepper.apply(Failed(command=asked.id, failure=failure), self._tick()))

    @precondition(lambda self: self.finished is None and not self.stepper.state.cancelled)
    @rule(by_hand=st.booleans())
    def cancel(self, by_hand: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Somebody asks the run to end, or an operator asks for its compensations."""
        self._take(self.stepper.apply(CancelRequested(by_hand=by_hand), self._tick()))

    @precondition(lambda self: self.unwinding)
    @rule(place=st.integers(0, 20), stumbles=st.lists(st.sampled_from(["did_not_happen", "happened"]), max_size=3))
    def undo(self, place: int, stumbles: list[Answer]) -> None:
        """A saga is undone by the real unwinding; some compensations fail first, and a person has them tried again or does it by hand."""
        asked = self.unwinding[place % len(self.unwinding)]
        left = list(stumbles)

        async def compensate(entry: RenderedUndo) -> Failure | None:
            if left:
                return Failure(code="tool-failed", detail="not now", step=entry.step)
            self.world.undone.append(entry.step)
            return None

        async def ask(entry: RenderedUndo, kind: str, detail: str) -> Answer:
            del detail
            if kind == "in_doubt":
                return "happened" if entry.step in self.world.done else "did_not_happen"
            answer = left.pop() if left else "did_not_happen"
            if answer == "happened":
                self.world.undone.append(entry.step)
            return answer

        entries = list(reversed(asked.undo)) if self.plant == "unwind-forward" else asked.undo
        ended = asyncio.run(unwind(entries, call=compensate, ask=ask))
        self._take(self.stepper.apply(Unwound(command=asked.id, ended=ended), self._tick()))

    def teardown(self) -> None:
        """Run what is left to its end, and look at the world."""
        if not hasattr(self, "stepper"):
            return
        for _ in range(200):
            if self.finished is not None:
                break
            self.undo(0, []) if self.unwinding else self.succeed(0)
        assert self.finished is not None, "the run came to no end"
        check_end(self.program, self.world, self.finished.status, self.stepper.state)


def _inner(path: str, kind: str, nested: int) -> CallStep | SagaStep:
    if kind in ("compensate", "ask"):
        return _step(path, kind)
    return saga(path, *(_step(f"{path}.{m}", "compensate") for m in range(nested)), mode=kind)


def _step(path: str, if_unknown: str) -> CallStep:
    return call(path, undo="bank.refund", if_unknown=if_unknown)
