"""kill -9 of the worker, and of its relay with it, while webhooks go out: every event of every run arrives, under one id, and verifies."""

import json
from collections.abc import Generator, Iterator

import pytest

from tests.examples.running_service import wait_until
from tests.servers.stack import LiveStack, live_stack
from tests.servers.webhook_sink import Came, Said, WebhookSink

RUNS = 20
KILLS = 3
PATIENCE_S = 200
"""Four times what a lost attempt may take: its start-to-close, and the lease of a dead relay."""

COUNTING = """\
standfast: 1
name: counting
version: 1.0.0
do:
  - one: {set: {n: 1}}
output: "${ steps.one.output }"
"""


@pytest.fixture(scope="module")
def sink() -> Iterator[WebhookSink]:
    """The receiver; it thinks for a moment, so that kills hit attempts in their middle."""
    with WebhookSink() as running:
        running.by_path["/hook"] = lambda _: Said(hold_s=0.3)
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveStack]:
    """A stack whose webhooks may go to this machine."""
    folder = tmp_path_factory.mktemp("relay") / "state"
    with live_stack(folder, environment={"STANDFAST_WEBHOOK_PRIVATE": "true"}) as running:
        with running.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": {"counting.yaml": COUNTING}})
            assert answer.status_code == 201, answer.text
        yield running


def event_of(came: Came) -> tuple[str, str]:
    """Return (run, type) of a request."""
    said = json.loads(came.body)
    assert said["id"] == came.id
    return said["run"], said["type"]


@pytest.mark.timeout(600)
class TestRelayKilled:
    def test_tells_every_event_of_every_run(self, stack: LiveStack, sink: WebhookSink) -> None:
        with stack.api("developer") as api:
            made = api.post("/v1/webhooks", json={"url": sink.url, "events": ["run.accepted", "run.started", "run.succeeded"]}).json()
        runs: list[str] = []
        for number in range(RUNS):
            with stack.api("operator") as api:
                runs.append(api.post("/v1/runs", json={"definition": "counting", "input": {}}).json()["run"])
            if number % (RUNS // KILLS) == RUNS // KILLS - 1:
                seen = len(sink.requests)
                wait_until(lambda seen=seen: len(sink.requests) > seen, seconds_max=60)
                stack.kill("worker")
        wanted = {(run, f"run.{name}") for run in runs for name in ("accepted", "started", "succeeded")}
        wait_until(lambda: wanted <= {event_of(came) for came in sink.requests}, seconds_max=PATIENCE_S)
        ids: dict[tuple[str, str], set[str]] = {}
        for came in sink.requests:
            assert came.signed_by(made["secret"])
            ids.setdefault(event_of(came), set()).add(came.id)
        assert set(ids) == wanted
        assert all(len(each) == 1 for each in ids.values()), "the same event has the same id, however often it came"

        def all_settled() -> bool:
            with stack.api("operator") as api:
                return api.get(f"/v1/webhooks/{made['webhook']}/deliveries", params={"state": "pending"}).json()["items"] == []

        wait_until(all_settled, seconds_max=PATIENCE_S)
