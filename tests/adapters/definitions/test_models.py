"""What a definition says of its models: chains, limits, sampling, files; and whether the models can do it."""

import pytest

from adapters.definitions.yaml_reader import YamlBundleReader
from domain.agents import AgentChoice
from domain.capabilities import Capabilities
from domain.compile import compile_program
from domain.errors import InvalidDefinition
from domain.fallbacks import Fallback
from domain.model_table import ModelAlias, ModelTable
from domain.program import AgentStep
from tests.adapters.definitions.bundles import HEAD_LINES, TOOLS, bundle, draft_of, messages_of
from tests.domain.agent_samples import manifest, registered

CHAIN = """\
- ask:
    agent:
      model: anthropic/claude-opus-5
      fallback:
        - openai/gpt-5
        - {model: gemini/gemini-3.5-flash, on: [price, overload]}
      max_call_usd: "0.05"
      instructions: {text: go}
"""
OPTIONS = ("temperature", "parallel_tools", "tools", "output", "attachments", "max_output_tokens")


def agent(options: str, *, model: str = "openai/gpt-4o") -> str:
    """Return one agent step with options."""
    return f"- ask: {{agent: {{model: {model}, instructions: {{text: go}}, {options}}}}}\n"


def compiled(do: str, table: ModelTable | None = None, **config: str) -> AgentStep:
    """Return the one step of a definition as a run starts with it."""
    draft = YamlBundleReader().read(bundle(do), tools=TOOLS)[0][0]
    [step] = compile_program(draft, tools=TOOLS, config={**config}, models=table or ModelTable()).steps
    assert isinstance(step, AgentStep)
    return step


class TestGrammar:
    def test_reads_chains_limits_and_sampling(self) -> None:
        step = compiled(CHAIN)
        assert step.fallbacks == [Fallback(model="openai/gpt-5"), Fallback(model="gemini/gemini-3.5-flash", on=("price", "overload"))]
        assert step.max_call_usd_micros == 50_000
        sampled = compiled(agent("temperature: 0.2, parallel_tools: false"))
        assert (sampled.temperature, sampled.parallel_tools) == (0.2, False)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ("fallback: []", "`fallback` is a list of 1 to 8 models"),
            ("fallback: [{model: a/b, on: [boredom]}]", "`on` is a list of overload, price, refusal"),
            ("fallback: [{model: a/b, when: now}]", "unknown key `when` in fallback"),
            ("fallback: [{model: a/b, on: [price]}]", "`max_call_usd`, which is missing"),
            ("max_call_usd: much", "`max_call_usd` is an amount of dollars"),
            ("temperature: 3", "a temperature lies between 0 and 2"),
            ("temperature: warm", "`temperature` must be a number"),
            ("parallel_tools: some", "`parallel_tools` must be true or false"),
            ("attachments: input.order", "`attachments` is a list of places"),
            ("attachments: [photo]", "an attachment is a place in the input or in a step's output"),
            ("attachments: [input.photo]", "the input declares no field `photo`"),
            ("attachments: [steps.scan.output]", "there is no step `scan`"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, options: str, message: str) -> None:
        [found] = messages_of(agent(options))
        assert message in found
        assert found.startswith("1:")


class TestCapabilities:
    @pytest.mark.parametrize(
        ("model", "options", "message"),
        [
            ("openai/gpt-5", "temperature: 0.2", "`openai/gpt-5` takes no temperature"),
            ("openai/o1-mini", "tools: [orders.find]", "`openai/o1-mini` calls no tools"),
            ("openai/o3", "tools: [orders.find@^2], parallel_tools: true", "`openai/o3` calls one tool a turn"),
            ("openai/gpt-4", "output: {schema: {type: object}}", "cannot be held to an output schema"),
            ("openai/gpt-3.5-turbo", "attachments: [input.order]", "reads no images"),
            ("anthropic/claude-3-haiku", "max_output_tokens: 9000", "writes at most 8192 tokens"),
            ("gemini/gemini-3.5-flash", "temperature: 1, fallback: [openai/gpt-5]", "`openai/gpt-5` takes no temperature"),
        ],
    )
    def test_refuse_an_option_at_its_line(self, model: str, options: str, message: str) -> None:
        [found] = messages_of(agent(options, model=model))
        assert message in found
        option = next(name for name in OPTIONS if found.partition("leave `")[2].startswith(f"{name}`"))
        assert found.startswith(f"1:{agent(options, model=model).index(f'{option}:') + 1}: ")

    def test_of_a_model_from_the_config_are_checked_too(self) -> None:
        assert messages_of(agent("temperature: 1", model="'${ config.model }'")) == []
        with pytest.raises(InvalidDefinition, match="`openai/gpt-5` takes no temperature"):
            compiled(agent("temperature: 1", model="'${ config.model }'"), model="openai/gpt-5")

    def test_are_the_operators_to_say(self) -> None:
        table = ModelTable(capabilities={"compatible/*": Capabilities(tools=False)})
        files = bundle(agent("tools: [orders.find@^2]", model="compatible/tiny"))
        [problem] = YamlBundleReader().read(files, tools=TOOLS, models=table)[1]
        assert "`compatible/tiny` calls no tools" in problem.message


class TestRegisteredAgents:
    """What the step of an agent by name shows it."""

    def shown(self, attachments: str, *, model: str = "openai/gpt-4o") -> tuple[list[AgentStep], list[str]]:
        """Return the step of an agent that is shown files, and what is wrong."""
        agents = AgentChoice(agents=(registered(manifest(model=model)),))
        files = bundle(f"- ask: {{agent: {{uses: reviewer@^1, attachments: {attachments}}}}}\n")
        drafts, problems = YamlBundleReader().read(files, tools=TOOLS, agents=agents)
        found = [f"{problem.line - HEAD_LINES}:{problem.column}: {problem.message}" for problem in problems]
        steps = [step for draft in drafts for step in compile_program(draft, tools=TOOLS, config={}, agents=agents).steps]
        return [step for step in steps if isinstance(step, AgentStep)], found

    def test_are_shown_files_by_their_step(self) -> None:
        [step], problems = self.shown("[input.order]")
        assert (step.pin is not None, step.attachments, problems) == (True, ["input.order"], [])

    @pytest.mark.parametrize(
        ("attachments", "model", "message"),
        [
            ("input.order", "openai/gpt-4o", "1:49: `attachments` is a list of places"),
            ("[input.photo]", "openai/gpt-4o", "1:50: `input.photo`: the input declares no field `photo`"),
            ("[input.order]", "openai/gpt-3.5-turbo", "1:36: `openai/gpt-3.5-turbo` reads no images"),
        ],
    )
    def test_say_what_is_wrong_and_where(self, attachments: str, model: str, message: str) -> None:
        steps, [found] = self.shown(attachments, model=model)
        assert steps == []
        assert found.startswith(message)


class TestAliases:
    TABLE = ModelTable(
        complete=True,
        aliases={
            "fast": ModelAlias(model="gemini/gemini-3.5-flash", fallbacks=(Fallback(model="openai/gpt-4o"),)),
            "default": ModelAlias(model="openai/gpt-4.1"),
        },
    )

    def test_give_way_to_their_model_and_its_chain(self) -> None:
        step = compiled(agent("fallback: [default]", model="fast"), self.TABLE)
        assert (step.model, [one.model for one in step.fallbacks]) == ("gemini/gemini-3.5-flash", ["openai/gpt-4o", "openai/gpt-4.1"])

    def test_may_stand_in_the_config(self) -> None:
        assert compiled(agent("max_turns: 2", model="'${ config.model }'"), self.TABLE, model="fast").model == "gemini/gemini-3.5-flash"

    def test_have_one_for_an_agent_without_a_model(self) -> None:
        assert compiled("- ask: {agent: {instructions: {text: go}}}\n", self.TABLE).model == "openai/gpt-4.1"

    def test_that_nobody_set_are_no_mistake_where_tenants_are_not_known(self) -> None:
        assert messages_of(agent("max_turns: 2", model="slow")) == []
        [problem] = YamlBundleReader().read(bundle(agent("max_turns: 2", model="slow")), tools=TOOLS, models=self.TABLE)[1]
        assert "`slow` is no alias that is set" in problem.message

    def test_that_are_gone_when_a_run_starts_refuse_it(self) -> None:
        draft = draft_of(bundle(agent("max_turns: 2", model="slow")))
        with pytest.raises(InvalidDefinition, match="slow"):
            compile_program(draft, tools=TOOLS, config={}, models=self.TABLE)
