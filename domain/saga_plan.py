"""What a saga would undo: registration before the step, what is known of it, and the plan in reverse order. Pure.

A step that never started is not undone; one that surely failed neither; one in doubt by its `if_unknown` (DESIGN §8).
"""

from typing import Literal

from pydantic import JsonValue

from domain import expressions
from domain.context import expression_context, with_self
from domain.errors import StandfastError
from domain.label_flow import LabelFlow
from domain.labels import values_at
from domain.ledger import Kind
from domain.policy_input import CallInput
from domain.program import CallStep, Compensation, Program, SagaStep
from domain.projection import unproject
from domain.recorder import Recorder
from domain.state import RenderedUndo, RunContext, State, Undo


def register(recorder: Recorder, step: CallStep, saga: str | None, arguments: dict[str, JsonValue]) -> None:
    """Put the step's compensation on the saga's list; called before the step's command exists."""
    if saga is None or step.compensate is None:
        return
    undo = Undo(
        step=step.path,
        tool=step.compensate.tool,
        arguments=step.compensate.arguments,
        if_unknown=step.compensate.if_unknown,
        called_with=arguments,
        retry=step.compensate.retry,
    )
    recorder.state.undo.setdefault(saga, []).append(undo)
    recorder.fact(Kind.COMPENSATION_REGISTERED, step=step.path, data={"tool": step.compensate.tool})


def mark_known(state: State, step: str, known: Literal["happened", "unknown", "not"]) -> None:
    """Remember what became of a step, for the plan; the list is kept in the order in which steps ended."""
    for entries in state.undo.values():
        for place in range(len(entries) - 1, -1, -1):  # it is the last one, or near it
            if entries[place].step == step:
                undo = entries.pop(place)
                undo.known = known
                entries.append(undo)
                return


def hand_over(state: State, saga: str, outer: str | None) -> None:
    """A finished inner saga gives its list to the saga around it; without one nothing can fail any more."""
    entries = state.undo.pop(saga, [])
    if outer is not None and entries:
        state.undo.setdefault(outer, []).extend(entries)


def plan_unwind(program: Program, state: State, run: RunContext, saga: SagaStep, labels: LabelFlow) -> list[RenderedUndo]:
    """Return the saga's compensations to run, latest end first, their arguments computed now; lanes are branches to undo side by side."""
    plan: list[RenderedUndo] = []
    for undo in reversed(state.undo.get(saga.path, [])):
        if undo.known == "not":
            continue
        record = state.steps[undo.step]
        context = expression_context(program, state, run, expressions.steps_read(undo.arguments))
        own = with_self(context, output=unproject(record.fields) if record.fields else None, arguments=undo.called_with)
        lane = lane_of(saga.path, undo.step) if saga.undo == "parallel" else ""
        rendered = _rendered(undo, own, record.visit)
        policy = undo_policy(program, labels, undo.step, undo, rendered.arguments) if rendered.problem is None else None
        plan.append(rendered.model_copy(update={"lane": lane, "policy": policy}))
    return plan


def undo_policy(program: Program, labels: LabelFlow, step: str, undo: Undo | Compensation, arguments: dict[str, JsonValue]) -> CallInput:
    """Return what policy needs to know of a step's compensation: where those of its arguments come from that choose a target."""
    tool, own = program.tools[undo.tool], labels.own(step)
    given = [name for name in tool.guarded if values_at(arguments, name)]
    found, taint = labels.arguments(undo.arguments, arguments, given, own), labels.of(undo.arguments, own)
    return CallInput(definition=program.name, origin="undo", kind=tool.kind, sensitive=given, labels=found, taint=taint)


def lane_of(saga: str, step: str) -> str:
    """Return the branch of a saga that a step lies in: the path of the step directly inside the saga."""
    return f"{saga}.{step.removeprefix(saga + '.').partition('.')[0]}"


def _rendered(undo: Undo, context: dict[str, JsonValue], visit: int) -> RenderedUndo:
    known: Literal["happened", "unknown"] = "happened" if undo.known == "happened" else "unknown"
    arguments: JsonValue = {}
    problem: str | None = None
    try:
        arguments = expressions.render(undo.arguments, context)
    except StandfastError as error:
        problem = error.detail
    if not isinstance(arguments, dict):
        arguments, problem = {}, "the compensation's arguments are no object"
    return RenderedUndo(
        step=undo.step,
        visit=visit,
        tool=undo.tool,
        arguments=arguments,
        known=known,
        if_unknown=undo.if_unknown,
        problem=problem,
        retry=undo.retry,
    )
