"""Small sagas through every order of outcomes, every prefix, a crash between any two: all effects, or every done one undone (S16)."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from domain.envelope import Receipt
from domain.program import Program
from domain.runs import RunStatus
from domain.state import CallTool, CancelRequested, Done, Failed, Failure, Finish, Outcome, State, Tick, Unwind, Unwound
from domain.stepper import Stepper
from tests.domain.play import RUN
from tests.domain.programs import call, program, saga
from tests.domain.saga_world import World, check_end

TICK = Tick(now="2026-03-01T12:00:00.000000+00:00", entropy="0" * 32)


def _undoable(*paths: str) -> list[object]:
    return [call(path, undo="bank.refund", if_unknown="compensate") for path in paths]


def _saga(*steps: object, **how: str) -> Program:
    return program(saga("s", *steps, **how))  # pyright: ignore[reportArgumentType] - builders of steps


SHAPES = {
    "in sequence": _saga(*_undoable("s.a", "s.b", "s.c")),
    "at once, awaited": _saga(*_undoable("s.a", "s.b", "s.c"), mode="parallel"),
    "at once, called off": _saga(*_undoable("s.a", "s.b", "s.c"), mode="parallel", on_failure="cancel"),
    "at once inside a sequence": _saga(*_undoable("s.a"), saga("s.t", *_undoable("s.t.a", "s.t.b"), mode="parallel"), *_undoable("s.z")),  # pyright: ignore[reportArgumentType] - builders of steps
    "in sequence beside another": _saga(saga("s.t", *_undoable("s.t.a", "s.t.b")), *_undoable("s.z"), mode="parallel"),  # pyright: ignore[reportArgumentType] - builders of steps
    "with a pivot": _saga(*_undoable("s.a", "s.b"), call("s.p", pivot=True), call("s.c", forward=True, retriable=True)),
}


@dataclass
class Node:
    """One moment: what the run carries over a crash, and the world beside it."""

    state: str
    world: World = field(default_factory=World)
    end: Finish | None = None


def successors(given: Program, node: Node) -> Iterator[Node]:
    """Yield every moment that can come next, each from a stepper that has only the state's JSON."""
    state = State.model_validate_json(node.state)
    pending = [command for command in state.pending.values() if not isinstance(command, Finish)]
    if not state.cancelled:
        yield _after(given, node, CancelRequested(), node.world)
    for command in pending:
        if isinstance(command, Unwind):
            world = deepcopy(node.world)
            world.undone += [entry.step for entry in command.undo]
            yield _after(given, node, Unwound(command=command.id), world)
        elif isinstance(command, CallTool):
            for outcome, world in _outcomes(command, node.world):
                yield _after(given, node, outcome, world)


def _outcomes(command: CallTool, world: World) -> Iterator[tuple[Outcome, World]]:
    happened = deepcopy(world)
    happened.done.append(command.step)
    yield Done(command=command.id, receipt=Receipt(fields={"": 1})), happened
    if command.forward:
        return
    yield Failed(command=command.id, failure=Failure(code="tool-failed", detail="no", step=command.step)), world
    if command.pivot:
        return
    for each in (deepcopy(world), deepcopy(happened)):
        each.unknown.add(command.step)
        yield Failed(command=command.id, failure=Failure(code="tool-timed-out", detail="?", step=command.step, unknown=True)), each


def _after(given: Program, node: Node, outcome: Outcome, world: World) -> Node:
    stepper = Stepper(given, RUN, State.model_validate_json(node.state))
    commands = stepper.apply(outcome, TICK)
    end = next((command for command in commands if isinstance(command, Finish)), None)
    return Node(stepper.state.model_dump_json(), world, end)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_path_ends_whole_or_undone(shape: str) -> None:
    given = SHAPES[shape]
    stepper = Stepper(given, RUN, State())
    stepper.start(TICK)
    left, seen, ends = [Node(stepper.state.model_dump_json())], set[str](), dict[RunStatus, int]()
    while left:
        for node in successors(given, left.pop()):
            key = f"{node.state}{node.world}"
            if key in seen:
                continue
            seen.add(key)
            if node.end is None:
                left.append(node)
                continue
            check_end(given, node.world, node.end.status, State.model_validate_json(node.state))
            ends[node.end.status] = ends.get(node.end.status, 0) + 1
    assert set(ends) >= {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}, ends
