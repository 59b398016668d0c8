"""Poison of every kind on the real stack (PROOF 3.1): each is one dead letter soon after it is given up, and goes through when redriven."""

import json
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.hook_verifiers import secret_key, sign
from standfast_client import Standfast
from tests.examples.running_service import wait_until
from tests.servers.stack import LiveStack, live_stack
from tests.servers.webhook_sink import Came, Said, WebhookSink

Json = dict[str, Any]  # Any: tests index into answers whose shape they are there to check

SOON_S = 10.0
"""How long what was given up may take until it is on the list (PROOF 3.1)."""

TOOL = """\
kind: http
name: desk.{name}
version: 1.0.0
description: Files a paper.
method: POST
url: {url}/{name}
effect_class: {effect_class}
timeout_s: 1
input: {{type: object, properties: {{n: {{type: integer}}}}, required: [n], additionalProperties: false}}
output: {{type: object, properties: {{filed: {{type: boolean}}}}, required: [filed]}}
"""

READING = """\
standfast: 1
name: reading
version: 1.0.0
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
do:
  - before: {call: desk.before, with: {n: "${ input.n }"}}
  - file: {call: desk.reading, with: {n: "${ input.n }"}, retry: {max_attempts: 1, delay: 100ms}}
output: "${ steps.file.output.filed }"
"""

PAYING = """\
standfast: 1
name: paying
version: 1.0.0
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
do:
  - settle:
      saga:
        - file:
            call: desk.paying
            with: {n: "${ input.n }"}
            retry: {max_attempts: 1, delay: 100ms}
            compensate: {call: desk.before, with: {n: 0}, if_unknown: ask}
output: "${ steps.settle.file.output.filed }"
"""

EFFECT_CLASSES = {"before": "money", "reading": "read", "paying": "money"}
DONE = Said(200, {"content-type": "application/json"}, b'{"filed": true}')
BROKEN = Said(400, {"content-type": "application/json"}, b'{"error": "the desk is closed"}')


@dataclass
class House:
    """A stack whose tools and webhooks end at a server that the test scripts; `says` is the answer by path."""

    stack: LiveStack
    sink: WebhookSink
    says: dict[str, Said] = field(default_factory=dict[str, Said])

    def call(self, role: str, method: str, path: str, body: Json | None = None) -> Json:
        """Ask the gateway as a role."""
        with self.stack.api(role) as api:
            answer = api.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def script(self, path: str, said: Said) -> None:
        """Answer so at a path from now on."""

        def answer(_: Came) -> Said:
            return said

        self.sink.by_path[path] = answer

    def start(self, definition: str, n: int = 1) -> str:
        """Start a run."""
        return self.call("operator", "POST", "/v1/runs", {"definition": definition, "input": {"n": n}})["run"]

    def result(self, run: str) -> Json:
        """Wait for a run's end."""
        return self.call("viewer", "GET", f"/v1/runs/{run}/result?wait=30")

    def letters(self, kind: str, state: str = "open") -> list[Json]:
        """Return what is on the list."""
        return self.call("viewer", "GET", f"/v1/dead-letters?kind={kind}&state={state}")["items"]

    def one(self, kind: str) -> Json:
        """Wait for the one open dead letter of a kind, at most `SOON_S`."""
        wait_until(lambda: bool(self.letters(kind)), seconds_max=SOON_S)
        [found] = self.letters(kind)
        return found

    def redriven(self, letter: Json) -> Json:
        """Redrive one as an operator would; nothing of its kind is left open then."""
        closed = self.call("operator", "POST", f"/v1/dead-letters/{letter['dead_letter']}/redrive", {"reason": "mended"})
        assert (closed["state"], closed["reason"]) == ("redriven", "mended")
        assert self.letters(letter["kind"]) == []
        return closed

    def ledger(self, run: str) -> list[str]:
        """Return the kinds of a run's entries."""
        with Standfast(self.stack.dev["gateway_url"], self.stack.dev["api_keys"]["auditor"]) as client:
            return [entry.kind for entry in client.runs.handle(run).ledger()]


@pytest.fixture(scope="module", name="house")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    environment = {"STANDFAST_WEBHOOK_PRIVATE": "true", "STANDFAST_RELAY_SECONDS": "0.1"}
    with WebhookSink() as sink, live_stack(tmp_path_factory.mktemp("poison") / "state", environment=environment) as stack:
        house = House(stack, sink)
        url = sink.url.removesuffix("/hook")
        files = {f"tools/{name}.yaml": TOOL.format(name=name, url=url, effect_class=kind) for name, kind in EFFECT_CLASSES.items()}
        files |= {"reading.yaml": READING, "paying.yaml": PAYING}
        house.call("developer", "POST", "/v1/definitions", {"files": files})
        house.script("/before", DONE)
        yield house


@pytest.mark.timeout(180)
class TestPoison:
    def test_of_a_run_is_redriven_from_the_step_that_failed(self, house: House) -> None:
        house.script("/reading", BROKEN)
        run = house.start("reading")
        assert house.result(run)["status"] == "failed"
        letter = house.one("run")
        assert (letter["run"], letter["step"], letter["cause"]) == (run, "file", "tool-failed")
        before = len(house.sink.of("/before"))
        house.script("/reading", DONE)
        house.redriven(letter)
        assert house.result(run)["result"] is True
        assert len(house.sink.of("/before")) == before, "what was done before the poison is not done again"
        assert "gateway:deadletter:redriven" in house.ledger(run)

    def test_of_an_effect_in_doubt_is_one_entry_with_the_run_that_it_ends(self, house: House) -> None:
        house.script("/paying", Said(hold_s=3))
        run = house.start("paying")

        def asked() -> list[Json]:
            return house.call("operator", "GET", f"/v1/tasks?run={run}&state=open")["items"]

        wait_until(lambda: bool(asked()))
        house.call("operator", "POST", f"/v1/tasks/{asked()[0]['task']}/complete", {"resolution": "give_up"})
        assert house.result(run)["status"] in ("failed", "dead")
        letter = house.one("effect")
        assert (letter["run"], letter["step"], letter["cause"]) == (run, "settle.file", "effect-in-doubt")
        assert house.letters("run") == []
        house.script("/paying", DONE)
        house.redriven(letter)
        assert house.result(run)["result"] is True
        keys = {came.headers["idempotency-key"] for came in house.sink.of("/paying")}
        assert (len(keys), len(house.sink.of("/paying"))) == (1, 2), "nobody knows whether it was paid, so it is asked under the same key"

    def test_of_an_inbound_webhook_is_handled_by_the_rules_of_then(self, house: House) -> None:
        house.script("/reading", DONE)
        rules: Json = {"name": "scans", "action": {"kind": "start", "definition": "reading", "input": {"n": "${ input.body.paper }"}}}
        hook = house.call("developer", "POST", "/v1/hooks", {**rules, "scheme": "standard-webhooks"})
        body = json.dumps({"number": 7}).encode()
        key = secret_key("standard-webhooks", hook["secret"])
        headers = sign("standard-webhooks", key, webhook_id="msg_poison", time=str(int(time.time())), body=body)
        with house.stack.api("viewer") as api:
            answers = [api.post(hook["address"], content=body, headers=headers).json() for _ in range(2)]
        assert [answer["state"] for answer in answers] == ["dead", "dead"]
        letter = house.one("hook")
        assert (letter["cause"], letter["subject"]) == ("expression-failed", f"{hook['hook']}/msg_poison")
        rules["action"]["input"]["n"] = "${ input.body.number }"
        house.call("developer", "PUT", f"/v1/hooks/{hook['hook']}", rules)
        house.redriven(letter)
        [request] = house.call("operator", "GET", f"/v1/hooks/{hook['hook']}/requests")["items"]
        assert request["state"] == "started"
        assert house.result(request["run"])["result"] is True

    def test_of_an_outgoing_webhook_goes_out_under_the_same_id(self, house: House) -> None:
        house.script("/reading", DONE)
        house.script("/hook", Said(410))
        made = house.call("developer", "POST", "/v1/webhooks", {"url": house.sink.url, "events": ["run.succeeded"]})
        run = house.start("reading")
        assert house.result(run)["status"] == "succeeded"
        letter = house.one("delivery")
        assert (letter["run"], letter["cause"]) == (run, "endpoint-gone")
        house.script("/hook", Said())
        house.call("developer", "PUT", f"/v1/webhooks/{made['webhook']}", {"url": house.sink.url, "events": ["run.succeeded"]})
        house.redriven(letter)
        wait_until(lambda: len(house.sink.of("/hook")) == 2)
        first, second = house.sink.of("/hook")
        assert (first.id, first.body) == (second.id, second.body)
        assert second.signed_by(made["secret"])

    def test_of_many_runs_is_redriven_at_a_rate_each_once(self, house: House) -> None:
        house.script("/reading", BROKEN)
        runs = {house.start("reading", n) for n in range(5)}
        assert {house.result(run)["status"] for run in runs} == {"failed"}
        assert {letter["run"] for letter in house.letters("run")} == runs
        house.script("/reading", DONE)
        wanted = {"kind": "run", "definition": "reading", "rate": 5, "reason": "all"}
        order = house.call("operator", "POST", "/v1/dead-letters/redrive", wanted)

        def progress() -> Json:
            return house.call("viewer", "GET", f"/v1/dead-letters/redrives/{order['redrive']}")

        wait_until(lambda: progress()["finished_at"] is not None)
        assert (progress()["redriven"], progress()["refused"], house.letters("run")) == (5, 0, [])
        assert [house.result(run)["result"] for run in runs] == [True] * 5
