"""Tools, expressions, models and approvals of a definition, checked against each other."""

import pytest

from tests.adapters.definitions.bundles import bundle, messages_of, problems_of

AGENT = """\
- review:
    agent:
      model: scripted/x
      instructions: {text: go}
      output: {schema: {type: object, properties: {amount: {type: integer}, verdict: {enum: [pay, no]}, free: {type: object}}}}
"""


class TestTools:
    def test_names_near_ones_when_unknown(self) -> None:
        assert messages_of("- a: {call: order.find}\n") == ["1:13: there is no tool `order.find` → `orders.find`"]

    def test_says_which_versions_there_are(self) -> None:
        (message,) = messages_of("- a: {call: orders.find@^3}\n")
        assert message.startswith("1:13: no version of `orders.find` lies in `^3`; there is 1.0.0, 1.4.0, 2.0.0")

    def test_refuses_ranges_that_no_one_version_satisfies(self) -> None:
        assert len(messages_of("- a: {call: orders.find@^1}\n- b: {call: orders.find@^2}\n")) == 2

    def test_refuses_what_is_no_range(self) -> None:
        assert "`latest!` is no range of versions" in messages_of("- a: {call: orders.find@latest!}\n")[0]

    def test_wants_required_arguments_and_knows_the_others(self) -> None:
        messages = messages_of("- a: {call: bank.pay, with: {amont: 5}}\n")
        assert messages == [
            "1:23: the tool `bank.pay` needs the argument `amount` → amount: …",
            "1:30: the tool `bank.pay` has no argument `amont` → `amount`",
        ]

    def test_checks_values_without_expressions(self) -> None:
        (message,) = messages_of("- a: {call: bank.pay, with: {amount: many}}\n")
        assert "`amount` does not fit the tool" in message

    def test_checks_the_tools_of_an_agent_and_of_a_compensation(self) -> None:
        assert "no tool `nope`" in messages_of("- a: {agent: {model: x/y, instructions: {text: x}, tools: [nope]}}\n")[0]
        assert "no tool `nope`" in messages_of("- s: {saga: [{a: {call: mail.send, compensate: {call: nope}}}]}\n")[0]


class TestExpressions:
    @pytest.mark.parametrize(
        ("step", "place", "message"),
        [
            ("{set: '${ input.ordr }'}", "6:16", "the input declares no field `ordr` → `order`"),
            ("{set: '${ config.limits }'}", "6:16", "the config declares no field `limits` → `limit`"),
            ("{set: '${ steps.revew.output }'}", "6:16", "there is no step `revew` → `review`"),
            ("{set: '${ steps.review.output.sum }'}", "6:16", "the output of `review` declares no field `sum`"),
            ("{set: '${ steps.review.amount }'}", "6:16", "the step `review` has no `amount` → steps.review.output.amount"),
            ("{set: '${ steps.review.output.amount.x }'}", "6:16", "declares no field `x`"),
            ("{set: '${ steps.last.output }'}", "6:16", "the step `last` runs after `a`"),
            ("{set: '${ steps.a.output }'}", "6:16", "cannot read itself here"),
            ("{set: '${ self.output }'}", "6:16", "`self` stands only in `output.as`"),
            ("{set: 1, if: '${ steps.review.output.amount > \"x\" }'}", "6:50", "no matching overload"),
            ("{set: 1, if: '${ steps.review.output.verdict == 3 }'}", "6:51", "no matching overload"),
            ("{set: 1, if: '${ steps.review.status == 3 }'}", "6:43", "no matching overload"),
            ("{set: 1, if: '${ input.order }'}", "6:23", "a condition must be true or false, and this is string"),
            ("{set: '${ steps.review.output.free.map(k, k) }'}", "6:44", "cannot iterate over a map"),
            ("{set: '${ input.parts.map(p, p + 1) }'}", "6:37", "no matching overload"),
            ("{set: ['x', {k: 'abc ${ 1 } ${ nope }'}]}", "6:37", "undeclared reference to 'nope'"),
            ("{set: 'abc ${ 1 '}", "6:12", "has no closing `}`"),
            ("{set: 1, summary: '${ input.nope }'}", "6:28", "declares no field `nope`"),
            ("{call: mail.send, output: {as: '${ self.total }'}}", "6:41", "`self` has `output` and `arguments`, no `total`"),
            ("{call: orders.find@1.0.0, output: {as: '${ self.output.sum }'}}", "6:49", "declares no field `sum`"),
        ],
    )
    def test_names_the_place_and_the_mistake(self, step: str, place: str, message: str) -> None:
        (found,) = messages_of(f"{AGENT}- a: {step}\n- last: {{set: 1}}\n")
        assert found.startswith(place + ": ")
        assert message in found

    @pytest.mark.parametrize(
        ("step", "instead"),
        [
            ("{set: 1, if: '${ steps.review.output.amount }'}", "… > 0"),
            ("{set: 1, if: '${ input.order }'}", "… == 'text'"),
            ("{set: '${ inptu.order }'}", "`input`"),
            ("{set: '${ nope }'}", "one of `config`, `input`, `self`, `steps`"),
            ("{set: '${ steps.review.output.amount + input.order }'}", "two values of one type: int(…) or string(…) converts one of them"),
            ("{set: '${ input.order + }'}", "an expression of CEL, such as input.amount > 100 && input.name != ''"),
        ],
    )
    def test_says_what_to_write_instead(self, step: str, instead: str) -> None:
        (found,) = messages_of(f"{AGENT}- a: {step}\n")
        assert found.endswith(f" → {instead}")

    def test_finds_the_place_in_a_block_of_text(self) -> None:
        do = "- a:\n    set: |\n      first ${ input.order }\n      and ${ input.nope }\n"
        assert messages_of(do)[0].startswith("4:14: `input.nope`")

    def test_finds_the_place_in_a_prompt_file(self) -> None:
        do = "- a: {agent: {model: x/y, instructions: judge}}\n"
        (problem,) = problems_of({**bundle(do), "prompts/judge.md": "Judge.\n\nSay ${ input.nope }"})
        assert (problem.file, problem.line, problem.column) == ("prompts/judge.md", 3, 8)

    def test_allows_what_schemas_leave_open(self) -> None:
        do = f"{AGENT}- a: {{call: mail.send}}\n- b: {{set: ['${{ steps.a.output.any.thing }}', '${{ steps.review.output.free.x }}']}}\n"
        assert messages_of(do) == []

    def test_lets_a_step_read_what_came_before_inside_the_same_container(self) -> None:
        assert messages_of("- s: {do: [{a: {set: 1}}, {b: {set: '${ steps.s.a.output }'}}]}\n") == []
        assert "still going on" in messages_of("- s: {do: [{a: {set: 1}}, {b: {set: '${ steps.s.output }'}}]}\n")[0]

    def test_keeps_the_cases_of_a_switch_apart(self) -> None:
        inner = "{d: {do: [{y: {set: '${ steps.s.x.output }'}}]}}"
        do = f"- s: {{switch: [{{c: {{when: '${{ true }}', do: [{{x: {{set: 1}}}}]}}}}, {inner}]}}\n"
        assert "stands in another case of the switch `s`" in messages_of(do)[0]

    def test_knows_the_shape_of_what_set_and_output_as_make(self) -> None:
        made = "- a: {set: {n: 1, t: x, e: '${ input.amount }'}}\n"
        do = f"{made}- b: {{set: '${{ steps.a.output.n + 1 }}'}}\n- c: {{set: '${{ steps.a.output.m }}'}}\n"
        (message,) = messages_of(do)
        assert message.startswith("3:")
        do = "- a: {call: orders.find, output: {as: {sum: 1}}}\n- c: {set: '${ steps.a.output.total }'}\n"
        assert "declares no field `total`" in messages_of(do)[0]

    def test_checks_the_definitions_own_output(self) -> None:
        (message,) = messages_of("- a: {set: 1}\n", tail="output: {x: '${ steps.b.output }'}\n")
        assert "there is no step `b`" in message

    def test_lets_a_compensation_read_its_own_step(self) -> None:
        ok = "{has(self.output.payment) ? steps.s.p.output.payment : string(self.arguments.amount)}"
        do = "- s: {{saga: [{{p: {{call: bank.pay, with: {{amount: 1}}, compensate: {{call: bank.refund, with: {{x: '${}'}}}}}}}}]}}\n"
        assert messages_of(do.format(ok)) == []
        assert "declares no field `pay`" in messages_of(do.format("{ self.output.pay }"))[0]


class TestModels:
    @pytest.mark.parametrize("model", ["GPT 5", "'${ input.order }'", "'${ steps.a.output }'"])
    def test_come_from_the_config_or_are_written_in_full(self, model: str) -> None:
        assert len(messages_of(f"- a: {{agent: {{model: {model}, instructions: {{text: x}}}}}}\n")) >= 1

    def test_may_come_from_the_config(self) -> None:
        assert messages_of("- a: {agent: {model: '${ config.model }', instructions: {text: x}}}\n") == []


def gate(approve: str, calls: str) -> str:
    """Return a gate, and the steps after it."""
    return f"- g: {{approve: {{title: t, reviewers: {{role: r}}, {approve}}}}}\n{calls}"


class TestApprovals:
    def test_bind_call_steps_that_come_later(self) -> None:
        calls = "- s: {saga: [{pay: {call: bank.pay, with: {amount: 1}}}]}\n- x: {set: 1}\n"
        assert messages_of(gate("binds: [s.pay]", calls)) == []
        assert "there is no such step → `s.pay`" in messages_of(gate("binds: [s.pai]", calls))[0]
        assert "which is no `call` step → binds: [s.pay]" in messages_of(gate("binds: [s]", calls))[0]
        assert "which is no `call` step" in messages_of(gate("binds: [x]", calls))[0]
        assert "runs before this approval" in messages_of("- a: {call: mail.send}\n" + gate("binds: [a]", ""))[0]

    def test_bind_calls_with_arguments_one_by_one(self) -> None:
        calls = "- a: {call: mail.send, with: '${ input }'}\n"
        assert "whose `with` is one expression" in messages_of(gate("binds: [a]", calls))[0]

    @pytest.mark.parametrize(("argument", "refused"), [("amount", True), ("recipient", True), ("purpose", True), ("note", False)])
    def test_refuse_what_no_reviewer_would_see(self, argument: str, refused: bool) -> None:  # noqa: FBT001  # the table's second column
        late = f"{argument}: '${{ steps.late.output.x }}'"
        arguments = late if argument == "amount" else f"amount: 1, {late}"
        calls = f"- late: {{call: mail.send}}\n- pay: {{call: bank.pay, with: {{{arguments}}}}}\n"
        messages = messages_of(gate("binds: [pay]", calls))
        assert [f"feeds `{argument}` of `pay`" in message for message in messages] == ([True] if refused else [])

    def test_are_not_given_by_time_alone_when_the_world_changes(self) -> None:
        pay = "- pay: {call: bank.pay, with: {amount: 1}}\n"
        assert "bank.pay change the world" in messages_of(gate("binds: [pay], timeout: 1h, on_timeout: approve", pay))[0]
        assert "bank.pay change the world" in messages_of(gate("timeout: 1h, on_timeout: approve", pay))[0]
        assert messages_of(gate("binds: [f], timeout: 1h, on_timeout: approve", "- f: {call: orders.find}\n" + pay)) == []

    def test_need_a_timeout_for_on_timeout(self) -> None:
        assert "`on_timeout` needs a `timeout`" in messages_of(gate("on_timeout: fail", ""))[0]
