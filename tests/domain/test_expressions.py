"""Expressions and templates: values, failures, what they read, and what is refused before they run."""

from importlib.metadata import version as installed_version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain import expressions
from domain.canonical import canonical_bytes
from domain.errors import ExpressionFailed
from domain.expressions import check_expression, condition, evaluate, references, render

CONTEXT: dict[str, JsonValue] = {
    "input": {"amount": 7, "name": "Ann", "tags": ["a", "b"], "map": {"b": 1, "a": 2}, "none": None, "long": list(range(20_000))},
    "config": {"limit": 5},
    "steps": {"review": {"status": "succeeded", "output": {"ok": True}}},
}

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


class TestCondition:
    def test_is_true_or_false_exactly(self) -> None:
        assert condition("input.amount > config.limit", CONTEXT) is True
        assert condition("input.amount > 100", CONTEXT) is False

    def test_fails_on_an_evaluation_error_which_the_engine_returns_as_a_truthy_value(self) -> None:
        with pytest.raises(ExpressionFailed, match=r"Key not found .* has\(…\)"):
            condition("input.absent > 3", CONTEXT)

    @pytest.mark.parametrize("source", ["input.amount", "input.name", "input.none", "input.map", "input.tags"])
    def test_fails_on_any_other_type(self, source: str) -> None:
        with pytest.raises(ExpressionFailed, match="where true or false is needed"):
            condition(source, CONTEXT)


class TestEvaluate:
    def test_fails_over_the_iteration_budget_instead_of_raising_the_engines_error(self) -> None:
        with pytest.raises(ExpressionFailed, match="Iteration budget exceeded"):
            evaluate("input.long.all(i, i >= 0)", CONTEXT)

    @pytest.mark.parametrize("macro", ["map(k, k)", "filter(k, true)", "all(k, true)", "exists(k, true)", "exists_one(k, true)"])
    @pytest.mark.parametrize("operand", ["input.map", "dyn(input['map'])", "[input.map][0]", "{'a': 1}", "(true ? input.map : input.map)"])
    def test_never_iterates_over_a_map(self, operand: str, macro: str) -> None:
        with pytest.raises(ExpressionFailed, match="cannot iterate over a map"):
            evaluate(f"{operand}.{macro}", CONTEXT)

    def test_still_iterates_over_nested_lists(self) -> None:
        assert evaluate("[input.tags, ['c']].map(x, x.map(y, y + y))", CONTEXT) == [["aa", "bb"], ["cc"]]

    def test_keeps_doubles_and_negative_numbers_in_a_guarded_expression(self) -> None:
        assert evaluate("input.tags.map(t, {'x': -1.5e300, 'y': [-3, 2.25]})", CONTEXT) == [{"x": -1.5e300, "y": [-3, 2.25]}] * 2

    def test_says_how_to_iterate_over_a_value_taken_by_index(self) -> None:
        with pytest.raises(ExpressionFailed, match=r"dyn\(…\)"):
            evaluate("input['tags'].map(t, t)", CONTEXT)
        assert evaluate("dyn(input['tags']).map(t, t)", CONTEXT) == ["a", "b"]

    def test_refuses_an_expression_that_is_too_long(self) -> None:
        with pytest.raises(ExpressionFailed, match="at most 4096"):
            evaluate("1 + " * 2000 + "1", CONTEXT)

    def test_refuses_numbers_in_the_context_that_the_engine_cannot_hold(self) -> None:
        with pytest.raises(ExpressionFailed):
            evaluate("input.x", {"input": {"x": 2**80}})

    def test_says_that_a_root_is_not_there(self) -> None:
        with pytest.raises(ExpressionFailed, match="self"):
            evaluate("self.output", CONTEXT)


class TestRender:
    def test_keeps_the_type_of_one_whole_expression(self) -> None:
        assert render({"a": "${ input.amount }", "b": ["${ input.none }", 3]}, CONTEXT) == {"a": 7, "b": [None, 3]}

    def test_writes_embedded_values_as_text(self) -> None:
        assert render("${ input.name }: ${ input.map }, ${ input.none }, ${ true }", CONTEXT) == 'Ann: {"a":2,"b":1}, , true'

    def test_keeps_braces_and_quotes_inside_expressions(self) -> None:
        assert render("${ {'a': '}'}.a + \"${\" + '''}''' }", CONTEXT) == "}${}"

    def test_writes_an_escaped_opening_as_text(self) -> None:
        assert render("$${ x } and ${ 1 }", CONTEXT) == "${ x } and 1"

    def test_fails_on_an_opening_that_is_never_closed(self) -> None:
        with pytest.raises(ExpressionFailed, match=r"\$\$\{") as caught:
            render("a\n b ${ '}' ", CONTEXT)
        assert caught.value.where == "2:4"

    @pytest.mark.parametrize(
        "source", ["input", "input.a", "has(input.a)", "input.b.size()", "input.c == 'admin'", "input['c']", "input.d"]
    )
    def test_refuses_text_that_the_engine_would_cut(self, source: str) -> None:
        context: dict[str, JsonValue] = {"input": {"a\0x": 1, "b": [{"c\0": 1}], "c": "admin\0x", "d": ["\0"]}}
        with pytest.raises(ExpressionFailed, match=r"U\+0000"):
            evaluate(source, context)

    @given(value=JSON)
    @settings(max_examples=150, deadline=None)
    def test_gives_back_any_json(self, value: JsonValue) -> None:
        rendered = render("${ input }", {"input": value})
        assert canonical_bytes(rendered) == canonical_bytes(value)

    @given(value=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9), min_size=2))
    @settings(max_examples=50, deadline=None)
    def test_gives_the_same_order_of_keys_whatever_the_order_of_the_context(self, value: dict[str, JsonValue]) -> None:
        other: dict[str, JsonValue] = {key: value[key] for key in reversed(value)}
        assert repr(render("${ input }", {"input": value})) == repr(render("${ input }", {"input": other}))

    @given(text=st.text())
    @settings(max_examples=150, deadline=None)
    def test_leaves_text_without_expressions_alone(self, text: str) -> None:
        plain = text.replace("${", "$")
        assert render(plain, CONTEXT) == plain


class TestReferences:
    def test_names_what_a_template_reads(self) -> None:
        template: JsonValue = {"a": ["${ steps.review.output.amount > config.limit }"], "b": "x ${ input['claim'].passenger }"}
        assert references(template) == {("steps", "review.output.amount"), ("config", "limit"), ("input", "claim.passenger")}

    def test_ends_before_an_index_that_is_no_constant_name(self) -> None:
        found = references("${ steps.a.output.items[0].x + steps.b.output[input.key] + steps[config.s].output }")
        assert found == {("steps", "a.output.items"), ("steps", "b.output"), ("input", "key"), ("steps", ""), ("config", "s")}

    def test_ends_before_a_name_with_a_dot(self) -> None:
        assert references("${ steps.a.output['x.y'] }") == {("steps", "a.output")}

    def test_sees_into_has_macros_and_conditionals(self) -> None:
        found = references("${ has(steps.a.output.x) ? input.l.map(i, i.y + self.output.z) : [] }")
        assert found == {("steps", "a.output.x"), ("input", "l"), ("self", "output.z")}

    def test_does_not_take_an_iteration_variable_for_a_root(self) -> None:
        assert references("${ [1].map(step, step + 1) }") == set()


class TestCheckExpression:
    TYPES = {"input": "map", "input.amount": "int", "input.name": "string", "input.tags": "list:string", "input.map": "map"}

    @pytest.mark.parametrize(
        ("source", "column", "message"),
        [
            ("input.amount > 'x'", 14, "no matching overload"),
            ("input.name + 1", 12, "no matching overload"),
            ("input.tags.exists(t, t == 3)", 24, "no matching overload"),
            ("input.map.map(k, k)", 14, "cannot iterate over a map"),
            ("unknown.x", 8, "undeclared reference"),
            ("input.name ==", 14, "Syntax error"),
            ("timestamp('2013-01-05T00:00:00Z').getHours('Europe/Berlin')", 43, "time zones by name"),
            ("[1].map(steps, steps)", 8, "iteration variable"),
            ("timestamp('2013-01-05T00:00:00Z')", 1, "JSON cannot hold"),
            ("has(input.amount) && input.amount > 'x'", 35, "no matching overload"),
        ],
    )
    def test_names_the_place_and_the_mistake(self, source: str, column: int, message: str) -> None:
        (flaw, *_) = check_expression(source, types=self.TYPES)
        assert (flaw.line, flaw.column) == (1, column)
        assert message in flaw.message

    @pytest.mark.parametrize(
        "source",
        [
            "has(input.amount)",
            "has(input.amount) && input.amount > 2",
            "input.name == 'has(x)'",
            "input.other == 3",
            "input.tags.all(t, t > 'a')",
        ],
    )
    def test_passes_what_may_run(self, source: str) -> None:
        assert check_expression(source, want_bool=True, types=self.TYPES) == []

    @pytest.mark.parametrize("source", ["input.amount", "'yes'", "input.tags.map(t, t)"])
    def test_wants_a_condition_to_be_true_or_false(self, source: str) -> None:
        (flaw,) = check_expression(source, want_bool=True, types=self.TYPES)
        assert "a condition must be true or false" in flaw.message

    def test_leaves_a_type_that_only_the_run_knows(self) -> None:
        assert check_expression("input.unknown", want_bool=True) == []

    def test_finds_the_line_in_longer_expressions(self) -> None:
        (flaw, *_) = check_expression("input.amount > 1\n  && input.name > 2", types=self.TYPES)
        assert flaw.line == 2


class TestEngine:
    def test_is_the_version_that_is_installed(self) -> None:
        name, version = expressions.ENGINE.split("/")
        assert name == "cel-expr-python"
        assert version == installed_version("cel-expr-python")
