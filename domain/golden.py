"""Golden traces: what a run's models and tools answered, recorded from its events, to be played again without either. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.ledger import Kind
from domain.model import Value


class RecordedAnswer(Value):
    """One answer of a model: its text, and the tools that it called with their arguments."""

    step: str
    visit: int
    text: str
    calls: list[dict[str, JsonValue]] = []
    stop: Literal["refused", "length"] | None = None


class RecordedOutput(Value):
    """What a tool gave, or the code of the error that it ended with; `request` is the digest of tool, version and arguments, if known."""

    step: str
    visit: int
    call: str
    subject: str
    output: JsonValue = None
    error: str | None = None
    request: str | None = None


class RecordedDecision(Value):
    """How an approval ended; `call` is the agent's call that it was about, '' for a step's own (and in traces of before)."""

    step: str
    visit: int
    call: str = ""
    verdict: Literal["approve", "reject", "timed_out"]


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

    Raises:
        InvalidInput: an output was too large for its event, so the trace could not be played.
    """
    answers: list[JsonValue] = []
    outputs: list[JsonValue] = []
    decisions: list[JsonValue] = []
    subjects: dict[tuple[JsonValue, ...], JsonValue] = {}
    amended = False
    for event in events:
        place: dict[str, JsonValue] = {"step": event.get("step"), "visit": event.get("visit")}
        data = event.get("data")
        said = data if isinstance(data, dict) else {}
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
                outputs.append({**place, "call": event.get("call"), "subject": subjects.get(key) or "", "error": error})
            case Kind.APPROVAL_DECIDED if said.get("verdict") in ("approve", "reject"):
                decisions.append({**place, "call": event.get("call") or "", "verdict": said["verdict"]})
            case Kind.APPROVAL_AMENDED:
                amended = True
            case Kind.APPROVAL_TIMED_OUT:
                decisions.append({**place, "call": event.get("call") or "", "verdict": "timed_out"})
            case _:
                continue
    return Trace.model_validate({**given, "answers": answers, "outputs": outputs, "decisions": decisions, "amended": amended})


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
