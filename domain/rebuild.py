"""Rebuilds a run's state from its past, to go on from there: a redrive in the same run, a fork in a new one. Pure.

The stepper itself walks again, and the journal's outcomes answer it, so the state is what it was, whatever the definition says; it
stops at the first command that has no outcome to keep. A step whose effect was undone, or surely never happened, is entered with a new
visit, hence with a new key outside; every other step keeps its visit and key, so what was done is never done again (JOURNAL §2.7).
"""

from typing import NamedTuple

from pydantic import JsonValue

from domain.effects import EffectState
from domain.envelope import Receipt
from domain.errors import NotRedrivable, ProjectionTooLarge, UnreachedStep
from domain.estimates import text_bytes
from domain.label_flow import LabelFlow
from domain.ledger import Kind
from domain.past import CALL, KnownApproval, KnownEffect, KnownSignal, KnownTask, Past, Place, call_command
from domain.policy_input import CallInput
from domain.program import AgentStep, ApproveStep, CallStep, Program, SagaStep, Step
from domain.projection import project
from domain.recorder import Recorder
from domain.runs import RunStatus
from domain.saga_plan import undo_policy
from domain.state import (
    Answered,
    AskApproval,
    AskPerson,
    CallTool,
    Command,
    CompletePrompt,
    Decided,
    Done,
    Failed,
    Failure,
    Finish,
    Listen,
    Outcome,
    RenderedUndo,
    RunContext,
    Signalled,
    SimulatedAnswer,
    Simulation,
    State,
    StepStatus,
    Tick,
    Unwind,
)
from domain.step_paths import inside, paths_of
from domain.stepper import Stepper, walk


class Rebuilt(NamedTuple):
    """A state to go on from; `step` is where, `kept` are the leaf steps whose outcome it keeps, in order."""

    state: State
    step: str
    kept: list[str]


def rebuild_for_redrive(program: Program, run: RunContext, past: Past, tick: Tick) -> Rebuilt:
    """Return the state from which the run goes on in its next epoch.

    Raises:
        NotRedrivable: it would fail again at once, from recorded outcomes alone.
    """
    state = _walked(program, run, past, _visits(program, past), tick)
    leftovers = past.half_undone()
    if leftovers:
        _finish_undo(program, run, state, leftovers)
    elif state.finished:
        _end_anew(run, state)
    _tell_anew(state, past)
    state.tried = {call_command(*place): 1 for place in past.may_have_happened()}
    return Rebuilt(state, _next_step(state), _kept(program, state))


def rebuild_for_fork(program: Program, run: RunContext, past: Past, at: str, tick: Tick, *, simulate: bool) -> Rebuilt:
    """Return the state of a new run that goes on at step `at`, with the steps before it as the parent has them.

    What the parent did is the parent's: the new run undoes none of it, and approvals of the parent bind no call of the new run.

    Raises:
        UnreachedStep: there is no such step, or the parent has not come to it, or not to the end of a branch beside it.
    """
    order = paths_of(program)
    if at not in order:
        raise UnreachedStep(f"there is no step {at!r} in {program.name} {program.version}; its steps are {', '.join(order)}", where="/at")
    before = set(order[: order.index(at)])
    state = _walked(program, run, past, _visits(program, past), tick, only=before)
    if at not in state.steps:
        reached = [path for path in order if path in state.steps]
        raise UnreachedStep(f"run {past.run} has no outcome for every step before {at!r}; it came to {', '.join(reached)}", where="/at")
    beside = [command.step for command in state.pending.values() if command.kind != "finish" and command.step in before]
    if beside:  # of a parallel saga: it would run in the fork, and nobody asked for that
        detail = f"run {past.run} has no outcome for {beside[0]!r}, which runs beside {at!r}: fork at {beside[0]!r}"
        raise UnreachedStep(detail, where="/at")
    cut(program, state, at)
    state.undo, state.visits, state.bound = {}, {}, {}
    state.signals, state.known_signals = [], []
    state.simulation = Simulation(answers=_answers(past)) if simulate else None
    state.epoch, state.fact_seq, state.last_fact_digest, state.unacked = 1, 0, "", []
    begun: dict[str, JsonValue] = {"definition": program.name, "version": program.version, "sha256": program.sha256}
    Recorder(program, run, state, tick).fact(Kind.RUN_STARTED, data={**begun, "parent": past.run, "at": at})
    return Rebuilt(state, at, _kept(program, state))


def cut(program: Program, state: State, at: str) -> None:
    """Forget the step `at` and all steps after it, with the facts about them; those around it are open again."""
    order = paths_of(program)
    gone = set(order[order.index(at) :])
    for path in gone:
        state.steps.pop(path, None)
        state.agents.pop(path, None)
    for path, record in state.steps.items():
        if inside(at, path):
            record.status, record.fields, record.failure = StepStatus.ENTERED, {}, None
    state.pending = {name: command for name, command in state.pending.items() if command.kind != "finish" and command.step not in gone}
    state.undo = {saga: [undo for undo in entries if undo.step not in gone] for saga, entries in state.undo.items() if saga not in gone}
    state.unacked = [fact for fact in state.unacked if fact.step not in gone]
    state.finished = False


def _end_anew(run: RunContext, state: State) -> None:
    """Let a run that stopped just before its end come to it in the next epoch.

    Raises:
        NotRedrivable: the end would be a failure again.
    """
    finish = state.pending.pop("finish")
    if not isinstance(finish, Finish) or finish.status is not RunStatus.SUCCEEDED:
        failed = next((record.failure for record in state.steps.values() if record.failure is not None), None)
        where = f"step {failed.step} fails with {failed.code}" if failed else "its output fails"
        raise NotRedrivable(
            f"nothing of run {run.run} is left to do again: {where} from what is recorded alone; fork the run with a change instead"
        )
    state.finished = False
    state.unacked.pop()  # that it finished: the next epoch says so, and counts its own facts


def _walked(program: Program, run: RunContext, past: Past, visits: dict[str, int], tick: Tick, *, only: set[str] | None = None) -> State:
    """Walk the program over recorded outcomes, of the steps in `only` if given, until one is missing."""
    state = past.base.model_copy(deep=True) if past.base is not None else State()
    state.visits = visits
    if only is None:
        state.signals = past.kept_signals()
        state.known_signals = [signal.id for signal in state.signals]
    stepper = Stepper(program, run, state)
    stepper.start(tick)
    known = _Known(past)
    steps = {step.path: step for step in walk(program.steps)}
    while True:
        asked = [command for command in state.pending.values() if command.kind != "finish" and (only is None or command.step in only)]
        found = [each for command in asked for each in known.outcomes(steps[command.step], command)]
        if not found:
            return state
        stepper.apply(min(found, key=lambda each: each[0])[1], tick)


class _Known:
    """What a run's past answers, by what asks for it."""

    def __init__(self, past: Past) -> None:
        self._effects = {(effect.step, effect.visit, effect.call): effect for effect in past.effects}
        self._approvals = {approval.place: approval for approval in past.approvals}
        self._answers = {(*known.place, known.opened.call): known for known in past.approvals if known.opened.call}
        self._worked = {(known.step, known.visit, known.call): known for known in past.tasks if known.completed}
        self._heard = {(known.step, known.visit): known for known in past.signals if known.step is not None}

    def outcomes(self, step: Step, command: Command) -> list[tuple[str, Outcome]]:
        """Return the outcome to keep of a command, with its time; none where the past has none."""
        if isinstance(command, AskApproval) and command.approval.call:
            return _answered(command, self._answers.get((command.step, command.visit, command.approval.call)))
        if isinstance(command, AskApproval):
            return _decision(step, command, self._approvals.get((command.step, command.visit)))
        if isinstance(command, Listen):
            return _heard(self._heard.get((command.step, command.visit)))
        if isinstance(command, AskPerson):
            return _worked(command, self._worked.get((command.step, command.visit, command.task.call)))
        if isinstance(command, CallTool | CompletePrompt):
            return _outcome(command, self._effects.get((command.step, command.visit, command.call)), told=isinstance(step, AgentStep))
        return []


def _outcome(command: CallTool | CompletePrompt, effect: KnownEffect | None, *, told: bool) -> list[tuple[str, Outcome]]:
    """The outcome to keep, with its time: of what was done, and of a failure that an agent's model was told about and went on from."""
    if effect is None or effect.ended_at is None:
        return []
    if effect.done:
        try:
            fields = project(effect.output, command.project)
        except ProjectionTooLarge as error:
            return [(effect.ended_at, Failed(command=command.id, failure=_failure(command, error.code, error.detail)))]
        known = {"ref": effect.output_ref, "digest": effect.output_digest, "usage": effect.usage}
        receipt = Receipt.model_validate({**known, "fields": fields, "replayed": True, "size": text_bytes(effect.output)})
        return [(effect.ended_at, Done(command=command.id, receipt=receipt))]
    if told and isinstance(command, CallTool) and effect.state is EffectState.FAILED and effect.error is not None:
        failure = _failure(command, effect.error["code"], effect.error["detail"])
        return [(effect.ended_at, Failed(command=command.id, failure=failure))] if failure.code != "run-cancelled" else []
    return []


def _heard(known: KnownSignal | None) -> list[tuple[str, Outcome]]:
    """The signal that this visit of its step took."""
    return [] if known is None else [(known.at, Signalled(signal=known.signal))]


def _worked(command: AskPerson, known: KnownTask | None) -> list[tuple[str, Outcome]]:
    """What a person filled in at this visit of its step."""
    if known is None:
        return []
    answer = Answered(command=command.id, resolution="completed", output=known.output, ref=known.ref, by=known.by)
    return [(known.at, answer)]


def _failure(command: Command, code: str, detail: str) -> Failure:
    step = "" if command.kind == "finish" else command.step
    return Failure(code=code, detail=detail, step=step)


def _decision(step: object, asked: AskApproval, known: KnownApproval | None) -> list[tuple[str, Outcome]]:
    """A yes to keep. The question becomes the one that was asked, so that its id and digest fit what its bound calls are compared with."""
    if known is None or not isinstance(step, ApproveStep) or not _stands(step, known):
        return []
    asked.approval = known.opened
    verdict = "approve" if known.state == "approved" else "timed_out"
    decided = Decided(command=asked.id, verdict=verdict, decision_id=known.decision_id, decided_by=known.decided_by, comment=known.comment)
    return [(known.opened.opened_at, decided)]


def _answered(asked: AskApproval, known: KnownApproval | None) -> list[tuple[str, Outcome]]:
    """What people said about an agent's call, a no too: the model was told, and went on from it. A question left open is asked anew."""
    verdict = {"approved": "approve", "rejected": "reject", "timed_out": "timed_out"}.get("" if known is None else known.state)
    if known is None or verdict is None:
        return []
    asked.approval = known.opened
    told = {"decision_id": known.decision_id, "decided_by": known.decided_by, "comment": known.comment}
    return [(known.opened.opened_at, Decided.model_validate({"command": asked.id, "verdict": verdict, **told}))]


def _stands(step: ApproveStep, known: KnownApproval) -> bool:
    return known.state == "approved" or (known.state == "timed_out" and step.on_timeout == "approve")


def _visits(program: Program, past: Past) -> dict[str, int]:
    """Return the visit to enter each step with, where that is not its first.

    An approval is used once (DESIGN §7): when a call it bound was done and undone, it is asked again, as one that was no yes.
    """
    undone = past.undone() | {effect.place for effect in past.half_undone()}
    ended: dict[str, int] = {}
    for step, visit in undone | _spent_agents(program, past) | _never_done(past):
        ended[step] = max(ended.get(step, 0), visit)
    done_at = {effect.step: effect.started_at for effect in past.effects if effect.place in undone and not effect.undoes}
    for step in walk(program.steps):
        if isinstance(step, ApproveStep):
            asked = [known for known in past.approvals if known.opened.step == step.path]
            used = max((done_at[path] for path in step.binds if path in done_at), default="")
            spent = [known.opened.visit for known in asked if not _stands(step, known) or known.opened.opened_at <= used]
            ended |= {step.path: max(spent)} if spent else {}
    for known in past.tasks:
        if not known.completed:
            ended[known.step] = max(ended.get(known.step, 0), known.visit)
    return {step: visit + 1 for step, visit in ended.items()}


def _spent_agents(program: Program, past: Past) -> set[Place]:
    """The visits of agents that failed by what their model said: asked the same again, they would fail the same again.

    One that failed by a call, its last effect, goes on at that call instead.
    """
    agents = {step.path for step in walk(program.steps) if isinstance(step, AgentStep)}
    last: dict[Place, KnownEffect] = {}
    for effect in sorted(past.effects, key=lambda each: each.started_at):
        last[effect.place] = effect
    return {place for place in past.failed() if place[0] in agents and (place not in last or last[place].done)}


def _never_done(past: Past) -> set[Place]:
    """The calls that failed and surely did not happen.

    They get a new key: outside, the old one may stand for the refusal, and what came before may have changed since. A call that may have
    happened keeps its key, so that the outside can tell.
    """
    failed = {effect.place for effect in past.effects if effect.call == CALL and effect.state is EffectState.FAILED}
    return failed & past.surely_not


def _finish_undo(program: Program, run: RunContext, state: State, leftovers: list[KnownEffect]) -> None:
    """First end the compensations that were under way; then their steps, and what waits before them, run again."""
    policies = [_undo_policy(program, run, state, effect) for effect in leftovers]  # of the walk: what is cut has no labels any more
    order = paths_of(program)
    waiting = [command.step for command in state.pending.values() if command.kind != "finish"]
    cut(program, state, min((*waiting, *(effect.step for effect in leftovers)), key=order.index))
    undo = [
        RenderedUndo(
            step=effect.step,
            visit=effect.visit,
            tool=effect.subject.partition("@")[0],
            arguments=effect.request if isinstance(effect.request, dict) else {},
            known="happened",
            if_unknown="compensate",
            tried=effect.undo_tried - 1,
            policy=policy,
        )
        for effect, policy in zip(leftovers, policies, strict=True)
    ]
    sagas = [step.path for step in walk(program.steps) if isinstance(step, SagaStep)]
    saga = next(path for path in reversed(sagas) if inside(leftovers[0].step, path))
    visit = state.steps[saga].visit if saga in state.steps else 1
    command = Unwind(id=f"{saga}#{visit}/unwind", step=saga, undo=undo)
    state.pending[command.id] = command


def _undo_policy(program: Program, run: RunContext, state: State, effect: KnownEffect) -> CallInput | None:
    """What policy needs to know of a compensation that is ended anew, by the step that it undoes."""
    steps = {step.path: step for step in walk(program.steps)}
    step = steps.get(effect.step)
    if not isinstance(step, CallStep) or step.compensate is None or step.compensate.tool != effect.subject.partition("@")[0]:
        return None
    arguments = effect.request if isinstance(effect.request, dict) else {}
    return undo_policy(program, LabelFlow(program, run, state, steps), step.path, step.compensate, arguments)


def _tell_anew(state: State, past: Past) -> None:
    """Keep the facts of the walk that the ledger does not have, such as a question that is asked anew; they come in the next epoch."""
    told = [fact for fact in state.unacked if not past.tells(fact)]
    epoch, head = past.epoch + 1, past.fact_head
    state.unacked = [fact.model_copy(update={"seq": head + place, "epoch": epoch}) for place, fact in enumerate(told, start=1)]
    state.epoch, state.fact_seq = epoch, head + len(told)
    state.last_fact_digest = state.unacked[-1].digest() if told else past.fact_digest


def _next_step(state: State) -> str:
    return next((command.step for command in state.pending.values() if command.kind != "finish"), "")


def _kept(program: Program, state: State) -> list[str]:
    leaves = [step.path for step in walk(program.steps) if step.kind not in ("do", "switch", "saga")]
    return [path for path in leaves if path in state.steps and state.steps[path].status is StepStatus.SUCCEEDED]


def _answers(past: Past) -> dict[str, SimulatedAnswer]:
    """The parent's outcomes of what changed the world, the latest visit of each step."""
    changed = [e for e in past.effects if e.effect_class.changes_world and e.done and not e.undoes and e.output_ref is not None]
    return {e.step: SimulatedAnswer(digest=e.digest, ref=e.output_ref or "") for e in sorted(changed, key=lambda each: each.visit)}
