"""The published schema and the page about the format say what the reader does."""

import json
import re
import textwrap
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from adapters.definitions.documents import read_yaml
from adapters.definitions.yaml_reader import YamlBundleReader, validate_text
from domain.compile import compile_program
from domain.definition_keywords import LATER, STEP_KEYS
from domain.definition_schema import definition_schema
from domain.schemas import validate
from tests.adapters.definitions.bundles import HEAD, TOOLS, bundle

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "definitions.md").read_text(encoding="utf-8")
WHOLE = re.findall(r"```yaml definition\n(.*?)```", PAGE, re.DOTALL)
STEPS = re.findall(r"```yaml steps\n(.*?)```", PAGE, re.DOTALL)


class TestPage:
    @pytest.mark.parametrize("text", [*WHOLE, *(HEAD + steps for steps in STEPS)])
    def test_shows_only_definitions_that_can_be_registered_and_compiled(self, text: str) -> None:
        assert validate_text({"refund.yaml": text}, TOOLS) == []
        assert validate(definition_schema(), read_yaml("refund.yaml", text).value) == []
        drafts, _ = YamlBundleReader().read({"refund.yaml": text}, tools=TOOLS)
        assert compile_program(drafts[0], tools=TOOLS, config={}).steps

    def test_shows_every_keyword(self) -> None:
        assert len(WHOLE) == 1
        assert len(STEPS) == 11
        for key in (*STEP_KEYS, *LATER["step"] - {"catch", "max_in_flight", "max_iterations", "contract", "execution"}):
            assert f"`{key}" in PAGE, key


class TestSchema:
    def test_is_written_down_as_it_is(self) -> None:
        assert json.loads((DOCS / "definition.schema.json").read_text(encoding="utf-8")) == definition_schema()

    @pytest.mark.parametrize(
        "step", ["{}", "{set: 1, call: mail.send}", "{call: mail.send, wth: {}}", "{set: 1, if: true}", "{set: 1, with: {}}", "{for: {}}"]
    )
    def test_refuses_what_the_reader_refuses(self, step: str) -> None:
        files = bundle(textwrap.dedent(f"- a: {step}\n"))
        assert validate_text(files, TOOLS) != []
        assert validate(definition_schema(), read_yaml("a.yaml", files["refund.yaml"]).value) != []


class TestSecondReader:
    def test_reads_the_same_data_as_ruamels_own_constructor(self) -> None:
        for text in WHOLE:
            assert read_yaml("a.yaml", text).value == YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType]  # untyped
