"""Golden traces: recorded from events, played offline by the real stepper and model activity, and different when the definition is."""

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from adapters.definitions.yaml_reader import YamlBundleReader
from cli.evaluating import load_trace, save_trace, trace_folders
from domain.compile import compile_program
from domain.effects import EffectClass, request_digest
from domain.errors import InvalidInput
from domain.golden import Trace, record
from domain.program import Program
from domain.tools import ToolSpec
from wiring.golden import Replay, Replayed

NOTES = ToolSpec(
    name="notes.read",
    version="1.0.0",
    description="Reads a note.",
    input_schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    output_schema={"type": "object", "properties": {"text": {"type": "string"}}},
    effect_class=EffectClass.READ,
)
PAY = ToolSpec(
    name="bank.pay",
    version="1.0.0",
    description="Pays.",
    input_schema={"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}}},
    output_schema={"type": "object", "properties": {"paid": {"type": "string"}}},
    effect_class=EffectClass.MONEY,
)
PAYING = """\
standfast: 1
name: claim
version: 1.0.0
input: {schema: {type: object, required: [letter], properties: {letter: {type: string}}}}
do:
  - settle:
      agent:
        model: anthropic/claude-sonnet-4-5
        instructions: {text: "Pay."}
        input: "${ input.letter }"
        tools: [bank.pay]
        max_turns: 4
        output: {schema: {type: object, required: [amount], properties: {amount: {type: integer}}}}
output: {amount: "${ steps.settle.output.amount }"}
"""
CLAIM = """\
standfast: 1
name: claim
version: 1.0.0
input: {schema: {type: object, required: [letter], properties: {letter: {type: string}}}}
do:
  - review:
      agent:
        model: anthropic/claude-sonnet-4-5
        instructions: {text: "Decide."}
        input: "${ input.letter }"
        tools: [notes.read]
        max_turns: 4
        output: {schema: {type: object, required: [amount], properties: {amount: {type: integer}}}}
  - gate:
      if: "${ steps.review.output.amount > LIMIT }"
      approve: {title: "Pay?", reviewers: {role: claims-approver}, timeout: 1h, on_timeout: reject}
  - look:
      call: notes.read
      with: {n: "${ steps.review.output.amount }"}
output: {amount: "${ steps.review.output.amount }", note: "${ steps.look.output.text }"}
"""
GIVEN: dict[str, JsonValue] = {
    "name": "late flight ${1}",
    "run": "run_00000000000000000000000001",
    "definition": "claim@^1",
    "input": {"letter": "I was late. ${ not an expression }"},
    "status": "succeeded",
    "result": {"amount": 250, "note": "b"},
}


def event(what: str, step: str, call: str, **fields: JsonValue) -> dict[str, JsonValue]:
    """Build an event as the client gives it."""
    return {"kind": "entry", "what": what, "step": step, "visit": 1, "call": call, **fields}


EVENTS: list[dict[str, JsonValue]] = [
    event("agent:model:answered", "review", "1.model", text="", calls=[{"name": "notes.read", "arguments": {"n": 7}}]),
    event("agent:tool:requested", "review", "1.0", data={"subject": "notes.read@1.0.0"}),
    event("agent:tool:called", "review", "1.0", output={"text": "a"}),
    event("agent:model:answered", "review", "2.model", text='{"amount": 250}'),
    event("human:approval:decided", "gate", "", data={"verdict": "approve"}),
    event("agent:tool:requested", "look", "call", data={"subject": "notes.read@1.0.0"}),
    event(
        "agent:tool:called",
        "look",
        "call",
        output={"text": "b"},
        request_sha256=request_digest(tool="notes.read", version="1.0.0", arguments={"n": 250}),
    ),
]
PAID: list[dict[str, JsonValue]] = [
    event(
        "agent:model:answered",
        "settle",
        "1.model",
        text="",
        calls=[{"name": "bank.pay", "arguments": {"to": to}} for to in ("a", "b", "c", "d")],
    ),
    event("human:approval:decided", "settle", "1.0", data={"verdict": "approve"}),
    event("human:approval:decided", "settle", "1.1", data={"verdict": "reject"}),
    event("agent:tool:requested", "settle", "1.0", data={"subject": "bank.pay@1.0.0"}),
    event("agent:tool:called", "settle", "1.0", output={"paid": "a"}),
    event("agent:tool:requested", "settle", "1.2", data={"subject": "bank.pay@1.0.0"}),
    event("agent:tool:called", "settle", "1.2", output={"paid": "c"}),
    event("agent:model:answered", "settle", "2.model", text='{"amount": 250}'),
]
"""Two payments that people decided, one that policy allowed, one that it denied."""


def compiled(text: str, tools: list[ToolSpec], changes: dict[str, str] | None = None) -> Program:
    """Compile a definition; `changes` replace parts of its text."""
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    drafts, problems = YamlBundleReader().read({"d.yaml": text}, tools=tools)
    assert not problems, problems
    return compile_program(drafts[0], tools=tools, config={})


def paying() -> Program:
    """Compile the definition whose agent pays."""
    return compiled(PAYING, [PAY])


def program(changes: dict[str, str] | None = None, *, limit: int = 200) -> Program:
    """Compile the definition; `changes` replace parts of its text."""
    return compiled(CLAIM.replace("LIMIT", str(limit)), [NOTES], changes)


async def played(folder: Path, trace: Trace, using: Program) -> Replayed:
    """Write a trace, read it again and play it."""
    save_trace(folder, trace)
    loaded, scripts = load_trace(folder)
    assert loaded == trace
    return await Replay(using, loaded, scripts).play()


@pytest.fixture(name="trace")
def _trace() -> Trace:
    return record(GIVEN, EVENTS)


class TestTrace:
    def test_holds_what_models_tools_and_people_said(self, trace: Trace) -> None:
        assert [one.text for one in trace.answers] == ["", '{"amount": 250}']
        assert [(one.step, one.output) for one in trace.outputs] == [("review", {"text": "a"}), ("look", {"text": "b"})]
        assert [one.verdict for one in trace.decisions] == ["approve"]

    def test_refuses_what_could_not_be_played(self) -> None:
        with pytest.raises(InvalidInput, match="too large to be recorded"):
            record(GIVEN, [event("agent:tool:called", "look", "call", output_bytes=100_000)])

    def test_lies_in_a_folder_of_its_own_with_a_script_for_each_conversation(self, trace: Trace, tmp_path: Path) -> None:
        place = tmp_path / "late-flight"
        save_trace(place, trace)
        assert sorted(path.name for path in place.iterdir()) == ["review.1.script.json", "trace.json"]
        script = json.loads((place / "review.1.script.json").read_text(encoding="utf-8"))
        assert [turn["when"] for turn in script["turns"]] == [{"turn": 0}, {"turn": 1}]


class TestFolders:
    def test_have_the_names_of_their_cases(self) -> None:
        assert trace_folders(["late by two hours", "line 2"]) == {"late by two hours": "late-by-two-hours", "line 2": "line-2"}

    def test_are_never_shared(self) -> None:
        names = ["a b", "a-b", "A-b", "line 1", "?", "...", ".."]
        found = trace_folders(names)
        assert len({folder.lower() for folder in found.values()}) == len(names)
        assert found["line 1"] == "line-1"
        assert not {"", ".", ".."} & set(found.values())


class TestReplay:
    async def test_gives_what_was_recorded(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace, program())
        assert (found.differences, found.status, found.result) == ([], "succeeded", GIVEN["result"])

    async def test_says_when_the_result_is_another(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace, program({'note: "${ steps.look.output.text }"': 'note: "x"'}))
        assert found.differences == ["its result is not the one that was recorded"]

    async def test_says_when_an_answer_does_not_fit_any_more(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace, program({"required: [amount]": "required: [amount, why]"}))
        assert "was recorded" in found.differences[0]

    async def test_stops_where_nothing_was_recorded(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace.model_copy(update={"decisions": []}), program())
        assert found.differences == ["the recording has no answer to: ask_approval at gate"]

    async def test_says_when_nobody_is_asked_any_more(self, trace: Trace, tmp_path: Path) -> None:
        found = await played(tmp_path, trace, program(limit=300))
        assert found.differences == ["gate: nobody is asked, and 'approve' was recorded"]

    async def test_says_when_a_call_is_not_made_any_more(self, trace: Trace, tmp_path: Path) -> None:
        changes = {
            "      call: notes.read": "      if: \"${ input.letter == '' }\"\n      call: notes.read",
            "steps.look.output.text": "input.letter",
        }
        found = await played(tmp_path, trace, program(changes))
        assert "look: it does not call notes.read@1.0.0, and that was recorded" in found.differences

    async def test_says_when_a_call_has_other_arguments(self, trace: Trace, tmp_path: Path) -> None:
        changed = program({'with: {n: "${ steps.review.output.amount }"}': "with: {n: 999999}"})
        assert (await played(tmp_path, trace, changed)).differences == [
            "look: calls notes.read@1.0.0 with other arguments than were recorded"
        ]
        old = [output.model_copy(update={"request": None}) for output in trace.outputs]
        assert (await played(tmp_path, trace.model_copy(update={"outputs": old}), changed)).differences == []

    async def test_makes_an_agents_calls_as_policy_and_people_decided_them(self, tmp_path: Path) -> None:
        given: dict[str, JsonValue] = {**GIVEN, "result": {"amount": 250}}
        trace = record(given, PAID)
        assert [(one.call, one.verdict) for one in trace.decisions] == [("1.0", "approve"), ("1.1", "reject")]
        assert (await played(tmp_path, trace, paying())).differences == []
        swapped = [{**each, "call": {"1.0": "1.1", "1.1": "1.0"}.get(str(each["call"]), each["call"])} for each in PAID[1:3]]
        other = await played(tmp_path, record(given, [PAID[0], *swapped, *PAID[3:]]), paying())
        assert other.differences != []

    async def test_reads_decisions_of_before_that_name_no_call(self, tmp_path: Path) -> None:
        given: dict[str, JsonValue] = {**GIVEN, "result": {"amount": 250}}
        pay: dict[str, JsonValue] = {**PAID[0], "calls": [{"name": "bank.pay", "arguments": {"to": "a"}}]}
        trace = record(given, [pay, {**PAID[1], "call": ""}, *PAID[3:5], PAID[-1]])
        assert (await played(tmp_path, trace, paying())).differences == []
