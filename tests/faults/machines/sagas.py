"""The saga: stepper and unwinding beside a plain model of the world, in which each step happened or not and was undone or not.

Steps succeed, are refused, or leave it unknown; compensations fail and people settle them; the run is cancelled; and at any moment the
state goes through JSON, as continue-as-new and replay have it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from domain.envelope import Receipt
from domain.program import CallStep
from domain.runs import RunStatus
from domain.state import CallTool, CancelRequested, Done, Failed, Failure, Finish, RenderedUndo, State, Tick, Unwind, Unwound
from domain.stepper import Stepper
from sagas.undo import Answer, unwind
from tests.domain.play import RUN
from tests.domain.programs import call, program, saga
from tests.faults.machines.rig import Rig
from tests.faults.planted.stepper_bugs import RegistersAfter


@dataclass
class World:
    """What happened outside: steps that took effect, in order, and those that were undone, in order."""

    done: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])

    def compensate(self, step: str) -> None:
        """Undo a step; one that never happened is closed for good."""
        self.undone.append(step)

    @property
    def standing(self) -> set[str]:
        """Steps that took effect and were not undone."""
        return set(self.done) - set(self.undone)


def sagas_machine(rig: Rig) -> type[RuleBasedStateMachine]:
    """Return the machine; of the rig only the planted bug matters."""

    class SagasMachine(SagasRules):
        pass

    SagasMachine.plant = rig.plant
    return SagasMachine


class SagasRules(RuleBasedStateMachine):
    """See the module."""

    plant: str | None = None

    @initialize(inner=st.lists(st.sampled_from(["compensate", "ask", "nested"]), min_size=1, max_size=4), nested=st.integers(1, 3))
    def begin(self, inner: list[str], nested: int) -> None:
        """Start a saga of some steps; one that is `nested` is a saga of its own."""
        steps = [
            saga(f"s.{n}", *(_step(f"s.{n}.{m}", "compensate") for m in range(nested))) if kind == "nested" else _step(f"s.{n}", kind)
            for n, kind in enumerate(inner)
        ]
        self.program = program(saga("s", *steps), call("after"))
        self.world = World()
        self.turns = 0
        self.finished: Finish | None = None
        self.unknown: set[str] = set()
        self.stepper = self._stepper(State())
        self._take(self.stepper.start(self._tick()))

    def _stepper(self, state: State) -> Stepper:
        return (RegistersAfter if self.plant == "registered-late" else Stepper)(self.program, RUN, state)

    def _tick(self) -> Tick:
        self.turns += 1
        return Tick(now="2026-03-01T12:00:00.000000+00:00", entropy=f"{self.turns:032x}")

    def _take(self, commands: Sequence[object]) -> None:
        for command in commands:
            if isinstance(command, Finish):
                self.finished = command
            if isinstance(command, Unwind):
                calls = [c.step for c in self.stepper.state.pending.values() if isinstance(c, CallTool)]
                assert not calls, f"{command.step} is undone while {calls} may still happen"

    @property
    def calling(self) -> CallTool | None:
        """The tool call that is asked for."""
        return next((c for c in self.stepper.state.pending.values() if isinstance(c, CallTool)), None)

    @property
    def unwinding(self) -> Unwind | None:
        """The unwind that is asked for."""
        return next((c for c in self.stepper.state.pending.values() if isinstance(c, Unwind)), None)

    @rule()
    def carry_over(self) -> None:
        """A crash or continue-as-new: only the state's JSON is left."""
        late = getattr(self.stepper, "_late", None)
        self.stepper = self._stepper(State.model_validate_json(self.stepper.state.model_dump_json()))
        if late is not None:
            self.stepper.__dict__["_late"] = late

    @precondition(lambda self: self.calling)
    @rule()
    def succeed(self) -> None:
        """The call takes effect and says so."""
        asked = self.calling
        assert asked is not None
        self.world.done.append(asked.step)
        self._take(self.stepper.apply(Done(command=asked.id, receipt=Receipt(fields={"": 1})), self._tick()))

    @precondition(lambda self: self.calling)
    @rule(happened=st.booleans(), unknown=st.booleans())
    def fail(self, happened: bool, unknown: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """The call fails for good: surely without effect, or nobody knows."""
        asked = self.calling
        assert asked is not None
        if unknown:
            self.unknown.add(asked.step)
        if unknown and happened:
            self.world.done.append(asked.step)
        failure = Failure(code="tool-failed", detail="no", step=asked.step, unknown=unknown)
        self._take(self.stepper.apply(Failed(command=asked.id, failure=failure), self._tick()))

    @precondition(lambda self: self.finished is None and not self.stepper.state.cancelled)
    @rule()
    def cancel(self) -> None:
        """Somebody asks the run to end."""
        self._take(self.stepper.apply(CancelRequested(), self._tick()))

    @precondition(lambda self: self.unwinding)
    @rule(stumbles=st.lists(st.sampled_from(["did_not_happen", "happened"]), max_size=3))
    def undo(self, stumbles: list[Answer]) -> None:
        """The saga is undone by the real unwinding; some compensations fail first, and a person has them tried again or does it by hand."""
        asked = self.unwinding
        assert asked is not None
        left = list(stumbles)

        async def compensate(entry: RenderedUndo) -> Failure | None:
            if left:
                return Failure(code="tool-failed", detail="not now", step=entry.step)
            self.world.compensate(entry.step)
            return None

        async def ask(entry: RenderedUndo, kind: str, detail: str) -> Answer:
            del detail
            if kind == "in_doubt":
                return "happened" if entry.step in self.world.done else "did_not_happen"
            answer = left.pop()
            if answer == "happened":
                self.world.compensate(entry.step)
            return answer

        entries = list(reversed(asked.undo)) if self.plant == "unwind-forward" else asked.undo
        asyncio.run(unwind(entries, call=compensate, ask=ask))
        self._take(self.stepper.apply(Unwound(command=asked.id), self._tick()))

    def teardown(self) -> None:
        """Run what is left to its end: it is whole, or everything that happened inside the saga is undone, once, latest first."""
        if not hasattr(self, "stepper"):
            return
        for _ in range(100):
            if self.finished is not None:
                break
            self.undo([]) if self.unwinding else self.succeed()
        assert self.finished is not None, "the run came to no end"
        assert len(self.world.undone) == len(set(self.world.undone)), f"undone twice: {self.world.undone}"
        inside = {step for step in self.world.standing if step.startswith("s.")}
        if self.finished.status is RunStatus.SUCCEEDED:
            assert self.world.undone == [], "a run that succeeded undid something"
            return
        # A saga that completed stands: what fails after it does not undo it.
        if self.stepper.state.steps["s"].status.value == "succeeded":
            return
        assert inside == set(), f"half done: {inside} stand although the saga failed"
        order = [step for step in self.world.undone if step in self.world.done]
        assert order == sorted(order, key=self.world.done.index, reverse=True), f"undone in the order {order}, done as {self.world.done}"
        surely_not = set(self.world.undone) - set(self.world.done) - self.unknown
        assert not surely_not, f"undone although it surely never happened: {surely_not}"


def _step(path: str, if_unknown: str) -> CallStep:
    return call(path, undo="bank.refund", if_unknown=if_unknown)
