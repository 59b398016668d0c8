"""One live stack for the end-to-end tests of a process, with the vendors' server its worker asks and a definition that asks a person."""

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

import pytest

from standfast_client import Standfast
from tests.examples.running_service import wait_until
from tests.servers.model_doors import ACCESS_KEY_ID
from tests.servers.model_server import ModelServer
from tests.servers.stack import LiveStack, live_stack

ASKING = """\
standfast: 1
name: asking
version: 1.0.0
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
do:
  - sum:
      summary: "add one to ${ input.n }"
      call: python.run
      with: {code: "inputs['n'] + 1", inputs: "${ input }"}
  - gate:
      approve: {title: "Go on with ${ steps.sum.output.value }?", reviewers: {role: claims-approver}, timeout: 24h, on_timeout: reject}
  - after:
      call: python.run
      with: {code: "inputs['value'] * 2", inputs: "${ steps.sum.output }"}
output: {sum: "${ steps.after.output.value }", by: "${ steps.gate.output.decided_by }"}
"""

Json = dict[str, Any]  # Any: tests index into answers whose shape they are there to check
ClientOf = Callable[[str], Standfast]
StartRun = Callable[[int], tuple[str, Json]]


@pytest.fixture(scope="session")
def models() -> Generator[ModelServer]:
    """The vendors' server."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, models: ModelServer) -> Generator[LiveStack]:
    """The stack with the definition registered; its worker knows all six kinds of vendor, and its gateway servers on this machine."""
    folder = tmp_path_factory.mktemp("end-to-end")
    environment = {
        "ANTHROPIC_API_KEY": models.api_key,
        "ANTHROPIC_BASE_URL": models.url,
        "OPENAI_API_KEY": models.api_key,
        "OPENAI_BASE_URL": models.openai_url,
        "STANDFAST_COMPATIBLE_BASE_URL": models.openai_url,
        "STANDFAST_COMPATIBLE_API_KEY": models.api_key,
        "AZURE_OPENAI_ENDPOINT": models.url,
        "AZURE_OPENAI_API_KEY": models.api_key,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": models.api_key,
        "STANDFAST_BEDROCK_BASE_URL": models.url,
        "GEMINI_API_KEY": models.api_key,
        "GEMINI_BASE_URL": models.url,
        "STANDFAST_PRICES": '{"compatible/any": [1000000, 2000000]}',
        "STANDFAST_WEBHOOK_PRIVATE": "true",
        "STANDFAST_SECRET_SOURCES": json.dumps([f"file:{folder}/secrets/{{tenant}}/*"]),
    }
    with live_stack(folder / "state", environment=environment) as running:
        with running.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": {"asking.yaml": ASKING}})
            assert answer.status_code == 201, answer.text
        yield running


@pytest.fixture
def waiting_run(stack: LiveStack) -> StartRun:
    """Starts a run and waits until its approval is open; returns the run's id and the approval."""

    def start(n: int) -> tuple[str, Json]:
        with stack.api("operator") as api:
            run = api.post("/v1/runs", json={"definition": "asking", "input": {"n": n}}).json()["run"]
        with stack.api("approver") as api:
            found: list[Json] = []

            def asked() -> bool:
                found[:] = [each for each in api.get("/v1/approvals").json()["items"] if each["run"] == run]
                return bool(found)

            wait_until(asked)
        return run, found[0]

    return start


@pytest.fixture
def client(stack: LiveStack) -> Generator[ClientOf]:
    """Gives a Python client by role, and closes all of them."""
    with ExitStack() as opened:
        yield lambda role: opened.enter_context(Standfast(stack.dev["gateway_url"], stack.dev["api_keys"][role]))
