"""Labels flow through a run: into templates, sets, containers and segments, and never get lost on the way."""

import pytest
from pydantic import JsonValue

from domain.label_flow import LabelFlow, result_labels
from domain.labels import Label, TrustedValues, input_labels, leaves, merged, untrusted
from domain.program import DoStep, Program, SetStep, Step
from domain.state import RunContext, State, StepRecord, StepStatus
from domain.stepper import walk
from tests.domain.programs import call, pinned, program

WEB = pinned("web.fetch")
CLOSED = pinned("crm.find").model_copy(update={"trust": "trusted"})
PAY = pinned("bank.pay").model_copy(update={"sensitive_arguments": ("to",)})
DIRTY: list[Label] = ["tool:untrusted"]


def flow(*steps: Step, given: JsonValue = None, untrusted_input: list[str] | None = None, **labels: dict[str, list[Label]]) -> LabelFlow:
    """Build a flow over steps that are done, with the labels of their records."""
    made: Program = program(*steps, tools=[WEB, CLOSED, PAY]).model_copy(update={"untrusted_input": untrusted_input or []})
    records = {path.replace("__", "."): StepRecord(status=StepStatus.SUCCEEDED, labels=parts) for path, parts in labels.items()}
    run = RunContext(tenant="t", run="r", principal="p", input=given)
    return LabelFlow(made, run, State(steps=records), {step.path: step for step in walk(made.steps)})


class TestTemplate:
    def test_that_reads_nothing_is_the_definitions(self) -> None:
        assert flow().of("plain") == ["definition"]

    def test_has_the_labels_of_all_it_reads(self) -> None:
        labels = flow(call("web", tool="web.fetch"), web={"": DIRTY}).of("${ input.a } and ${ steps.web.output.b }")
        assert labels == ["user", "tool:untrusted"]

    def test_reads_the_part_it_names_and_no_other(self) -> None:
        made = flow(call("web", tool="web.fetch"), web={"good": ["user"], "bad": DIRTY})
        assert made.of("${ steps.web.output.good }") == ["user"]
        assert made.of("${ steps.web.output.bad.deeper }") == DIRTY
        assert made.of("${ steps.web.output }") == ["user", "tool:untrusted"]
        assert made.of("${ steps.web.output.unknown }") == ["user", "tool:untrusted"]

    def test_takes_no_label_from_a_status(self) -> None:
        assert flow(call("web", tool="web.fetch"), web={"": DIRTY}).of("${ steps.web.status }") == []

    def test_that_reads_every_step_has_every_label(self) -> None:
        assert flow(call("web", tool="web.fetch"), web={"": DIRTY}).of("${ steps }") == DIRTY


class TestPlaceOfAFile:
    def test_has_the_labels_of_what_lies_there(self) -> None:
        made = flow(call("web", tool="web.fetch"), untrusted_input=["letter"], web={"file": DIRTY, "good": ["user"]})
        assert made.place("steps.web.output.file.0") == made.place("steps.web.output.file") == DIRTY
        assert made.place("steps.web.output.good") == ["user"]
        assert made.place("input.letter.0") == ["user", "signal"]
        assert made.place("input.photo") == ["user"]

    def test_lies_in_a_step_inside_another(self) -> None:
        assert flow(call("box.web", tool="web.fetch"), box__web={"": DIRTY}).place("steps.box.web.output") == DIRTY


class TestInput:
    def test_is_the_users_but_for_what_the_definition_says(self) -> None:
        made = flow(untrusted_input=["claim.text"])
        assert made.input("claim.email") == ["user"]
        assert made.input("claim.text") == made.input("claim") == made.input("") == ["user", "signal"]

    def test_of_a_run_that_a_hook_started_is_a_signal(self) -> None:
        assert input_labels("hok_1", []) == {"": ["signal"]}
        assert input_labels("hok_1", ["memory"]) == {"": ["memory", "signal"]}
        assert input_labels("prn_1", []) == {}


class TestOutput:
    def test_of_a_tool_is_as_the_tool_says(self) -> None:
        made = flow(call("web", tool="web.fetch"))
        assert made.output(call("web", tool="web.fetch")) == {"": DIRTY}
        assert made.output(call("crm", tool="crm.find")) == {}

    def test_of_a_trusted_tool_keeps_what_its_arguments_bring(self) -> None:
        made = flow(call("web", tool="web.fetch"), web={"": DIRTY})
        reading = call("crm", tool="crm.find", arguments={"name": "${ steps.web.output.name }"})
        assert made.output(reading) == {"": ["tool:trusted", "tool:untrusted"]}

    def test_of_a_set_keeps_its_parts_apart(self) -> None:
        step = SetStep(path="s", value={"to": "${ input.to }", "note": "${ steps.web.output }"})
        assert flow(call("web", tool="web.fetch"), web={"": DIRTY}).output(step) == {"to": ["user"], "note": DIRTY}

    def test_made_anew_by_output_as_has_what_that_reads(self) -> None:
        step = SetStep(
            path="s", value={"a": "${ steps.web.output }", "b": 1}, output_as={"x": "${ self.output.a }", "y": "${ self.output.b }"}
        )
        assert flow(call("web", tool="web.fetch"), web={"": DIRTY}).output(step) == {"x": DIRTY, "y": ["definition"]}

    def test_of_a_container_has_the_labels_of_its_steps_by_name(self) -> None:
        box = DoStep(path="box", steps=[call("box.web", tool="web.fetch")])
        made = flow(box, box__web={"": DIRTY})
        assert made.output(box) == {"web": DIRTY}

    @pytest.mark.parametrize(("tool", "label"), [("memory.search", "memory"), ("web.fetch", "tool:untrusted")])
    def test_of_memory_is_what_some_run_once_stored(self, tool: str, label: Label) -> None:
        assert result_labels(pinned(tool)) == [label]

    def test_of_an_mcp_tool_is_labelled_so_whatever_it_says_of_itself(self) -> None:
        assert result_labels(pinned("mcp.x").model_copy(update={"kind": "mcp", "trust": "trusted"})) == ["mcp"]


class TestArguments:
    def test_are_told_apart(self) -> None:
        step = call("pay", arguments={"to": "${ steps.web.output.to }", "amount": "${ input.amount }"})
        made = flow(call("web", tool="web.fetch"), web={"": DIRTY})
        assert made.arguments(step.arguments, {"to": "X", "amount": 1}, ["to", "amount"]) == {"to": DIRTY, "amount": ["user"]}

    def test_that_equal_a_part_of_the_input_are_the_users(self) -> None:
        step = call("pay", arguments={"to": "${ steps.web.output.to }"})
        made = flow(call("web", tool="web.fetch"), given={"account": "DE0123456"}, web={"": DIRTY})
        assert made.arguments(step.arguments, {"to": "DE0123456"}, ["to"]) == {"to": ["user"]}
        assert made.arguments(step.arguments, {"to": "DE0123457"}, ["to"]) == {"to": DIRTY}

    def test_that_equal_an_untrusted_part_of_the_input_are_not(self) -> None:
        step = call("pay", arguments={"to": "${ steps.web.output.to }"})
        made = flow(call("web", tool="web.fetch"), given={"text": "DE0123456"}, untrusted_input=["text"], web={"": DIRTY})
        assert made.arguments(step.arguments, {"to": "DE0123456"}, ["to"]) == {"to": DIRTY}

    def test_given_as_one_expression_have_all_its_labels(self) -> None:
        made = flow(call("web", tool="web.fetch"), web={"": DIRTY})
        assert made.arguments("${ steps.web.output }", {"to": "X"}, ["to"]) == {"to": DIRTY}


class TestTrustedValues:
    def test_knows_texts_anywhere_and_short_ones_under_their_name(self) -> None:
        known = TrustedValues()
        known.add({"account": "DE0123456", "currency": "EUR", "amount": 5, "flag": True})
        assert known.holds("to", "DE0123456")
        assert known.holds("payment.currency", "EUR")
        assert not known.holds("to", "EUR")
        assert known.holds("amount", 5)
        assert not known.holds("amount", True)
        assert not known.holds("amount", 5.0)
        assert not known.holds("to", "DE0123456 ")

    def test_holds_a_list_only_when_it_holds_each_item(self) -> None:
        known = TrustedValues()
        known.add({"to": ["a@example.com", "b@example.com"]})
        assert known.holds_all({"to": ["b@example.com"]}, "to")
        assert not known.holds_all({"to": ["a@example.com", "evil@example.com"]}, "to")


class TestLabels:
    def test_merge_in_one_order_without_repeats(self) -> None:
        assert merged(["signal", "user"], ["user", "model"]) == ["user", "model", "signal"]

    def test_are_untrusted_when_any_is(self) -> None:
        assert untrusted(["user", "memory"])
        assert not untrusted(["user", "model", "definition", "tool:trusted"])

    def test_leaves_have_dotted_names(self) -> None:
        assert list(leaves({"a": {"b": [1, {"c": 2}]}, "d": {}})) == [("a.b.0", 1), ("a.b.1.c", 2), ("d", {})]
