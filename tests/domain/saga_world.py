"""A plain model of the world around a saga: what happened outside, what was undone, and what must hold at the end of every run."""

from dataclasses import dataclass, field

from domain.program import CallStep, Program, SagaStep
from domain.runs import RunStatus
from domain.state import State, StepStatus
from domain.stepper import walk


@dataclass
class World:
    """What happened outside: steps that took effect, and those that were undone, in order; `unknown` are those of which nobody knew."""

    done: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])
    unknown: set[str] = field(default_factory=set[str])

    @property
    def standing(self) -> set[str]:
        """Steps that took effect and were not undone."""
        return set(self.done) - set(self.undone)


def check_end(program: Program, world: World, status: RunStatus, state: State) -> None:
    """Hold a run's end to the promise: each saga is whole, or everything that happened inside it is undone, once, latest first.

    Raises:
        AssertionError: it is not so.
    """
    assert len(world.done) == len(set(world.done)), f"done twice: {world.done}"
    assert len(world.undone) == len(set(world.undone)), f"undone twice: {world.undone}"
    surely_not = set(world.undone) - set(world.done) - world.unknown
    assert not surely_not, f"undone although it surely never happened: {surely_not}"
    if status is RunStatus.SUCCEEDED:
        assert world.undone == [], "a run that succeeded undid something"
    for saga in outermost(program):
        _check_saga(saga, world, state)


def outermost(program: Program) -> list[SagaStep]:
    """Return the sagas that lie in no other."""
    found: list[SagaStep] = []
    for step in walk(program.steps):
        if isinstance(step, SagaStep) and not any(step.path.startswith(other.path + ".") for other in found):
            found.append(step)
    return found


def _check_saga(saga: SagaStep, world: World, state: State) -> None:
    inside = [step for step in walk(saga.steps) if isinstance(step, CallStep)]
    stands = {step.path for step in inside} & world.standing
    record = state.steps.get(saga.path)
    pivot = next((step for step in inside if step.pivot), None)
    if (record is not None and record.status is StepStatus.SUCCEEDED) or (pivot is not None and pivot.path in stands):
        assert stands == {step.path for step in inside}, f"{saga.path} is not whole: {stands}"
        return
    assert not stands, f"half done: {stands} stand although {saga.path} failed"
    for first in inside:
        for then in inside:
            if _in_order(saga, first.path, then.path, world):
                assert world.undone.index(then.path) < world.undone.index(first.path), f"{first.path} before {then.path}: {world.undone}"


def _in_order(saga: SagaStep, first: str, then: str, world: World) -> bool:
    """Whether `then` must be undone before `first`: it was done after it, and not in a branch that is undone on its own."""
    if not {first, then} <= set(world.done) & set(world.undone) or world.done.index(first) >= world.done.index(then):
        return False
    around = [
        step for step in walk([saga]) if isinstance(step, SagaStep) and all(path.startswith(step.path + ".") for path in (first, then))
    ]
    nearest = max(around, key=lambda step: len(step.path))
    alone = {step.path for step in nearest.steps if isinstance(step, CallStep)}
    return nearest.mode == "sequential" or (nearest.undo == "reverse" and {first, then} <= alone)
