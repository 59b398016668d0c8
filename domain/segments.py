"""Segments: consecutive quick steps that one activity walks, each durable in the journal by its own intent and outcome (JOURNAL §12). Pure.

A segment carries the steps themselves and what their expressions read, so that the same stepper walks them in the activity and, from the
outcomes that come back, in the workflow: both note the same facts at the same (workflow) time. Both stop where a step needs more than a
quick call: that step's command stays pending, and the workflow runs it as an activity of its own.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Self

from pydantic import Field, JsonValue

from domain.context import records_read
from domain.effects import EffectClass, RetryClass
from domain.envelope import Receipt
from domain.expressions import steps_read, steps_read_by
from domain.facts import Fact
from domain.labels import Label
from domain.model import Wire
from domain.program import CallStep, DoStep, Execution, PinnedTool, Program, SagaStep, SetStep, Step, SwitchStep
from domain.recorder import Recorder
from domain.state import CallTool, Command, RunContext, State, StepRecord, Tick
from domain.stepper import Stepper, inner_lists, walk

QUICK_S = 10.0
"""A read whose tool promises an answer within this is quick; the tool's `timeout_s` is the promise."""

FORCED_S = 60.0
"""The same under `execution: segment`."""

SEGMENT_BYTES_MAX = 48 * 1024
"""Larger segments (as JSON) run step by step: history would hold them beside the state."""

CALLS_MAX = 64
"""Most calls of one segment: what is lost with a worker is repeated quickly, and the Web UI shows progress."""


class Segment(Wire):
    """A part of a run for one activity.

    `tick` is workflow time, for every fact inside; `whole` says that the run ends with it; `collect` makes no call any more, and only
    brings the outcomes that earlier attempts recorded.
    """

    program: Program
    state: State
    input: JsonValue = None
    input_labels: dict[str, list[Label]] = Field(default={}, exclude_if=lambda labels: not labels)
    tick: Tick
    whole: bool = False
    collect: bool = False
    deadline_s: float

    @property
    def paths(self) -> list[str]:
        """The steps that it walks, in order; what is inside a container is left out."""
        return [step.path for step in self.program.steps]

    @property
    def all_paths(self) -> list[str]:
        """The steps that it may walk, those inside containers too."""
        return [step.path for step in walk(self.program.steps)]

    @property
    def summary(self) -> str:
        """What the Web UI shows: the first and the last step."""
        paths = self.paths
        return paths[0] if len(paths) == 1 else f"{paths[0]} … {paths[-1]} ({len(paths)} steps)"

    def to_request(self) -> dict[str, JsonValue]:
        """Return it as an activity's request, without what is empty anyway."""
        return {"segment": self.model_dump(mode="json", exclude_none=True)}

    @classmethod
    def of_request(cls, request: dict[str, JsonValue]) -> Self:
        """Read what `to_request` made."""
        return cls.model_validate(request["segment"])

    def stepper(self, *, tenant: str, run: str, principal: str, facts: list[Fact]) -> "SegmentStepper":
        """Return the stepper that walks it, with the facts that came along not yet acknowledged."""
        state = self.state.model_copy(update={"unacked": list(facts)})
        return SegmentStepper(
            self.program,
            RunContext(tenant=tenant, run=run, principal=principal, input=self.input, input_labels=self.input_labels),
            state,
            whole=self.whole,
        )


class SegmentOutcome(Wire):
    """How one call of a segment ended, in the order it was walked."""

    command: str
    receipt: Receipt


class SegmentResult(Wire):
    """What a segment's activity answers: outcomes in order, and whether the run's closing facts and projection were written.

    `stopped` names the command that needs more: it is made again after `wait_s` as an activity of its own, and `tried` tells how often it
    was tried before, as far as that counts.
    """

    outcomes: list[SegmentOutcome] = []
    finished: bool = False
    stopped: str | None = None
    wait_s: float = 0.0
    tried: int = 0

    def to_fields(self) -> dict[str, JsonValue]:
        """Return it as a receipt's fields."""
        return {"result": self.model_dump(mode="json", exclude_defaults=True)}

    @classmethod
    def of_fields(cls, fields: dict[str, JsonValue]) -> Self:
        """Read what `to_fields` made."""
        return cls.model_validate(fields["result"])


class SegmentStepper(Stepper):
    """Walks a segment's steps and stops after them; only a segment that ends the run lets the run succeed."""

    def __init__(self, program: Program, run: RunContext, state: State, *, whole: bool) -> None:
        super().__init__(program, run, state)
        self._whole = whole

    def _finish_well(self, recorder: Recorder) -> None:
        if self._whole:
            super()._finish_well(recorder)

    def _finish_badly(self, recorder: Recorder) -> None:
        """Leave it to the workflow, whose stepper meets the same failure."""
        del recorder


def has_segments(program: Program) -> bool:
    """Whether any part of a program may run as a segment."""
    return program.execution != "steps" or _any_forced(program.steps)


class SegmentPlanner:
    """Finds the segments of one run; what it looks up per step does not grow with the program."""

    def __init__(self, program: Program, run: RunContext) -> None:
        self._program = program
        self._run = run
        self._places: dict[str, tuple[list[Step], int, Execution | None]] = {}
        self._place(program.steps, program.execution)

    def _place(self, steps: list[Step], execution: Execution | None) -> None:
        for place, step in enumerate(steps):
            self._places[step.path] = (steps, place, execution)
            for inner in inner_lists(step):
                self._place(inner, step.execution or execution)

    def plan(self, state: State, commands: Sequence[Command], tick: Tick) -> Segment | None:
        """Return the segment that begins with the one command the stepper asks for, or None when it is to run on its own."""
        first = commands[0] if len(commands) == 1 else None
        if not isinstance(first, CallTool) or len(state.pending) != 1 or state.cancelled or first.approval is not None:
            return None
        steps, place, execution = self._places[first.step]
        if first.id in state.tried or execution == "steps" or state.steps[first.step].deadline is not None:
            return None
        chosen, calls = self._chosen(state, steps, place, forced=execution == "segment")
        whole = steps is self._program.steps and place + len(chosen) == len(steps)
        if len(calls) < (1 if whole else 2):
            return None
        part = _part(self._program, chosen, calls, whole=whole)
        segment = Segment(
            program=part,
            state=_carried(state, part, first.step),
            input=self._run.input,
            input_labels=self._run.input_labels,
            tick=tick,
            whole=whole,
            deadline_s=min(sum(part.tools[call.tool].timeout_s for call in calls), 2 * FORCED_S),
        )
        return segment if _small(segment) else None

    def _chosen(self, state: State, steps: list[Step], place: int, *, forced: bool) -> tuple[list[Step], list[CallStep]]:
        """The steps of a list from a place on that share an activity, and the calls inside them."""
        chosen: list[Step] = []
        calls: list[CallStep] = []
        for step in islice(steps, place, None):
            inside = _quick_calls(self._program, state, step, forced=forced)
            if inside is None or len(calls) + len(inside) > CALLS_MAX:
                break
            chosen.append(step)
            calls.extend(inside)
        return chosen, calls


def _any_forced(steps: list[Step]) -> bool:
    return any(step.execution == "segment" or any(_any_forced(inner) for inner in inner_lists(step)) for step in steps)


def _quick_calls(program: Program, state: State, step: Step, *, forced: bool) -> list[CallStep] | None:
    """Return the calls inside a step that may be part of a segment; None when it may not."""
    forced = forced if step.execution is None else step.execution == "segment"
    if step.execution == "steps" or step.timeout_s is not None or isinstance(step, SagaStep):
        return None
    if isinstance(step, CallStep):
        quick = step.compensate is None and step.path not in state.bound and _quick(program.tools[step.tool], forced=forced)
        return [step] if quick else None
    if isinstance(step, SetStep):
        return []
    calls: list[CallStep] = []
    if not isinstance(step, DoStep | SwitchStep):
        return None
    for inner in (one for steps in inner_lists(step) for one in steps):
        found = _quick_calls(program, state, inner, forced=forced)
        if found is None:
            return None
        calls.extend(found)
    return calls


def _quick(tool: PinnedTool, *, forced: bool) -> bool:
    """Whether a call may share an activity; a write may only where the definition says so, and never one that may not be repeated."""
    if tool.retry_class is not RetryClass.IDEMPOTENT or tool.heartbeat_s is not None:
        return False
    if forced:
        return tool.timeout_s <= FORCED_S
    return tool.effect_class in (EffectClass.NONE, EffectClass.READ) and tool.timeout_s <= QUICK_S


def _part(program: Program, steps: list[Step], calls: list[CallStep], *, whole: bool) -> Program:
    tools = {call.tool: program.tools[call.tool].model_copy(update={"description": "", "input_schema": {}}) for call in calls}
    inside = {step.path for step in walk(steps)}
    return program.model_copy(
        update={
            "steps": steps,
            "tools": tools,
            "output": program.output if whole else None,
            "projections": {path: program.projections[path] for path in sorted(inside & program.projections.keys())},
            "input_projection": [],
        }
    )


def _carried(state: State, part: Program, first: str) -> State:
    return state.model_copy(
        update={
            "unacked": [],
            "decisions": [],
            "signals": [],
            "known_signals": [],
            "agents": {},
            "undo": {},
            "bound": {},
            "tried": {},
            "steps": _read(state, part, first),
        }
    )


def _small(segment: Segment) -> bool:
    return len(segment.model_dump_json(exclude_none=True).encode()) <= SEGMENT_BYTES_MAX


def _read(state: State, part: Program, first: str) -> dict[str, StepRecord]:
    """What the segment's expressions read of the steps so far, its first step among them: status and fields, no references."""
    reads = steps_read(part.output).union(*(_reads_of(step) for step in walk(part.steps)))
    records = {**records_read(state, reads), first: state.steps[first]}
    return {
        path: StepRecord(visit=record.visit, status=record.status, fields=record.fields, chosen=record.chosen, labels=record.labels)
        for path, record in records.items()
    }


def _reads_of(step: Step) -> set[tuple[str, ...]]:
    """The paths of `steps` that a step's own expressions read, whatever kind of step it is."""
    conditions = [step.when] + ([case.when for case in step.cases] if isinstance(step, SwitchStep) else [])
    templates: list[JsonValue] = [step.summary, step.output_as]
    if isinstance(step, CallStep):
        templates.append(step.arguments)
    elif isinstance(step, SetStep):
        templates.append(step.value)
    found = set[tuple[str, ...]]().union(*(steps_read_by(condition) for condition in conditions if condition is not None))
    return found.union(*(steps_read(template) for template in templates))
