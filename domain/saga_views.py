"""What a run's sagas have done: the state of each saga and of each of its steps. Pure.

Two sources tell the same: the stepper's state, for the Web UI's current details, and what PostgreSQL knows of the run, for everybody
else; both are read into a state per step first, and the sagas' states follow from those.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from domain.effects import EffectState
from domain.ledger import Kind
from domain.model import Value
from domain.past import CALL, KnownEffect, Past
from domain.program import CallStep, Program, SagaStep, Step
from domain.state import State, StepStatus, Unwind
from domain.stepper import inner_lists, walk

SagaStepState = Literal[
    "planned", "skipped", "running", "done", "failed", "unknown", "undoing", "undone", "undone_by_hand", "failed_compensation", "kept"
]
"""How a step of a saga is.

`failed`: it surely did not happen; `unknown`: it may have. `failed_compensation`: a person settles its undo; `kept`: a person let it stand.
"""

SagaState = Literal["planned", "running", "completed", "undoing", "undone", "failed"]
"""How a saga is; `failed`: it ended, and something that it did stands or may stand."""


PURE = frozenset({"do", "switch", "saga", "set"})
"""Keywords of steps that do nothing outside."""


class SagaStepView(Value):
    """One step of a saga; `undo_tool` undoes it."""

    step: str
    kind: str
    state: SagaStepState
    tool: str | None = None
    undo_tool: str | None = None
    pivot: bool = False
    retriable: bool = False


class SagaView(Value):
    """One saga: `within` is the saga around it; `steps` are its own, those of sagas inside it stand there."""

    saga: str
    mode: str
    state: SagaState
    within: str | None = None
    steps: tuple[SagaStepView, ...] = ()


class SagaShape(NamedTuple):
    """One saga of a program: the saga around it, the leaves inside it, and which of them lie in no saga inside it."""

    saga: SagaStep
    within: str | None
    leaves: tuple[Step, ...]
    own: frozenset[str]


def saga_shapes(program: Program) -> tuple[SagaShape, ...]:
    """Return a program's sagas, to be asked for their state again and again."""
    return tuple(_shapes(program.steps, None))


def _shapes(steps: list[Step], within: str | None) -> Iterator[SagaShape]:
    for step in steps:
        if isinstance(step, SagaStep):
            leaves = tuple(leaf for leaf in walk(step.steps) if leaf.kind not in PURE)
            yield SagaShape(step, within, leaves, frozenset(_own(step.steps)))
        for inner in inner_lists(step):
            yield from _shapes(inner, step.path if isinstance(step, SagaStep) else within)


def sagas_of_state(shapes: Iterable[SagaShape], state: State) -> tuple[SagaView, ...]:
    """Return the sagas as the stepper knows them."""
    undoing = {entry.step for command in state.pending.values() if isinstance(command, Unwind) for entry in command.undo}
    return tuple(_view(shape, {leaf.path: _of_record(leaf, state, undoing) for leaf in shape.leaves}, state.finished) for shape in shapes)


def _of_record(step: Step, state: State, undoing: set[str]) -> SagaStepState:
    record = state.steps.get(step.path)
    if record is None:
        return "planned"
    if step.path in state.undone:
        ends: dict[str, SagaStepState] = {"undone": "undone", "by_hand": "undone_by_hand", "not_happened": "failed", "given_up": "kept"}
        return ends[state.undone[step.path]]
    if step.path in undoing:
        return "undoing"
    if record.status is StepStatus.FAILED:
        return "unknown" if record.failure is not None and record.failure.unknown else "failed"
    names: dict[StepStatus, SagaStepState] = {StepStatus.SUCCEEDED: "done", StepStatus.SKIPPED: "skipped"}
    return names.get(record.status, "running")


def sagas_of_past(shapes: Iterable[SagaShape], past: Past, *, ended: bool) -> tuple[SagaView, ...]:
    """Return the sagas as the journal, the ledger and the answers to tasks tell of them; `ended` says that the run has."""
    visits: dict[str, int] = {}
    for step, visit in [*((f[1], f[2]) for f in past.facts), *((effect.step, effect.visit) for effect in past.effects)]:
        if step is not None and visit is not None:
            visits[step] = max(visit, visits.get(step, 1))

    def known(shape: SagaShape) -> dict[str, SagaStepState]:
        return {leaf.path: _of_past(leaf, visits.get(leaf.path), past, ended=ended) for leaf in shape.leaves}

    return tuple(_view(shape, known(shape), ended) for shape in shapes)


def _of_past(step: Step, visit: int | None, past: Past, *, ended: bool) -> SagaStepState:
    if visit is None:
        return "planned"
    here = [effect for effect in past.effects if effect.place == (step.path, visit)]
    undone = _undo_of([effect for effect in here if effect.undoes], past, (step.path, visit))
    if undone is not None:
        return undone
    told = {kind for kind, where, which in past.facts if (where, which) == (step.path, visit)}
    called = next((effect for effect in here if effect.call == CALL), None)
    if Kind.STEP_COMPLETED in told or (called is not None and called.done):
        return "done"
    if Kind.STEP_SKIPPED in told:
        return "skipped"
    if called is not None and isinstance(step, CallStep):
        return _of_call(called, past, ended=ended)
    return "failed" if ended or Kind.STEP_FAILED in told else "running"


def _undo_of(tries: list[KnownEffect], past: Past, place: tuple[str, int]) -> SagaStepState | None:
    """How the undo of a step is; None when none has begun."""
    answers = {answer.resolution for answer in past.answers if (answer.step, answer.visit) == place}
    if any(effect.done for effect in tries):
        return "undone"
    if "happened" in answers:
        return "undone_by_hand"
    if "give_up" in answers:
        return "kept"
    if not tries:
        return None
    return "undoing" if any(effect.state is EffectState.INTENT for effect in tries) else "failed_compensation"


def _of_call(effect: KnownEffect, past: Past, *, ended: bool) -> SagaStepState:
    if effect.state is EffectState.INTENT:
        return "unknown" if ended else "running"
    return "failed" if effect.place in past.surely_not else "unknown"


def _view(shape: SagaShape, known: Mapping[str, SagaStepState], ended: bool) -> SagaView:  # noqa: FBT001 - private, and the third fact of three
    every = tuple(_step_view(leaf, known[leaf.path]) for leaf in shape.leaves)
    own = tuple(view for view in every if view.step in shape.own)
    return SagaView(saga=shape.saga.path, mode=shape.saga.mode, state=_state(every, ended=ended), within=shape.within, steps=own)


def _own(steps: list[Step]) -> set[str]:
    """The paths inside a saga that lie in no saga inside it."""
    outside = [step for step in steps if not isinstance(step, SagaStep)]
    return {step.path for step in outside}.union(*(_own(inner) for step in outside for inner in inner_lists(step)))


def _step_view(step: Step, state: SagaStepState) -> SagaStepView:
    if not isinstance(step, CallStep):
        return SagaStepView(step=step.path, kind=step.kind, state=state)
    undo = step.compensate.tool if step.compensate is not None else None
    return SagaStepView(
        step=step.path, kind=step.kind, state=state, tool=step.tool, undo_tool=undo, pivot=step.pivot, retriable=step.retriable
    )


def _state(steps: tuple[SagaStepView, ...], *, ended: bool) -> SagaState:
    seen = {step.state for step in steps}
    if seen <= {"planned"}:
        return "planned"
    if seen <= {"done", "skipped"}:
        return "completed"
    left = seen & {"kept", "unknown", "undoing", "failed_compensation"} or {s.step for s in steps if s.state == "done" and s.undo_tool}
    if ended:
        return "failed" if left or any(step.pivot and step.state == "done" for step in steps) else "undone"
    if seen & {"undoing", "failed_compensation"}:
        return "undoing"
    if not seen & {"undone", "undone_by_hand", "kept"} or "running" in seen:
        return "running"
    return "undoing" if left else "undone"
