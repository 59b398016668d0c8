"""Prompts and schema files find their way into the definition that names them."""

import pytest

from tests.adapters.definitions.bundles import bundle, draft_of, problems_of

AGENT = "- a: {{agent: {{model: x/y, instructions: {0}, output: {{schema: {1}}}}}}}\n"


def files_with(prompt: str = "{text: x}", schema: str = "{type: object}") -> dict[str, str]:
    """Return a bundle with one agent."""
    return bundle(AGENT.format(prompt, schema))


def agent_of(files: dict[str, str]) -> dict[str, object]:
    """Return the inlined `agent:` of the bundle."""
    document = draft_of(files).document
    steps = document["do"]
    assert isinstance(steps, list)
    first = steps[0]
    assert isinstance(first, dict)
    step = first["a"]
    assert isinstance(step, dict)
    agent = step["agent"]
    assert isinstance(agent, dict)
    return dict(agent)


class TestPrompts:
    @pytest.mark.parametrize(
        ("reference", "version"), [("judge", "2.0.0"), ("judge@^1", "1.3.0"), ("judge@1.0.0", "1.0.0"), ("judge@<1.3", "1.0.0")]
    )
    def test_are_chosen_by_range_and_a_file_without_version_is_one(self, reference: str, version: str) -> None:
        prompts = {"prompts/judge.md": "1.0.0", "prompts/judge@1.3.0.md": "1.3.0", "prompts/judge@2.0.0.md": "2.0.0"}
        assert agent_of({**files_with(reference), **prompts})["instructions"] == {"name": "judge", "version": version, "text": version}

    def test_are_named_when_missing(self) -> None:
        (problem,) = problems_of({**files_with("juge"), "prompts/judge.md": "x"})
        assert problem.message == "there is no prompt `juge`"
        assert problem.instead == "`judge`"

    def test_name_the_versions_there_are(self) -> None:
        (problem,) = problems_of({**files_with("judge@^2"), "prompts/judge.md": "x"})
        assert "there is 1.0.0" in problem.message

    def test_are_not_mistaken_for_text(self) -> None:
        (problem,) = problems_of(files_with('"You judge claims."'))
        assert problem.instead == "instructions: {text: …}"


class TestSchemas:
    def test_are_put_in_with_the_parts_they_name(self) -> None:
        schema = '{"properties": {"m": {"$ref": "#/$defs/m"}, "p": {"$ref": "parts/p.json"}}, "$defs": {"m": {"type": "integer"}}}'
        files = {
            **files_with(schema="{type: object, properties: {d: {$ref: d.json}}}"),
            "d.json": schema,
            "parts/p.json": '{"type": "string"}',
        }
        assert agent_of(files)["output"] == {
            "schema": {
                "type": "object",
                "properties": {
                    "d": {"properties": {"m": {"type": "integer"}, "p": {"type": "string"}}, "$defs": {"m": {"type": "integer"}}},
                },
            },
        }

    def test_may_refer_to_themselves_as_a_whole_schema_only(self) -> None:
        tree = '{"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}'
        assert problems_of({**files_with(schema="{$ref: tree.json}"), "tree.json": tree}) == []
        (problem,) = problems_of({**files_with(schema="{properties: {t: {$ref: tree.json}}}"), "tree.json": tree})
        assert "refers to itself" in problem.message

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            ("{$ref: desicion.json}", "the bundle has no such file"),
            ("{$ref: ../decision.json}", "the bundle has no such file"),
            ("{$ref: 'https://example.com/x.json'}", "lies outside the bundle"),
            ("{$ref: decision.json, type: object}", "stands alone"),
            ("{$ref: 'decision.json#/nope'}", "has nothing at `#/nope`"),
            ("{$ref: broken.json}", "this is no JSON"),
        ],
    )
    def test_that_cannot_be_followed_are_named(self, schema: str, message: str) -> None:
        (problem,) = problems_of({**files_with(schema=schema), "decision.json": '{"type": "object"}', "broken.json": '{\n"a": }'})
        assert message in problem.message

    def test_that_are_wrong_are_told_in_their_own_file(self) -> None:
        (problem,) = problems_of({**files_with(schema="{$ref: d.json}"), "d.json": '{"type": "objekt"}'})
        assert problem.file == "d.json"

    def test_are_not_looked_for_in_data(self) -> None:
        files = bundle("- a: {call: mail.send, with: {schema: {$ref: nothing.json}}}\n- b: {set: {output: {schema: {$ref: x.json}}}}\n")
        assert problems_of(files) == []
