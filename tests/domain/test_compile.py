"""Programs: what is pinned, fixed and projected when a run starts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.compile import compile_program, merged_config
from domain.errors import InvalidDefinition
from domain.expressions import ENGINE
from domain.program import AgentStep, ApproveStep, CallStep, Program, SwitchStep
from domain.projection import project, unproject
from tests.adapters.definitions.bundles import HEAD, TOOLS, bundle, draft_of

AGENT = "- a: {agent: {model: '${ config.model }', instructions: {text: 'See ${ input.order }'}, tools: [orders.find@^1]}}\n"


def program_of(do: str, *, tail: str = "", config: dict[str, JsonValue] | None = None) -> Program:
    """Return the program of a definition with these steps."""
    return compile_program(draft_of(bundle(do, tail=tail)), tools=TOOLS, config=config or {})


class TestPinning:
    def test_takes_the_newest_version_that_every_range_allows(self) -> None:
        program = program_of("- a: {call: orders.find}\n- b: {call: orders.find@^1}\n")
        assert {name: tool.version for name, tool in program.tools.items()} == {"orders.find": "1.4.0"}
        assert program_of("- a: {call: orders.find}\n").tools["orders.find"].version == "2.0.0"

    def test_pins_the_tools_of_agents_and_compensations(self) -> None:
        do = AGENT + "- s: {saga: [{p: {call: bank.pay, with: {amount: 1}, compensate: {call: bank.refund}}}]}\n"
        assert sorted(program_of(do).tools) == ["bank.pay", "bank.refund", "orders.find"]

    def test_fails_when_a_tool_is_gone(self) -> None:
        draft = draft_of(bundle("- a: {call: mail.send}\n"))
        with pytest.raises(InvalidDefinition, match=r"there is no tool `mail.send`") as caught:
            compile_program(draft, tools=TOOLS[:2], config={})
        assert caught.value.where == "do.0.a.call"

    def test_uses_the_tools_the_bundle_declares(self) -> None:
        tool = "name: shop.look\ndescription: x\nmethod: GET\nurl: https://a.example/\ninput: {type: object}\neffect_class: read\n"
        draft = draft_of({**bundle("- a: {call: shop.look}\n"), "tools/look.yaml": tool})
        assert compile_program(draft, tools=[], config={}).tools["shop.look"].effect_class.value == "read"

    def test_records_the_engine_and_the_definitions_digest(self) -> None:
        draft = draft_of(bundle("- a: {set: 1}\n"))
        program = compile_program(draft, tools=TOOLS, config={})
        assert (program.expression_engine, program.sha256) == (ENGINE, draft.sha256)

    def test_is_plain_json_that_reads_back_the_same(self) -> None:
        program = program_of(AGENT + "- s: {switch: [{c: {do: [{x: {call: mail.send}}]}}]}\n", tail="output: '${ steps }'\n")
        assert Program.model_validate_json(program.model_dump_json()) == program


class TestConfig:
    def test_overrides_the_defaults(self) -> None:
        assert program_of(AGENT, config={"limit": 9}).config == {"model": "scripted/refund", "limit": 9}

    def test_fails_when_it_breaks_the_schema(self) -> None:
        with pytest.raises(InvalidDefinition, match="/limit"):
            program_of(AGENT, config={"limit": "many"})

    def test_gives_the_model(self) -> None:
        (step,) = program_of(AGENT, config={"model": "openai/some-model"}).steps
        assert isinstance(step, AgentStep)
        assert step.model == "openai/some-model"
        assert len(step.instructions_sha256) == 64

    def test_fails_when_it_gives_no_model(self) -> None:
        with pytest.raises(InvalidDefinition, match="write provider/name"):
            program_of(AGENT, config={"model": "some-model"})

    def test_fails_when_it_leaves_the_model_out(self) -> None:
        draft = draft_of({"a.yaml": HEAD.replace("model: scripted/refund, ", "") + AGENT})
        with pytest.raises(InvalidDefinition, match="is not known"):
            compile_program(draft, tools=TOOLS, config={})


class TestProjections:
    def test_are_the_fields_that_any_expression_reads(self) -> None:
        do = """\
- a: {call: orders.find@1.0.0}
- b: {if: '${ steps.a.output.total > 1 }', set: 'x ${ steps.a.output.owner }', summary: '${ steps.a.status } ${ input.order }'}
- c: {approve: {title: '${ input.amount }', reviewers: {role: r}}}
"""
        program = program_of(do, tail="output: {x: '${ steps.c.output.decision }'}\n")
        assert program.projections == {"a": ["owner", "total"], "b": [""], "c": ["decision"]}
        assert program.input_projection == ["amount", "order"]

    def test_drop_a_field_inside_another(self) -> None:
        do = "- a: {call: mail.send}\n- b: {set: ['${ steps.a.output.x.y }', '${ steps.a.output.x }', '${ steps.a.output.xy }']}\n"
        assert program_of(do).projections["a"] == ["x", "xy"]

    def test_take_the_whole_where_it_is_read(self) -> None:
        assert program_of("- a: {call: mail.send}\n- b: {set: ['${ steps.a }', '${ steps.a.output.x }']}\n").projections["a"] == [""]

    def test_expand_a_container_into_its_steps(self) -> None:
        do = "- s: {saga: [{p: {call: mail.send}}, {q: {do: [{r: {call: mail.send}}]}}]}\n"
        assert program_of(do, tail="output: '${ steps.s }'\n").projections == {"s.p": [""], "s.q.r": [""]}
        assert program_of(do, tail="output: '${ steps.s.output.q.r.x }'\n").projections == {"s.q.r": ["x"]}
        assert program_of(do, tail="output: '${ steps.s.status }'\n").projections == {}

    def test_of_a_step_with_output_as_are_what_that_reads(self) -> None:
        do = "- a: {call: mail.send, output: {as: {k: '${ self.output.x.y }'}}}\n- b: {set: '${ steps.a.output.k }'}\n"
        assert program_of(do).projections["a"] == ["x.y"]

    def test_of_a_container_with_output_as_reach_its_steps(self) -> None:
        do = "- s: {do: [{p: {call: mail.send}}], output: {as: '${ self.output.p.x }'}}\n"
        assert program_of(do, tail="output: '${ steps.s.output }'\n").projections == {"s.p": ["x"]}

    def test_know_what_a_compensation_reads_of_its_own_step(self) -> None:
        inner = "{p: {call: bank.pay, with: {amount: 1}, compensate: {call: bank.refund, with: {x: '${ self.output.payment }'}}}}"
        assert program_of(f"- s: {{saga: [{inner}]}}\n").projections == {"s.p": ["payment"]}

    def test_find_steps_in_the_cases_of_a_switch(self) -> None:
        do = "- s: {switch: [{c: {when: '${ true }', do: [{x: {call: mail.send}}]}}, {d: {do: [{y: {call: mail.send}}]}}]}\n"
        program = program_of(do, tail="output: {a: '${ steps.s.x.output.p }', b: '${ steps.s.output.y.q }'}\n")
        assert program.projections == {"s.x": ["p"], "s.y": ["q"]}
        (switch,) = program.steps
        assert isinstance(switch, SwitchStep)
        assert [step.path for case in switch.cases for step in case.steps] == ["s.x", "s.y"]

    @given(fields=st.sets(st.sampled_from(["", "a", "a.b", "a.b.c", "a.c", "b", "b.a"]), min_size=1))
    @settings(max_examples=40, deadline=None)
    def test_hold_everything_that_is_read(self, fields: set[str]) -> None:
        reads = ", ".join("'${ steps.s.output" + ("." if field else "") + field + " }'" for field in sorted(fields))
        paths = program_of(f"- s: {{call: mail.send}}\n- r: {{set: [{reads}]}}\n").projections["s"]
        output: JsonValue = {"a": {"b": {"c": 1, "d": 2}, "c": 3}, "b": {"a": 4, "z": 5}, "z": 6}
        seen = unproject(project(output, paths))
        for field in fields:
            assert project(seen, [field]) == project(output, [field])


class TestApprovals:
    def test_list_the_arguments_that_later_steps_feed(self) -> None:
        do = """\
- g: {approve: {title: t, binds: [s.pay], reviewers: {role: r}}}
- s:
    saga:
      - hold: {call: mail.send}
      - pay:
          call: bank.pay
          with: {amount: '${ input.amount }', note: '${ steps.s.hold.output.id } ${ steps.g.output.comment }'}
          compensate: {call: bank.refund, if_unknown: compensate}
"""
        gate, saga = program_of(do).steps
        assert isinstance(gate, ApproveStep)
        assert gate.unbound == ["s.pay.note"]
        assert saga.kind == "saga"
        pay = saga.steps[1]
        assert isinstance(pay, CallStep)
        assert pay.compensate is not None
        assert pay.compensate.if_unknown == "compensate"


class TestMergedConfig:
    def test_goes_mapping_by_mapping(self) -> None:
        assert merged_config({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}) == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}

    def test_replaces_what_is_no_mapping(self) -> None:
        assert merged_config({"a": {"x": 1}, "b": [1, 2]}, {"a": 1, "b": {"z": 1}}) == {"a": 1, "b": {"z": 1}}
