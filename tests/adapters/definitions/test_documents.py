"""YAML and JSON text that is broken, hostile or only unusual."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.definitions.documents import DEPTH_MAX, Unreadable, read_json, read_yaml
from domain.registry import Problem
from tests.adapters.definitions.bundles import TOOLS, bundle, problems_of


def refused(text: str) -> Problem:
    """Return the first problem of a YAML text."""
    with pytest.raises(Unreadable) as caught:
        read_yaml("a.yaml", text)
    return caught.value.problems[0]


class TestYaml:
    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ("a: [1", (1, 6), "broken YAML"),
            ("a:\n\tb: 1", (2, 1), "a tab cannot indent YAML"),
            ("a: 1\nb:\n  c: 1\n  c: 2", (4, 3), "the key `c` stands twice"),
            ("a: *x", (1, 4), "undefined alias"),
            ("a: !!python/object 1", (1, 4), "tags such as"),
            ("a: !x {b: 1}", (1, 4), "tags such as"),
            ("1: a", (1, 1), "a key must be text"),
            ("? [a]\n: 1", (1, 3), "a key must be text"),
            ("b: &b {x: 1}\na:\n  <<: *b", (3, 3), "merge keys are not used here"),
            ("a: 1\n---\nb: 2", (2, 1), "one file holds one document"),
            ("", (1, 1), "this file is empty"),
            ("a: .nan", (1, 4), "no number that JSON can hold"),
            ("a: 9007199254740993", (1, 4), "integers go up to"),
            ("a: b\x07", (1, 5), "a control character"),
            ("a: b: c", (1, 5), "broken YAML"),
        ],
    )
    def test_says_where_it_is_broken(self, text: str, place: tuple[int, int], message: str) -> None:
        problem = refused(text)
        assert message in problem.message
        assert (problem.line, problem.column) == place

    def test_keeps_dates_and_yes_as_text(self) -> None:
        assert read_yaml("a.yaml", "{a: 2013-01-05, b: yes, c: 0x10, d: 1e3, e: ~, f: 1_0}").value == {
            "a": "2013-01-05",
            "b": "yes",
            "c": 16,
            "d": 1000.0,
            "e": None,
            "f": 10,
        }

    def test_reads_an_alias_as_a_copy(self) -> None:
        assert read_yaml("a.yaml", "a: &x [1]\nb: *x").value == {"a": [1], "b": [1]}

    def test_stops_aliases_that_explode(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
        assert "aliases expand to more than" in refused("\n".join(lines)).message

    def test_stops_an_alias_that_holds_itself(self) -> None:
        assert refused("a: &a [*a]").message

    @pytest.mark.parametrize("depth", [DEPTH_MAX + 2, 100_000])
    def test_stops_deep_nesting(self, depth: int) -> None:
        assert "nested deeper than 64" in refused("a: " + "[" * depth + "]" * depth).message

    @given(text=st.text(alphabet="ab:{}[]-#&*!|>'\"%@` \n\t0${}?,~\x00é", max_size=60))
    @settings(max_examples=400, deadline=None)
    def test_gives_a_value_or_says_where_for_any_text(self, text: str) -> None:
        found: list[Problem] = []
        try:
            read_yaml("a.yaml", text)
        except Unreadable as error:
            found = error.problems
        assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


class TestJson:
    @pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 2}', "NaN", "[" * 100 + "]" * 100, "[" * 200_000])
    def test_is_refused_when_broken_repeated_or_too_deep(self, text: str) -> None:
        with pytest.raises(Unreadable):
            read_json("a.json", text)


class TestBundle:
    def test_is_refused_when_too_large_or_too_many_files(self) -> None:
        assert "at most 1 MiB" in problems_of({"a.yaml": "x" * 1_048_577})[0].message
        assert "at most 256" in problems_of({f"{n}.md": "x" for n in range(257)})[0].message

    @pytest.mark.parametrize("path", ["/etc/a.yaml", "../a.yaml", "a\\b.yaml"])
    def test_is_refused_when_a_path_leaves_it(self, path: str) -> None:
        assert "stays inside the bundle" in problems_of({path: "standfast: 1"})[0].message

    def test_is_refused_without_a_definition(self) -> None:
        assert problems_of({"notes.yaml": "a: 1"})[0].instead == "a .yaml file with `standfast: 1`"
        assert len(problems_of({})) == 1

    def test_may_hold_two_definitions_but_not_one_twice(self) -> None:
        one = bundle("- a: {set: 1}\n")["refund.yaml"]
        assert problems_of({"a.yaml": one, "b.yaml": one.replace("name: refund", "name: other")}) == []
        (problem,) = problems_of({"a.yaml": one, "b.yaml": one})
        assert (problem.file, problem.line) == ("b.yaml", 2)

    def test_knows_its_own_tools(self) -> None:
        tool = "name: shop.look\ndescription: look\nmethod: GET\nurl: https://shop.example/x\ninput: {type: object}\neffect_class: read\n"
        files = bundle("- a: {call: shop.look}\n")
        assert "no tool `shop.look`" in problems_of(files)[0].message
        assert problems_of({**files, "tools/look.yaml": tool}) == []
        assert TOOLS[0].name != "shop.look"

    def test_says_where_a_tool_is_wrong(self) -> None:
        tool = (
            "name: shop.look\ndescription: x\nmethod: FETCH\nurl: https://a.example/\ninput: {type: object}\neffect_class: read\nurll: x\n"
        )
        problems = problems_of({**bundle("- a: {set: 1}\n"), "tools/look.yaml": tool})
        assert [(problem.line, problem.column) for problem in problems] == [(3, 9), (7, 1)]
        assert problems[1].instead == "`url`"

    def test_says_where_a_tools_schema_is_wrong(self) -> None:
        tool = "name: shop.look\ndescription: x\nmethod: GET\nurl: https://a.example/\ninput:\n  type: objekt\neffect_class: read\n"
        (problem,) = problems_of({**bundle("- a: {set: 1}\n"), "tools/look.yaml": tool})
        assert (problem.file, problem.line, problem.column) == ("tools/look.yaml", 6, 9)
