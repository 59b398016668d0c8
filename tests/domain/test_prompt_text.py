"""Instructions as templates: what they may do, and that they do nothing else."""

import subprocess
import sys

import pytest
from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.prompt_text import TEXT_BYTES_MAX, check_template, render_prompt, variables_of


class TestPrompt:
    @pytest.mark.parametrize(
        ("text", "variables", "rendered"),
        [
            ("Be {{ tone }}.\n", {"tone": "kind"}, "Be kind.\n"),
            ("{% if strict %}No{% else %}Yes{% endif %}", {"strict": False}, "Yes"),
            ("{% for x in xs if x != 'b' %}{{ loop.index }}{{ x|upper }}{% endfor %}", {"xs": ["a", "b", "c"]}, "1A2C"),
            ("{{ a.b }} {{ a['b'] }} {{ n|default('none') }} {{ xs|join(', ') }}", {"a": {"b": 1}, "xs": [1, 2]}, "1 1 none 1, 2"),
            ("{{ a|tojson }}", {"a": {"y": 1, "x": 2}}, '{"x": 2, "y": 1}'),
            ("{{ text }}", {"text": "{{ 7 * 7 }} <b>"}, "{{ 7 * 7 }} <b>"),
            ("{{ n + 1 if n is defined else 0 }}", {"n": 2}, "3"),
            ("{{ f|round(1, 'floor') }} {{ a|tojson(indent=2) }}", {"f": 1.26, "a": [1]}, "1.2 [\n  1\n]"),
            ("{{ xs|sort(reverse=true)|first }} {{ t|truncate(6, true) }}", {"xs": [1, 3], "t": "what a long text"}, "3 wha..."),
            ("{{ n|default(t) }}", {"t": "t"}, "t"),
            ("{% for x in xs %}{{ x }}/{{ loop.length }}{% if not loop.last %} {% endif %}{% endfor %}", {"xs": [1, 2]}, "1/2 2/2"),
            ("{% for x in xs %}{{ x }}{% else %}none{% endfor %}", {"xs": []}, "none"),
            ("{% for name, n in a|dictsort %}{{ name }}={{ n }} {% endfor %}", {"a": {"y": 1, "x": 2}}, "x=2 y=1 "),
            ("plain ${ input } {", {}, "plain ${ input } {"),
        ],
    )
    def test_reads_its_variables(self, text: str, variables: dict[str, JsonValue], rendered: str) -> None:
        assert render_prompt(text, variables) == rendered

    def test_says_which_variables_it_reads(self) -> None:
        assert variables_of("{{ b }}{% for x in a.list %}{{ x }}{{ loop.last }}{% endfor %}") == ["a", "b"]

    @pytest.mark.parametrize(
        "text",
        [
            "{{ open",
            "{% if x %}",
            "{{ x() }}",
            "{{ x.append(1) }}",
            "{{ ''.join(x) }}",
            "{{ x.__class__ }}",
            "{{ x._secret }}",
            "{{ __import__ }}",
            "{% set x = 1 %}",
            "{% macro m() %}{% endmacro %}",
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% extends 'x' %}",
            "{% block x %}{% endblock %}",
            "{{ 'a' * 1000000000 }}",
            "{{ 9 ** 9 ** 9 }}",
            "{{ '%1000000000d' % 1 }}",
            "{{ x|format(1) }}",
            "{{ x|random }}",
            "{{ x|attr('__class__') }}",
            "{{ x|replace('a', 'b') }}",
            "{{ x|center(1000000000) }}",
            "{{ x is divisibleby(0) }}",
            "{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in x recursive %}{{ loop(a) }}{% endfor %}",
            "{{ range(1000000000)|list }}",
            "{{ [1]|tojson(indent=300000000)|length }}",
            "{{ 1|round(3000000, 'ceil') }}",
            "{{ x|truncate(-1) }}",
            "{{ x|join(x|join(x)) }}",
            "{{ x|join(*x) }}",
            "{{ x|join('" + "-" * 101 + "') }}",
            "{{ x" + " ~ x" * 100 + " }}",
            "{{ [" + "x, " * 101 + "] }}",
            "{{ " + "9" * 5000 + " }}",
            "{{ x }}" + "x" * TEXT_BYTES_MAX,
        ],
    )
    def test_does_nothing_else(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            check_template(text)

    @pytest.mark.parametrize(
        ("text", "variables"),
        [
            ("{{ tone }}", {}),
            ("{{ a.b.c }}", {"a": {}}),
            ("{{ a['__class__'] }}", {"a": {}}),
            ("{{ n + s }}", {"n": 1, "s": "x"}),
            ("{% for a in x %}{% for b in x %}{{ b }}{% endfor %}{% endfor %}", {"x": ["long" * 10] * 200}),
            ("{% for x in n %}{% endfor %}", {"n": 7}),
            ("{{ x|truncate(1) }}", {"x": "long enough"}),
            ("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", {"x": [0] * 101}),
            ("{% for a in x if false %}{% endfor %}", {"x": [0] * 10_001}),
            ("{% for a in x %}{% if t|upper == a %}{% endif %}{% endfor %}", {"x": [0] * 1000, "t": "t" * 10_000}),
            ("{{ t|join('" + "-" * 100 + "')|join('" + "-" * 100 + "')|length }}", {"t": "t" * 10_000}),
            ("{{ t" + "|tojson" * 40 + "|length }}", {"t": '"'}),
            ("{{ t|length }}", {"t": "t" * 1024 * 1024}),
        ],
    )
    def test_fails_where_it_cannot_be_rendered(self, text: str, variables: dict[str, JsonValue]) -> None:
        with pytest.raises(InvalidInput):
            render_prompt(text, variables)

    def test_gives_the_same_text_in_every_process(self) -> None:
        code = (
            "from domain.prompt_text import render_prompt as r;"
            "print(r('{{ a|tojson }}{{ a }}{{ xs|unique|list }}{{ a|dictsort }}', {'a': {'z': 1, 'b': [2]}, 'xs': ['q', 'a', 'q']}))"
        )
        said = {
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
            for seed in ("0", "1", "2")
        }
        assert len(said) == 1
