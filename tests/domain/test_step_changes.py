"""What a fork changes in its definition, and what it may not."""

import pytest
from pydantic import JsonValue

from domain.errors import InvalidInput, UnreachedStep
from domain.registry import DefinitionDraft
from domain.step_changes import StepChange, StepChanges, changed_definition
from tests.adapters.definitions.bundles import bundle, draft_of

DO = """
- judge: {agent: {model: fake/model, instructions: {text: Be strict.}}}
- settle:
    saga:
      - pay: {call: bank.pay, with: {amount: 5}}
"""


@pytest.fixture(name="draft")
def _draft() -> DefinitionDraft:
    return draft_of(bundle(DO))


def change(at: str, **changes: JsonValue) -> StepChange:
    """Build the changes of one fork."""
    return StepChange(at=at, changes=StepChanges.model_validate(changes))


def body(draft: DefinitionDraft, place: int, name: str) -> dict[str, JsonValue]:
    """Return a step's body at the top."""
    return draft.document["do"][place][name]  # pyright: ignore[reportIndexIssue, reportArgumentType, reportCallIssue, reportOptionalSubscript, reportReturnType, reportUnknownVariableType] - a test's own document


class TestChangedDefinition:
    def test_has_another_prompt_and_model(self, draft: DefinitionDraft) -> None:
        changed = changed_definition(draft, [change("judge", instructions="Be kind.", model="fake/other")])
        assert body(changed, 0, "judge") == {"agent": {"model": "fake/other", "instructions": {"text": "Be kind."}}}

    def test_has_other_arguments_by_name(self, draft: DefinitionDraft) -> None:
        changed = changed_definition(draft, [change("settle.pay", arguments={"note": "x"})])
        assert body(changed, 1, "settle") == {"saga": [{"pay": {"call": "bank.pay", "with": {"amount": 5, "note": "x"}}}]}

    def test_leaves_the_one_that_is_registered_as_it_is(self, draft: DefinitionDraft) -> None:
        before = draft.model_dump_json()
        changed_definition(draft, [change("settle.pay", arguments={"amount": 7})])
        assert draft.model_dump_json() == before

    def test_lets_the_later_fork_win(self, draft: DefinitionDraft) -> None:
        changed = changed_definition(draft, [change("judge", model="fake/one"), change("judge", model="fake/two")])
        assert body(changed, 0, "judge") == {"agent": {"model": "fake/two", "instructions": {"text": "Be strict."}}}

    def test_names_the_steps_when_there_is_none_of_that_name(self, draft: DefinitionDraft) -> None:
        with pytest.raises(UnreachedStep, match=r"the steps are judge, settle, settle\.pay") as caught:
            changed_definition(draft, [change("pay")])
        assert caught.value.where == "/at"

    @pytest.mark.parametrize(
        ("at", "what", "value", "keyword"),
        [
            ("settle.pay", "instructions", "Be kind.", "agent"),
            ("settle.pay", "model", "fake/other", "agent"),
            ("judge", "arguments", {}, "call"),
            ("settle", "arguments", {}, "call"),
        ],
    )
    def test_refuses_a_change_for_a_step_of_another_kind(
        self, draft: DefinitionDraft, at: str, what: str, value: JsonValue, keyword: str
    ) -> None:
        with pytest.raises(InvalidInput, match=f"keyword `{keyword}`, and '{at}' is none") as caught:
            changed_definition(draft, [change(at, **{what: value})])
        assert caught.value.where == f"/changes/{what}"


class TestStepChanges:
    def test_name_only_what_is_changed(self) -> None:
        assert StepChanges(model="fake/other", config={}).named() == ("model", "config")
        assert StepChanges().named() == ()
