"""One live stack for the end-to-end tests of a process, with a definition that asks a person."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

import pytest

from standfast_client import Standfast
from tests.examples.running_service import wait_until
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
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveStack]:
    """The stack with the definition registered."""
    with live_stack(tmp_path_factory.mktemp("end-to-end") / "state") as running:
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
