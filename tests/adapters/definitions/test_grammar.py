"""What a definition may say, and what people are told when they say something else."""

import pytest

from tests.adapters.definitions.bundles import HEAD, bundle, draft_of, messages_of, problems_of

LATER = ["for", "while", "fork", "try", "wait", "emit", "raise", "run", "graph", "lock", "milestone", "cancel", "exit"]


class TestKeywords:
    @pytest.mark.parametrize("keyword", LATER)
    def test_says_of_a_later_keyword_that_it_comes_later(self, keyword: str) -> None:
        assert messages_of(f"- a: {{{keyword}: {{}}}}\n") == [f"1:7: `{keyword}` comes in a later version → "]

    @pytest.mark.parametrize("key", ["on_error"])
    def test_says_so_beside_a_known_keyword_too(self, key: str) -> None:
        assert messages_of(f"- a: {{set: 1, {key}: x}}\n") == [f"1:15: `{key}` comes in a later version → "]

    @pytest.mark.parametrize("key", ["on_error", "policies"])
    def test_says_so_at_the_top(self, key: str) -> None:
        assert [p.message for p in problems_of(bundle("- a: {set: 1}\n", tail=f"{key}: {{}}\n"))] == [f"`{key}` comes in a later version"]

    def test_names_the_nearest_keyword(self) -> None:
        assert messages_of("- a: {cal: orders.find}\n")[0] == "1:7: unknown key `cal` in step → `call`"

    def test_wants_exactly_one(self) -> None:
        assert messages_of("- a: {set: 1, call: mail.send}\n") == [
            "1:3: a step has exactly one keyword, and this one has `set` and `call` → "
        ]
        assert messages_of("- a: {if: '${ true }'}\n") == [
            "1:3: this step has no keyword → one of agent, call, approve, task, listen, saga, set, switch, do"
        ]

    def test_keeps_with_and_compensate_for_calls(self) -> None:
        assert "unknown key `with` in step" in messages_of("- a: {set: 1, with: {}}\n")[0]
        compensate = "- a: {call: mail.send, compensate: {call: mail.send}}\n"
        assert messages_of(compensate) == ["1:24: `compensate` belongs to a step inside a `saga` → "]


class TestNames:
    @pytest.mark.parametrize("name", ["status", "output", "if", "true", "Big", "a-b", "1a", "x" * 64])
    def test_refuses_names_that_expressions_cannot_say(self, name: str) -> None:
        assert len(messages_of(f"- '{name}': {{set: 1}}\n")) == 1

    def test_refuses_two_steps_of_one_name_on_a_level(self) -> None:
        assert messages_of("- a: {set: 1}\n- a: {set: 2}\n") == ["2:3: two steps here are named `a` → a_2"]
        assert messages_of("- a: {do: [{x: {set: 1}}]}\n- b: {do: [{x: {set: 1}}]}\n") == []

    def test_refuses_one_name_in_two_cases_of_a_switch(self) -> None:
        do = '- s: {switch: [{c: {when: "${ true }", do: [{x: {set: 1}}]}}, {d: {do: [{x: {set: 1}}]}}]}\n'
        assert "two steps here are named `x`" in messages_of(do)[0]

    @pytest.mark.parametrize("name", ["Refund", "a--b", "-a", "a_b", "x" * 64])
    def test_refuses_a_name_that_is_no_slug(self, name: str) -> None:
        files = {"refund.yaml": HEAD.replace("name: refund", f"name: {name}") + "- a: {set: 1}\n"}
        (problem,) = problems_of(files)
        assert (problem.line, problem.column) == (2, 7)

    @pytest.mark.parametrize(("written", "instead"), [("1", "1.0.0"), ("1.2", "1.2.0"), ("v1.0.0", "1.0.0")])
    def test_wants_a_full_version(self, written: str, instead: str) -> None:
        files = {"refund.yaml": HEAD.replace("1.0.0", written) + "- a: {set: 1}\n"}
        (problem,) = problems_of(files)
        assert problem.instead == f"version: {instead}"


class TestValues:
    @pytest.mark.parametrize(
        ("step", "instead"),
        [
            ("{set: 1, timeout: 30}", "timeout: 30s"),
            ("{set: 1, timeout: 1.5h}", "timeout: 1h30m"),
            ("{set: 1, timeout: 400d}", "timeout: 1h30m"),
            ("{set: 1, timeout: 0s}", "timeout: 1h30m"),
            ("{set: 1, if: true}", '"${ true }"'),
            ("{set: 1, if: steps.x.output}", '"${ steps.x.output }"'),
            ("{set: 1, retry: {max_attempts: 11}}", "max_attempts: 5"),
            ("{set: 1, retry: {backoff: 0.5}}", "backoff: 2"),
            ("{call: mail.send, with: [1]}", "with: {amount: 5}"),
            ("{set: 1, retries: 3}", "`retry`"),
        ],
    )
    def test_says_what_to_write_instead(self, step: str, instead: str) -> None:
        (message,) = messages_of(f"- a: {step}\n")
        assert message.endswith(f"→ {instead}")

    def test_tells_every_mistake_at_once(self) -> None:
        do = "- a: {set: 1, timeout: 3}\n- B: {set: 1}\n- c: {call: mail.send, retry: 4}\n- d: {approve: {binds: x}}\n"
        lines = [message.split(":")[0] for message in messages_of(do)]
        assert lines == ["1", "2", "3", "4", "4", "4"]

    def test_wants_the_default_case_last(self) -> None:
        do = '- s: {switch: [{d: {do: [{x: {set: 1}}]}}, {c: {when: "${ true }", do: [{y: {set: 1}}]}}]}\n'
        assert "it must be the last" in messages_of(do)[0]

    def test_wants_a_schema_that_is_one(self) -> None:
        files = {"refund.yaml": HEAD.replace("order: {type: string}", "order: {type: strin}") + "- a: {set: 1}\n"}
        (problem,) = problems_of(files)
        assert problem.line == 4
        assert problem.column == HEAD.splitlines()[3].index("{type: string}") + 8
        assert "no" in problem.message

    def test_wants_defaults_that_fit(self) -> None:
        files = {"refund.yaml": HEAD.replace("limit: 5}", "limit: five}") + "- a: {set: 1}\n"}
        (problem,) = problems_of(files)
        assert "/limit" in problem.message

    @pytest.mark.parametrize("value", ["2", "true", '"1"'])
    def test_reads_format_one_only(self, value: str) -> None:
        (problem,) = problems_of({"a.yaml": HEAD.replace("standfast: 1", f"standfast: {value}") + "- a: {set: 1}\n"})
        assert problem.instead == "standfast: 1"


class TestDraft:
    def test_has_the_parsed_definition_and_its_schemas(self) -> None:
        draft = draft_of(bundle("- a: {set: 1}\n"))
        assert (draft.name, draft.version) == ("refund", "1.0.0")
        assert draft.document["do"] == [{"a": {"set": 1}}]
        assert draft.config_defaults == {"model": "scripted/refund", "limit": 5}

    def test_has_a_digest_of_its_meaning_not_of_its_spelling(self) -> None:
        one = draft_of(bundle("- a: {set: 1}\n")).sha256
        assert draft_of(bundle("# a remark\n-   a:\n      set: 1\n")).sha256 == one
        assert draft_of(bundle("- a: {set: 2}\n")).sha256 != one

    def test_has_another_digest_when_a_prompt_changes(self) -> None:
        do = '- a: {agent: {model: "${ config.model }", instructions: judge}}\n'
        digests = {draft_of({**bundle(do), "prompts/judge.md": text}).sha256 for text in ("Be kind.", "Be strict.")}
        assert len(digests) == 2
