"""Where the values of a bound call come from."""

from pydantic import JsonValue

from domain.program import ApproveStep, Step
from domain.provenance import ArgumentOrigin, Origin, conversation_behind, provenance_of
from tests.domain.programs import agent, approve, call, do, program, put

GATE = approve("gate", binds=["settle.pay"])


def origins(arguments: JsonValue, *before: Step, gate: ApproveStep = GATE) -> list[ArgumentOrigin]:
    """Return the origins of a call's arguments after some steps."""
    return provenance_of(program(*before, gate, do("settle", call("settle.pay", arguments=arguments))), gate)


def only(template: JsonValue, *before: Step) -> tuple[list[tuple[str, str | None, str]], bool]:
    """Return the origins of one argument, and whether it is computed."""
    (found,) = origins({"amount": template}, *before)
    return [(each.source, each.step, each.path) for each in found.origins], found.computed


class TestProvenance:
    def test_names_what_made_a_value(self) -> None:
        assert only(250) == ([("literal", None, "")], False)
        assert only("${ input.claim.amount }") == ([("input", None, "claim.amount")], False)
        assert only("${ config.limit }") == ([("config", None, "limit")], False)
        assert only("${ steps.review.output.amount }", agent("review")) == ([("model", "review", "amount")], False)
        assert only("${ steps.look.output.rows }", call("look", tool="flights.lookup")) == ([("tool", "look", "rows")], False)
        assert only("${ steps.ask.output.comment }", approve("ask")) == ([("person", "ask", "comment")], False)
        assert only("${ steps.look.status }", call("look")) == ([("step", "look", "status")], False)

    def test_names_every_source_of_a_computed_value(self) -> None:
        found, computed = only("${ steps.review.output.amount * input.rate }", agent("review"))
        assert (found, computed) == ([("input", None, "rate"), ("model", "review", "amount")], True)
        assert only("Claim ${ input.id }") == ([("input", None, "id")], True)

    def test_looks_through_values_that_were_set(self) -> None:
        sum_of = put("sum", {"amount": "${ steps.review.output.amount }", "note": "fixed"})
        assert only("${ steps.sum.output.amount }", agent("review"), sum_of) == ([("model", "review", "amount")], False)
        assert only("${ steps.sum.output.note }", agent("review"), sum_of) == ([("literal", "sum", "")], False)
        doubled = put("sum", "${ steps.review.output.amount * 2 }")
        assert only("${ steps.sum.output }", agent("review"), doubled) == ([("model", "review", "amount")], True)

    def test_says_that_an_output_was_remade(self) -> None:
        assert only("${ steps.review.output }", agent("review", output_as="${ self.output.amount + 1 }")) == (
            [("model", "review", "")],
            True,
        )

    def test_tells_the_parts_of_an_argument_apart(self) -> None:
        found = origins({"to": {"name": "${ input.name }", "iban": "DE00"}, "tags": ["a", "${ config.tag }"], "note": {}})
        assert [each.argument for each in found] == ["to.name", "to.iban", "tags", "note"]
        assert found[2].origins == [Origin(source="config", path="tag")]

    def test_leaves_out_what_is_fed_later(self) -> None:
        gate = approve("gate", binds=["settle.pay"], unbound=["settle.pay.reference"])
        found = origins({"amount": 1, "reference": "${ steps.later.output }"}, gate=gate)
        assert [each.argument for each in found] == ["amount"]

    def test_names_whole_arguments_of_very_large_calls(self) -> None:
        found = origins({"rows": {f"r{n}": n for n in range(300)}, "of": "${ input.id }"})
        assert [each.argument for each in found] == ["rows", "of"]


class TestConversationBehind:
    def test_is_that_of_the_first_model_that_feeds_an_argument(self) -> None:
        steps = (agent("a"), agent("b"), GATE, do("settle", call("settle.pay", arguments={"x": "${ steps.b.output.x }"})))
        assert conversation_behind(steps, GATE) == "b"

    def test_is_else_that_of_the_question_itself(self) -> None:
        gate = approve("gate", title="Pay ${ steps.a.output.amount }?")
        assert conversation_behind([agent("a"), gate], gate) == "a"
        assert conversation_behind([agent("a"), approve("gate")], approve("gate")) is None
