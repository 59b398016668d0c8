"""What models can do, by families of names."""

import pytest

from domain.capabilities import EVERYTHING, Capabilities, Wanted, capabilities_of, lacks


class TestTable:
    @pytest.mark.parametrize(
        ("model", "temperature", "context"),
        [
            ("anthropic/claude-sonnet-4-5", False, 200_000),
            ("anthropic/claude-sonnet-4-5-20250929", False, 200_000),
            ("anthropic/claude-sonnet-4-6", False, 1_000_000),
            ("anthropic/claude-opus-5", False, 1_000_000),
            ("bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", False, 200_000),
            ("bedrock/global.anthropic.claude-opus-5", False, 1_000_000),
            ("openai/gpt-4o-mini", True, 128_000),
            ("openai/gpt-5-mini", False, 400_000),
            ("openai/gpt-5.4", False, 1_000_000),
            ("azure/gpt-4.1", True, 1_000_000),
            ("gemini/gemini-3.5-flash", True, 1_000_000),
        ],
    )
    def test_knows_the_families(self, model: str, temperature: bool, context: int) -> None:  # noqa: FBT001  # a parameter of the case
        found = capabilities_of(model)
        assert (found.temperature, found.context_tokens) == (temperature, context)

    @pytest.mark.parametrize("model", ["compatible/llama", "scripted/claim-reviewer", "azure/our-deployment"])
    def test_takes_what_it_does_not_know_to_do_everything(self, model: str) -> None:
        assert capabilities_of(model) == EVERYTHING

    def test_gives_way_to_the_operator(self) -> None:
        own = {"compatible/llama-*": Capabilities(tools=False), "openai/gpt-5*": Capabilities(temperature=True)}
        assert not capabilities_of("compatible/llama-8b", own).tools
        assert capabilities_of("openai/gpt-5-mini", own).temperature


class TestLacks:
    @pytest.mark.parametrize(
        ("able", "wanted", "option"),
        [
            (Capabilities(tools=False), Wanted(tools=True), "tools"),
            (Capabilities(parallel_tools=False), Wanted(tools=True, parallel_tools=True), "parallel_tools"),
            (Capabilities(json_schema=False), Wanted(json_schema=True), "output"),
            (Capabilities(temperature=False), Wanted(temperature=True), "temperature"),
            (Capabilities(images=False), Wanted(images=True), "attachments"),
            (Capabilities(files=False), Wanted(files=True), "attachments"),
            (Capabilities(output_tokens=100), Wanted(output_tokens=101), "max_output_tokens"),
            (Capabilities(context_tokens=100), Wanted(output_tokens=101), "max_output_tokens"),
        ],
    )
    def test_names_the_option_that_is_not_taken(self, able: Capabilities, wanted: Wanted, option: str) -> None:
        [(named, sentence)] = lacks("v/model", able, wanted)
        assert named == option
        assert "`v/model`" in sentence
        assert lacks("v/model", EVERYTHING, wanted) == []

    def test_leaves_parallel_calls_alone_that_nobody_asked_for(self) -> None:
        assert lacks("v/model", Capabilities(parallel_tools=False), Wanted(tools=True, parallel_tools=False)) == []
