"""Agents, and the delay-claim example, on the vendors' real wire protocols, through the whole stack; models that misbehave included."""

import json
from base64 import b64decode
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue

from cli.exit_codes import ExitCode
from examples.delay_claim.demo.bundle import read_bundle_files, with_addresses
from examples.delay_claim.services.bank import BANK
from examples.delay_claim.services.mail import MAIL
from standfast_client import RunFailedError, Standfast
from tests.cli.command_line import in_process
from tests.end_to_end.vendors import VENDORS
from tests.examples.running_service import Caller, serving
from tests.servers.model_server import Answer, ModelServer, PlannedCall
from tests.servers.stack import LiveStack

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

WORK = PlannedCall("python.run", {"code": "20 + 22"})
RIGHT = Answer(text='{"sum": 42}')


@pytest.fixture(scope="module", autouse=True)
def sums(stack: LiveStack) -> None:
    """Register the agent."""
    with stack.api("developer") as api:
        answer = api.post("/v1/definitions", json={"files": {"sums.yaml": AGENT}})
        assert answer.status_code == 201, answer.text


@pytest.fixture
def user(stack: LiveStack) -> Generator[Standfast]:
    """A client that starts runs."""
    with Standfast(stack.dev["gateway_url"], stack.dev["api_keys"]["operator"]) as client:
        yield client


def play(user: Standfast, models: ModelServer, *plan: Answer, vendor: str = "anthropic") -> object:
    """Run the agent on planned answers and return the result."""
    models.plan(*plan)
    run = user.runs.start("sums", {"question": "20 + 22?"}, config={"model": VENDORS[vendor]})
    return run.result(timeout=100)


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


CHAIN = AGENT.replace("name: sums", "name: chained").replace(
    'model: "${ config.model }"', "model: smart\n        fallback: [{model: compatible/any, on: [refusal]}]"
)


@pytest.fixture(scope="module")
def chained(stack: LiveStack) -> None:
    """An alias with a fallback of its own, and a definition that adds another."""
    meaning = {"model": "anthropic/claude-sonnet-4-5", "fallbacks": [{"model": "openai/gpt-5-mini", "on": ["overload"]}]}
    with stack.api("admin") as api:
        assert api.put("/v1/models/aliases/smart", json=meaning).status_code == 200
        answer = api.post("/v1/definitions", json={"files": {"chained.yaml": CHAIN}})
        assert answer.status_code == 201, answer.text


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("chained")
class TestChain:
    def said_of(self, stack: LiveStack, run: str) -> list[dict[str, object]]:
        """Return what the ledger says of the run's model calls."""
        with stack.api("auditor") as api:
            entries = api.get(f"/v1/runs/{run}/ledger").json()["entries"]
        return [json.loads(b64decode(entry["body"]))["data"] for entry in entries if entry["kind"] == "agent:model:answered"]

    def test_goes_on_past_a_busy_model_within_one_attempt(self, user: Standfast, models: ModelServer, stack: LiveStack) -> None:
        before = len(models.requests)
        models.plan(Answer(status=529, headers={"retry-after": "60"}), RIGHT)
        run = user.runs.start("chained", {"question": "20 + 22?"})
        assert run.result(timeout=100) == {"sum": 42}
        assert [seen.path for seen in models.requests[before:]] == ["/v1/messages", "/v1/responses"]
        assert run.read().usage.model == "openai/gpt-5-mini"
        [said] = self.said_of(stack, run.id)
        assert said["answered_by"] == "openai/gpt-5-mini"
        busy = {"model": "anthropic/claude-sonnet-4-5", "reason": "overload", "cost_usd_micros": "0"}
        assert said["fallbacks"] == [busy]
        assert "openai/gpt-5-mini" in [group.key for group in user.costs.list(by="model", run=run.id).items]

    def test_asks_another_model_when_one_declines(self, user: Standfast, models: ModelServer, stack: LiveStack) -> None:
        models.plan(Answer(text="I would rather not.", stop="refused", input_tokens=1000), RIGHT)
        run = user.runs.start("chained", {"question": "20 + 22?"})
        assert run.result(timeout=100) == {"sum": 42}
        [said] = self.said_of(stack, run.id)
        [declined] = cast("list[dict[str, str]]", said["fallbacks"])
        assert (said["answered_by"], declined["reason"], int(declined["cost_usd_micros"]) > 3000) == ("compatible/any", "refusal", True)
        assert run.read().usage.input_tokens == 1011


CLAIM = json.loads((Path(__file__).parents[2] / "examples/delay_claim/claims/01-paid-at-once.json").read_text(encoding="utf-8"))
BANDS = """flight, policy = inputs["flight"], inputs["policy"]
max(band["amount_micros"] for band in policy["bands"] if flight["arrival_delay_minutes"] >= band["from_delay_minutes"])"""
POLICY: dict[str, JsonValue] = {
    "bands": [{"from_delay_minutes": 60, "amount_micros": 50_000_000}, {"from_delay_minutes": 120, "amount_micros": 120_000_000}]
}
REVIEW = (
    Answer(
        text="I look EV 4250 up.",
        calls=(PlannedCall("flights.lookup", {"carrier": "EV", "flight": 4250, "date": "2013-01-14", "origin": "EWR"}),),
    ),
    Answer(
        text="I work the amount out.",
        calls=(PlannedCall("python.run", {"code": BANDS, "inputs": {"flight": {"arrival_delay_minutes": 145}, "policy": POLICY}}),),
    ),
    Answer(text='{"verdict": "pay", "amount_micros": 120000000, "reason": "EV 4250 arrived 145 minutes late. We are sorry."}'),
)
"""What a good reviewer says of claim CLM-1001."""


@pytest.fixture(scope="module")
def bank(stack: LiveStack, tmp_path_factory: pytest.TempPathFactory) -> Generator[Caller]:
    """The example's services, and its definition as it is, registered for them."""
    folder = tmp_path_factory.mktemp("services")
    with serving(BANK, folder / "bank.sqlite") as bank, serving(MAIL, folder / "mail.sqlite") as mail:
        files = with_addresses(read_bundle_files(), bank_url=bank.url, mail_url=mail.url)
        with stack.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": files})
            assert answer.status_code == 201, answer.text
        yield bank


@pytest.mark.timeout(120)
class TestDelayClaim:
    @pytest.mark.parametrize("vendor", VENDORS)
    def test_ends_the_same_on_every_adapter(self, user: Standfast, models: ModelServer, bank: Caller, vendor: str) -> None:
        models.plan(*REVIEW)
        claim_id = f"CLM-100{list(VENDORS).index(vendor)}"
        run = user.runs.start("delay-claim", {"claim": {**CLAIM, "claim_id": claim_id}}, config={"model": VENDORS[vendor]})
        result = run.result(timeout=100)
        assert isinstance(result, dict)
        assert result == {
            "claim_id": claim_id,
            "verdict": "pay",
            "amount_micros": 120_000_000,
            "reason": "EV 4250 arrived 145 minutes late. We are sorry.",
            "approved_by": None,
            "payment_id": f"pay-{claim_id}",
            "message_id": result["message_id"],
        }
        assert "145" in str(models.requests[-2].body), "the tool's result reaches the model"
        paid = [payment["amount_micros"] for payment in bank.get("/payments")["payments"] if payment["claim_id"] == claim_id]
        assert paid == [120_000_000]
        usage = run.read().usage
        assert (usage.model, usage.cost_usd_micros > 0) == (VENDORS[vendor], True)


JUDGE = """\
standfast: 1
name: strict-judge
version: 1.0.0
input: {schema: {type: object, required: [output, expected], properties: {output: {type: object}, expected: {type: object}}}}
do:
  - grade: {set: {score: "${ input.output == input.expected ? 1.0 : 0.25 }", reason: by the book}}
output: "${ steps.grade.output }"
"""
DATASET = """\
standfast_dataset: 1
definition: sums
scorers: [{kind: exact}, {kind: judge, definition: strict-judge}]
cases: [{name: easy, input: {question: "20 + 22?"}, expected: {sum: 42}}]
"""


@pytest.mark.timeout(120)
class TestEvaluation:
    def test_runs_cases_judges_them_and_records_what_replays_offline(self, stack: LiveStack, models: ModelServer, tmp_path: Path) -> None:
        with stack.api("developer") as api:
            assert api.post("/v1/definitions", json={"files": {"judge.yaml": JUDGE}}).status_code in (200, 201)
        (tmp_path / "cases.yaml").write_text(DATASET, encoding="utf-8")
        (tmp_path / "sums.yaml").write_text(AGENT, encoding="utf-8")
        place = {"STANDFAST_URL": stack.dev["gateway_url"], "STANDFAST_API_KEY": stack.dev["api_keys"]["operator"]}
        models.plan(Answer(calls=(WORK,)), RIGHT)
        done = in_process("eval", "cases.yaml", "--out", "now.json", "--record", "golden", folder=tmp_path, **place)
        assert done.returncode == ExitCode.OK, done.stderr
        (case,) = json.loads((tmp_path / "now.json").read_text(encoding="utf-8"))["cases"]
        assert {name: score["value"] for name, score in case["scores"].items()} == {"exact": 1, "judge": 1}
        assert case["cost_usd_micros"] > 0
        replayed = in_process("replay", "golden", "--bundle", "sums.yaml", folder=tmp_path)
        assert (replayed.returncode, replayed.stdout) == (ExitCode.OK, "easy: as recorded\n"), replayed.stderr
        models.plan(Answer(text='{"sum": 41}'))
        worse = in_process("eval", "cases.yaml", "--baseline", "now.json", folder=tmp_path, **place)
        assert worse.returncode == ExitCode.REGRESSED
        assert "worse: easy" in worse.stderr
