"""Agents against servers that speak the vendors' real wire protocols, through the whole stack; models that misbehave included."""

from collections.abc import Generator

import pytest

from standfast_client import RunFailedError, Standfast
from tests.servers.model_server import Answer, ModelServer, PlannedCall
from tests.servers.stack import LiveStack, live_stack

AGENT = """\
standfast: 1
name: sums
version: 1.0.0
input: {schema: {type: object, required: [question], properties: {question: {type: string}, model: {type: string}}}}
config:
  schema: {type: object, properties: {model: {type: string}}, required: [model]}
  defaults: {model: anthropic/claude-sonnet-4-5}
do:
  - answer:
      agent:
        model: "${ config.model }"
        instructions: {text: "Answer with a JSON object that has `sum`. Use the tool."}
        input: "${ input.question }"
        tools: [python.run]
        max_turns: 5
        output: {schema: {type: object, required: [sum], properties: {sum: {type: integer}}, additionalProperties: false}}
output: {sum: "${ steps.answer.output.sum }"}
"""

VENDORS = {"anthropic": "anthropic/claude-sonnet-4-5", "openai": "openai/gpt-5-mini", "compatible": "compatible/any"}
WORK = PlannedCall("python.run", {"code": "20 + 22"})
RIGHT = Answer(text='{"sum": 42}')


@pytest.fixture(scope="module")
def models() -> Generator[ModelServer]:
    """The vendors' server."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def stack_with_models(tmp_path_factory: pytest.TempPathFactory, models: ModelServer) -> Generator[LiveStack]:
    """A stack whose worker knows all three kinds of vendor."""
    environment = {
        "ANTHROPIC_API_KEY": models.api_key,
        "ANTHROPIC_BASE_URL": models.url,
        "OPENAI_API_KEY": models.api_key,
        "OPENAI_BASE_URL": models.openai_url,
        "STANDFAST_COMPATIBLE_BASE_URL": models.openai_url,
        "STANDFAST_COMPATIBLE_API_KEY": models.api_key,
        "STANDFAST_PRICES": '{"compatible/any": [1000000, 2000000]}',
    }
    with live_stack(tmp_path_factory.mktemp("models") / "state", environment=environment) as running:
        with running.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": {"sums.yaml": AGENT}})
            assert answer.status_code == 201, answer.text
        yield running


@pytest.fixture
def user(stack_with_models: LiveStack) -> Generator[Standfast]:
    """A client that starts runs."""
    with Standfast(stack_with_models.dev["gateway_url"], stack_with_models.dev["api_keys"]["operator"]) as client:
        yield client


def play(user: Standfast, models: ModelServer, *plan: Answer, vendor: str = "anthropic") -> object:
    """Run the agent on planned answers and return the result."""
    models.plan(*plan)
    run = user.runs.start("sums", {"question": "20 + 22?"}, config={"model": VENDORS[vendor]})
    return run.result(timeout=60)


@pytest.mark.timeout(120)
class TestAgent:
    @pytest.mark.parametrize("vendor", VENDORS)
    def test_calls_a_tool_and_answers_with_each_kind_of_vendor(self, user: Standfast, models: ModelServer, vendor: str) -> None:
        assert play(user, models, Answer(calls=(WORK,)), RIGHT, vendor=vendor) == {"sum": 42}

    def test_calls_several_tools_of_one_turn(self, user: Standfast, models: ModelServer) -> None:
        assert play(user, models, Answer(calls=(WORK, PlannedCall("python.run", {"code": "1"}))), RIGHT) == {"sum": 42}

    def test_waits_as_long_as_the_vendor_says_and_goes_on(self, user: Standfast, models: ModelServer) -> None:
        assert play(user, models, Answer(status=429, headers={"retry-after": "1"}, message="slow down"), RIGHT) == {"sum": 42}

    def test_tries_again_after_a_server_error(self, user: Standfast, models: ModelServer) -> None:
        assert play(user, models, Answer(status=500, message="broken"), RIGHT) == {"sum": 42}

    def test_is_told_that_its_arguments_are_malformed(self, user: Standfast, models: ModelServer) -> None:
        assert play(user, models, Answer(calls=(PlannedCall("python.run", {}, raw='{"code": '),)), RIGHT, vendor="openai") == {"sum": 42}
        assert "no JSON object" in str(models.requests[-1].body)

    def test_is_told_that_there_is_no_such_tool(self, user: Standfast, models: ModelServer) -> None:
        assert play(user, models, Answer(calls=(PlannedCall("bank.rob", {}),)), RIGHT) == {"sum": 42}
        assert "there is no tool" in str(models.requests[-1].body)

    def test_gets_one_turn_to_repair_prose(self, user: Standfast, models: ModelServer) -> None:
        assert play(user, models, Answer(text="It is forty-two."), RIGHT) == {"sum": 42}

    @pytest.mark.parametrize(
        ("plan", "code"),
        [
            ((Answer(text="forty-two"), Answer(text="still forty-two")), "output-invalid"),
            ((Answer(text="I would rather not.", stop="refused"),), "model-refused"),
            ((Answer(text='{"sum": 4', stop="length"),), "model-cut-off"),
            ((Answer(status=400, message="bad request"),), "model-failed"),
        ],
    )
    def test_fails_the_run_with_a_code_of_its_own(self, user: Standfast, models: ModelServer, plan: tuple[Answer, ...], code: str) -> None:
        with pytest.raises(RunFailedError) as failed:
            play(user, models, *plan)
        assert failed.value.code == code
