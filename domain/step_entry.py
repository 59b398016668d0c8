"""Entering and leaving a single step: conditions, deadlines, arguments, outputs, and the facts about them. Pure."""

from datetime import datetime, timedelta
from typing import cast

from pydantic import JsonValue

from domain import expressions
from domain.approval import BoundCall, OpenApproval, approval_digest
from domain.approval_rules import ApprovalRules, Moment, placed_by_the_clock
from domain.context import with_self
from domain.effects import request_digest
from domain.errors import ExpressionFailed, StandfastError, StepTimedOut
from domain.labels import values_at
from domain.ledger import Kind
from domain.policy_input import CallInput
from domain.program import ApproveStep, CallStep, DoStep, PinnedTool, SagaStep, SetStep, Step, SwitchStep
from domain.projection import unproject
from domain.provenance import conversation_behind, provenance_of
from domain.recorder import Recorder
from domain.saga_plan import register
from domain.state import AskApproval, BoundArguments, CallTool, Failure, StepRecord, StepStatus
from domain.visible_text import visible_lines


def open_step(recorder: Recorder, step: Step) -> None:
    """Record that the step is reached: entered, skipped by its `if`, or failed because that could not be evaluated."""
    visit = recorder.state.visits.get(step.path, 1)
    recorder.state.undone.pop(step.path, None)
    try:
        chosen = _chosen(recorder, step)
        skipped = step.when is not None and not recorder.holds(step.when)
    except StandfastError as error:
        recorder.state.steps[step.path] = StepRecord(visit=visit, status=StepStatus.ENTERED)
        fail_step(recorder, step, Failure(code=error.code, detail=f"if: {error.detail}", step=step.path))
        return
    if skipped:
        output: dict[str, JsonValue] = {"": {"decision": "skipped"}} if isinstance(step, ApproveStep) else {}
        recorder.state.steps[step.path] = StepRecord(visit=visit, status=StepStatus.SKIPPED, fields=output)
        recorder.fact(Kind.STEP_SKIPPED, step=step.path)
        return
    recorder.state.steps[step.path] = StepRecord(visit=visit, status=StepStatus.ENTERED, deadline=_deadline(recorder, step), chosen=chosen)
    recorder.fact(Kind.SAGA_STARTED if step.kind == "saga" else Kind.STEP_ENTERED, step=step.path, data={"keyword": step.kind})


def _chosen(recorder: Recorder, step: Step) -> str | None:
    if not isinstance(step, SwitchStep) or (step.when is not None and not recorder.holds(step.when)):
        return None
    return next((case.name for case in step.cases if case.when is None or recorder.holds(case.when)), None)


def _deadline(recorder: Recorder, step: Step) -> str | None:
    """The earliest of the step's own deadline and those of the containers around it; none for what stands after a pivot."""
    if step.forward:
        return None
    own = _later(recorder.tick.now, step.timeout_s) if step.timeout_s is not None else None
    return min((d for d in (_latest(recorder, step), own) if d is not None), default=None)


def _latest(recorder: Recorder, step: Step) -> str | None:
    """The earliest deadline of the containers around a step."""
    around = [recorder.state.steps[path].deadline for path in _parents(step.path) if path in recorder.state.steps]
    return min((d for d in around if d is not None), default=None)


def _parents(path: str) -> list[str]:
    keys = path.split(".")
    return [".".join(keys[:n]) for n in range(1, len(keys))]


def _later(now: str, seconds: float) -> str:
    return (datetime.fromisoformat(now) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def enter_leaf(recorder: Recorder, step: Step, *, saga: str | None) -> None:
    """Do what a call, set or approve step does on entering.

    Raises:
        ExpressionFailed: an expression failed; the step then fails.
        StepTimedOut: its time, or that of a step around it, is over.
    """
    deadline = recorder.state.steps[step.path].deadline
    if deadline is not None and deadline <= recorder.tick.now:
        raise StepTimedOut("its time was over before it began")
    if isinstance(step, SetStep):
        complete_step(recorder, step, fields={"": recorder.render(step.value)}, ref=None, digest=None)
    elif isinstance(step, CallStep):
        arguments, problem = _computed(recorder, step)
        register(recorder, step, saga, arguments)
        recorder.command(_call(recorder, step, arguments).model_copy(update={"problem": problem}))
    elif isinstance(step, ApproveStep):
        recorder.command(_question(recorder, step))


def _computed(recorder: Recorder, step: CallStep) -> tuple[dict[str, JsonValue], str | None]:
    """A call's arguments; after a pivot, what keeps them from being computed is a person's matter and no failure.

    Raises:
        StandfastError: they cannot be computed.
    """
    try:
        return _arguments(recorder, step), None
    except StandfastError as error:
        if not step.forward:
            raise
        return {}, error.detail


def _arguments(recorder: Recorder, step: CallStep) -> dict[str, JsonValue]:
    """A bound call runs with the approved arguments; only those that were unbound are evaluated now."""
    bound = recorder.state.bound.get(step.path)
    if bound is None:
        return _object(recorder.render(step.arguments), step.path)
    later = {name: _template(step)[name] for name in bound.unbound}
    return {**bound.arguments, **_object(recorder.render(later), step.path)}


def _template(step: CallStep) -> dict[str, JsonValue]:
    return step.arguments if isinstance(step.arguments, dict) else {}


def _object(value: JsonValue, path: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise ExpressionFailed(f"`with` of {path} gives {type(value).__name__} and must give an object")
    return value


def _call(recorder: Recorder, step: CallStep, arguments: dict[str, JsonValue]) -> CallTool:
    tool = recorder.program.tools[step.tool]
    bound = recorder.state.bound.get(step.path)
    simulate, answer = _simulated(recorder, step, tool, arguments)
    return CallTool(
        id=recorder.command_id(step.path, "call"),
        step=step.path,
        visit=recorder.state.steps[step.path].visit,
        call="call",
        tool=tool.name,
        version=tool.version,
        arguments=arguments,
        effect_class=tool.effect_class,
        retry_class=tool.retry_class,
        timeout_s=tool.timeout_s,
        heartbeat_s=tool.heartbeat_s,
        max_attempts=tool.max_attempts,
        cost_usd_micros=tool.cost_usd_micros,
        retry=step.retry,
        deadline=recorder.state.steps[step.path].deadline,
        project=recorder.program.projections.get(step.path, []),
        approval=bound.approval if bound else None,
        declaration=tool.declaration,
        simulate=simulate,
        simulated_from=answer,
        summary=_summary(recorder, step, otherwise=f"{step.path}: {tool.name}"),
        pivot=step.pivot,
        forward=step.forward,
        policy=_policy(recorder, step, tool, arguments),
    )


def _policy(recorder: Recorder, step: CallStep, tool: PinnedTool, arguments: dict[str, JsonValue]) -> CallInput:
    """What policy needs to know of the call: where those of its arguments come from that choose a target."""
    given = [name for name in tool.guarded if values_at(arguments, name)]
    labels = recorder.labels.arguments(step.arguments, arguments, given)
    taint = recorder.labels.of(step.arguments)
    return CallInput(definition=recorder.program.name, kind=tool.kind, sensitive=given, labels=labels, taint=taint)


def _simulated(recorder: Recorder, step: Step, tool: PinnedTool, arguments: dict[str, JsonValue]) -> tuple[bool, str | None]:
    """Whether the call is only simulated, and the parent's outcome of the very same call, if there is one."""
    simulation = recorder.state.simulation
    if simulation is None or not tool.effect_class.changes_world:
        return False, None
    known = simulation.answers.get(step.path)
    same = known is not None and known.digest == request_digest(tool=tool.name, version=tool.version, arguments=arguments)
    return True, known.ref if known is not None and same else None


def _summary(recorder: Recorder, step: Step, *, otherwise: str) -> str:
    """What the Web UI shows; a summary that cannot be rendered is no reason to fail a step."""
    if step.summary is None:
        return otherwise
    try:
        text = recorder.render(step.summary)
    except StandfastError:
        return otherwise
    return text if isinstance(text, str) else otherwise


def _question(recorder: Recorder, step: ApproveStep) -> AskApproval:
    calls = [_bound_call(recorder, step, path) for path in step.binds]
    approval, nonce = recorder.new_id("apr", step.path), recorder.nonce(step.path)
    visit = recorder.state.steps[step.path].visit
    run = recorder.run
    digest = approval_digest(tenant=run.tenant, run=run.run, approval=approval, step=step.path, visit=visit, nonce=nonce, calls=calls)
    title = recorder.render(step.title)
    opened = OpenApproval(
        approval=approval,
        step=step.path,
        visit=visit,
        title=visible_lines(title if isinstance(title, str) else str(title)),
        digest=digest,
        nonce=nonce,
        calls=calls,
        reviewer_role=step.reviewer_role,
        exclude_requester=step.exclude_requester,
        requester=run.principal,
        opened_at=recorder.tick.now,
        deadline=None if step.calendar else recorder.state.steps[step.path].deadline,
        rules=_rules(recorder, step) if step.timed else None,
        form=step.form,
    )
    recorder.fact(
        Kind.APPROVAL_OPENED,
        step=step.path,
        data={
            "approval": approval,
            "digest": digest,
            "role": step.reviewer_role,
            "deadline": opened.deadline,
            "unbound": list(step.unbound),
            **({"roles": cast("list[JsonValue]", [group.role for group in step.asked.groups])} if step.timed else {}),
        },
    )
    agent = conversation_behind(recorder.program.steps, step)
    behind = None if agent is None else recorder.state.steps.get(agent)
    return AskApproval(
        id=recorder.command_id(step.path, "approval"),
        step=step.path,
        visit=visit,
        approval=opened,
        unbound=step.unbound,
        provenance=provenance_of(recorder.program, step),
        conversation=None if behind is None else f"{agent}#{behind.visit}",
        answer_ref=None if behind is None else behind.ref,
        summary=recorder.summary(step.summary, step.path),
    )


def _rules(recorder: Recorder, step: ApproveStep) -> ApprovalRules:
    """The rules of a step, placed in time unless a calendar has to say when its moments are."""
    rounds = 0 if step.timeout_s is None else 1 + (len(step.ladder) if step.on_timeout == "escalate" else 0)
    rules = ApprovalRules(
        reviewers=step.asked,
        remind=[Moment(after_s=after) for after in step.remind_s],
        ladder=step.ladder,
        deadlines=[Moment(after_s=(step.timeout_s or 0) * (count + 1)) for count in range(rounds)],
        latest=_latest(recorder, step),
        on_timeout=step.on_timeout,
        calendar=step.calendar,
    )
    return rules if step.calendar else placed_by_the_clock(rules, recorder.tick.now)


def unbound_arguments(step: ApproveStep, path: str) -> list[str]:
    """Return the top-level argument names of the call at `path` that later steps feed (`unbound` holds `path.argument`)."""
    return [name.removeprefix(path + ".").split(".")[0] for name in step.unbound if name.startswith(path + ".")]


def _bound_call(recorder: Recorder, step: ApproveStep, path: str) -> BoundCall:
    call = next(s for s in _call_steps(recorder.program.steps) if s.path == path)
    later = unbound_arguments(step, path)
    known: dict[str, JsonValue] = {name: part for name, part in _template(call).items() if name not in later}
    arguments = _object(recorder.render(known), path)
    return BoundCall(step=path, tool=call.tool, version=recorder.program.tools[call.tool].version, arguments=arguments)


def _call_steps(steps: list[Step]) -> list[CallStep]:
    found: list[CallStep] = []
    for step in steps:
        if isinstance(step, CallStep):
            found.append(step)
        elif isinstance(step, DoStep | SagaStep):
            found.extend(_call_steps(step.steps))
        elif isinstance(step, SwitchStep):
            found.extend(call for case in step.cases for call in _call_steps(case.steps))
    return found


def bind_calls(recorder: Recorder, step: ApproveStep, approval: OpenApproval) -> None:
    """After an approval: the bound calls will run with exactly these arguments."""
    for call in approval.calls:
        recorder.state.bound[call.step] = BoundArguments(
            approval=approval.approval, arguments=call.arguments, unbound=unbound_arguments(step, call.step)
        )


def complete_step(recorder: Recorder, step: Step, *, fields: dict[str, JsonValue], ref: str | None, digest: str | None) -> None:
    """Record success; `output.as` makes the step's output anew, and its failure fails the step."""
    record = recorder.state.steps[step.path]
    if step.output_as is not None:
        try:
            context = with_self(recorder.context(step.output_as), output=unproject(fields))
            fields = {"": expressions.render(step.output_as, context)}
        except StandfastError as error:
            fail_step(recorder, step, Failure(code=error.code, detail=f"output.as: {error.detail}", step=step.path))
            return
    record.status, record.fields, record.ref, record.digest = StepStatus.SUCCEEDED, fields, ref, digest
    record.labels = recorder.labels.output(step, recorder.state.agents[step.path].taint if step.path in recorder.state.agents else ())
    if step.kind not in ("do", "switch", "saga"):
        recorder.fact(Kind.STEP_COMPLETED, step=step.path)  # no digest of the output: unsalted, it would outlive an erasure


def fail_step(recorder: Recorder, step: Step, failure: Failure) -> None:
    """Record failure; the cause's own step is kept while it climbs."""
    record = recorder.state.steps[step.path]
    if record.status is StepStatus.FAILED:
        return
    record.status, record.failure = StepStatus.FAILED, failure.model_copy(update={"step": failure.step or step.path})
    recorder.fact(Kind.STEP_FAILED, step=step.path, data={"code": failure.code, "unknown": failure.unknown})
