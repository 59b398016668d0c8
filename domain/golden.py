"""Golden traces: what a run's models and tools answered, recorded from its events, to be played again without either. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.ledger import Kind
from domain.model import Value
from domain.tasks import HUMAN


class RecordedAnswer(Value):
    """One answer of a model: its text, and the tools that it called with their arguments."""

    step: str
    visit: int
    text: str
    calls: list[dict[str, JsonValue]] = []
    stop: Literal["refused", "length"] | None = None


class RecordedOutput(Value):
    """What a tool gave, or the code of the error that it ended with, at which attempt.

    `request` is the digest of tool, version and arguments, if known.
    """

    step: str
    visit: int
    call: str
    subject: str
    output: JsonValue = None
    error: str | None = None
    attempt: int = 1
    request: str | None = None


class RecordedDecision(Value):
    """How an approval ended; `call` is the agent's call that it was about, '' for a step's own (and in traces of before)."""

    step: str
    visit: int
    call: str = ""
    verdict: Literal["approve", "reject", "timed_out"]


class RecordedTask(Value):
    """What a person filled in for a task; `call` is the agent's call that asked, '' for a step of its own."""

    step: str
    visit: int
    call: str = ""
    output: JsonValue = None


class Trace(Value):
    """A run as it was: what went in, what models, tools and people said in order, and what came out.

    `amended`: a person changed the arguments of an approved call, so those of approved calls are not compared.
    """

    standfast_trace: Literal[1] = 1
    name: str
    run: str
    definition: str
    input: JsonValue
    config: dict[str, JsonValue] = {}
    status: str
    result: JsonValue = None
    answers: list[RecordedAnswer] = []
    outputs: list[RecordedOutput] = []
    decisions: list[RecordedDecision] = []
    tasks: list[RecordedTask] = []
    amended: bool = False

    def scripts(self) -> dict[tuple[str, int], dict[str, JsonValue]]:
        """Return, for each agent's conversation (step and visit), the script that plays its answers turn by turn."""
        found: dict[tuple[str, int], list[JsonValue]] = {}
        for answer in self.answers:
            turns = found.setdefault((answer.step, answer.visit), [])
            turns.append({"when": {"turn": len(turns)}, "reply": _reply(answer)})
        return {place: {"standfast_script": 1, "about": f"{self.name}, run {self.run}", "turns": turns} for place, turns in found.items()}


def record(given: Mapping[str, JsonValue], events: Iterable[Mapping[str, JsonValue]]) -> Trace:
    """Make a trace of a run's events (`what`, `step`, `visit`, `call`, `text`, `calls`, `stop`, `output`, `data` of each).

    An event of an answered task has the task besides, as `task`: its `kind`, `answer`, and whether it is a person's `own`.

    Raises:
        InvalidInput: it could not be played: an output was too large for its event, or the run took what no recording holds.
    """
    events = list(events)
    if left_out := unplayable(events):
        raise InvalidInput(f"a replay would leave out {'; '.join(left_out)}")
    answers: list[JsonValue] = []
    outputs: list[JsonValue] = []
    decisions: list[JsonValue] = []
    tasks: list[JsonValue] = []
    subjects: dict[tuple[JsonValue, ...], JsonValue] = {}
    amended = any(event.get("what") == Kind.APPROVAL_AMENDED for event in events)
    for event in events:
        place: dict[str, JsonValue] = {"step": event.get("step"), "visit": event.get("visit")}
        said = _said(event)
        key = (event.get("step"), event.get("visit"), event.get("call"))
        match event.get("what"):
            case Kind.MODEL_ANSWERED:
                answers.append({**place, "text": event.get("text") or "", "calls": event.get("calls") or [], "stop": event.get("stop")})
            case Kind.TOOL_REQUESTED:
                subjects[key] = said.get("subject")
            case Kind.TOOL_CALLED if event.get("output_bytes") is not None:
                raise InvalidInput(f"step {event.get('step')}: the output of {subjects.get(key)} is too large to be recorded")
            case Kind.TOOL_CALLED:
                given_by = {"subject": subjects.get(key) or "", "request": event.get("request_sha256")}
                outputs.append({**place, "call": event.get("call"), **given_by, "output": event.get("output")})
            case Kind.TOOL_FAILED:
                error = said.get("error") or "tool-failed"
                failed: dict[str, JsonValue] = {"subject": subjects.get(key) or "", "error": error, "attempt": event.get("attempt") or 1}
                outputs.append({**place, "call": event.get("call"), **failed})
            case Kind.APPROVAL_DECIDED | Kind.APPROVAL_TIMED_OUT if (verdict := _verdict(event)) is not None:
                decisions.append({**place, "call": event.get("call") or "", "verdict": verdict})
            case Kind.TASK_COMPLETED if not (task := _task(event)).get("own"):
                tasks.append({**place, "call": event.get("call") or "", "output": task.get("answer")})
            case _:
                continue
    told: dict[str, JsonValue] = {"answers": answers, "outputs": outputs, "decisions": decisions, "tasks": tasks, "amended": amended}
    return Trace.model_validate({**given, **told})


_LEFT_OUT: dict[str, str] = {
    Kind.RUN_CANCEL_REQUESTED: "that it was asked to end",
    Kind.RUN_COMPENSATE_REQUESTED: "that it was asked to undo what it did",
    Kind.RUN_REDRIVEN: "that it was redriven",
    Kind.RUN_RESET: "that it was reset",
    Kind.EFFECT_IN_DOUBT: "an effect in doubt at {step}",
    Kind.EFFECT_DIVERGED: "an effect that diverged at {step}",
    Kind.TOOL_SIMULATED: "a simulated call at {step}",
    Kind.SIGNAL_RECEIVED: "the signal {signal} at {step}",
    Kind.APPROVAL_WITHDRAWN: "an approval that was withdrawn at {step}",
}
"""What happened to a run from outside and is in none of its events, or not with its content: kind to how it is told."""


def unplayable(events: Iterable[Mapping[str, JsonValue]]) -> list[str]:
    """Return what a replay of these events would leave out, in words; nothing where it can play all."""
    found: list[str] = []
    waiting: dict[JsonValue, str] = {}
    for event in events:
        said, step = _said(event), str(event.get("step") or "")
        match str(event.get("what")):
            case Kind.TASK_OPENED:
                kind = said.get("kind", HUMAN)
                waiting[said.get("task")] = (
                    f"a task nobody answered at {step}" if kind == HUMAN else f"what a person said of {step} ({kind})"
                )
            case Kind.TASK_COMPLETED if _task(event).get("kind") == HUMAN:
                waiting.pop(said.get("task"), None)
            case Kind.TASK_COMPLETED if not waiting:
                found.append(f"what a person said of {step}")
            case kind if kind in _LEFT_OUT:
                found.append(_LEFT_OUT[kind].format(step=step, signal=said.get("signal")))
            case _:
                continue
    return list(dict.fromkeys([*found, *waiting.values()]))


def _said(event: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _verdict(event: Mapping[str, JsonValue]) -> JsonValue:
    """How an approval ended, None where it did not: votes are told beside it."""
    said = _said(event).get("verdict")
    if event.get("what") == Kind.APPROVAL_TIMED_OUT:
        return "timed_out"
    return said if said in ("approve", "reject") else None


def _task(event: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    task = event.get("task")
    return task if isinstance(task, dict) else {}


def _reply(answer: RecordedAnswer) -> dict[str, JsonValue]:
    """A script's reply; what looks like a place to fill in stays as it was said."""
    calls: list[JsonValue] = [
        {"tool": call["name"], "arguments": _literal(call["arguments"])}
        if isinstance(call.get("arguments"), dict)
        else {"tool": call["name"], "raw_arguments": "not recorded"}
        for call in answer.calls
    ]
    stop: dict[str, JsonValue] = {} if answer.stop is None else {"stop": answer.stop}
    said: dict[str, JsonValue] = {"text": _literal(answer.text), **stop}
    return {**said, "tool_calls": calls} if calls else said


def _literal(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, dict):
        return {name: _literal(item) for name, item in value.items()}
    return value
