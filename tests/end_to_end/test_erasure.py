"""Erasing a passenger, on the whole stack: afterwards no byte of database, objects, Temporal or logs says the name, and ledgers verify."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.adapters.postgres.removal_bench import dump, says
from tests.end_to_end.test_ways_to_approve import cli
from tests.examples.running_service import wait_until
from tests.servers.stack import Json, LiveStack, live_stack

PASSENGER = "Philippa Quackenbush"
EMAIL = "philippa@example.com"
NEIGHBOUR = "Zebedee Thistlewood"
PATIENCE_S = 60
"""Other tests share the machine, and Temporal deletes histories in the background."""

CLAIM = """\
standfast: 1
name: passenger-claim
version: 1.0.0
input:
  schema:
    type: object
    required: [claim]
    properties:
      claim: {type: object, properties: {passenger: {type: string}, email: {type: string}, fails: {type: boolean}}}
subject: "${ input.claim.email }"
do:
  - letter:
      summary: "write a letter"
      call: python.run
      with:
        code: "{'letter': ['Dear ' + inputs['passenger'] + str(n * n * n * 7919 * 31337) for n in range(400)], 'to': inputs['passenger']}"
        inputs: "${ input.claim }"
  - gate:
      approve: {title: "Pay ${ input.claim.passenger }?", reviewers: {role: claims-approver}, timeout: 24h, on_timeout: reject}
  - send:
      call: python.run
      with: {code: "{'sent': inputs['passenger']} if not inputs['fails'] else inputs[inputs['passenger']]", inputs: "${ input.claim }"}
output: {sent: "${ steps.send.output.value.sent }", to: "${ steps.letter.output.value.to }"}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveStack]:
    """A stack of this module alone, whose larger payloads go to the object store."""
    folder = tmp_path_factory.mktemp("erasure") / "state"
    with live_stack(folder, environment={"STANDFAST_PAYLOAD_INLINE_BYTES": "1024"}) as running:
        with running.api("developer") as api:
            assert api.post("/v1/definitions", json={"files": {"claim.yaml": CLAIM}}).status_code == 201
        yield running


def claim(stack: LiveStack, passenger: str, email: str, *, fails: bool) -> str:
    """Play one claim to its end, approved with a comment, and return its run."""
    body: Json = {"definition": "passenger-claim", "input": {"claim": {"passenger": passenger, "email": email, "fails": fails}}}
    with stack.api("operator") as operator, stack.api("approver") as approver:
        run: str = operator.post("/v1/runs", json=body, headers={"Idempotency-Key": f"start-{passenger}-{fails}"}).json()["run"]
        asked: list[Json] = []

        def opened() -> bool:
            asked[:] = [each for each in approver.get("/v1/approvals").json()["items"] if each["run"] == run]
            return bool(asked)

        wait_until(opened, seconds_max=PATIENCE_S)
        assert asked[0]["title"] == f"Pay {passenger}?"
        decision = {"verdict": "approve", "digest": asked[0]["digest"], "comment": f"{passenger} is right"}
        path = f"/v1/approvals/{asked[0]['approval']}/decision"
        assert approver.post(path, json=decision, headers={"Idempotency-Key": f"decide-{run}"}).status_code in (200, 202)
        wait_until(lambda: operator.get(f"/v1/runs/{run}/result", params={"wait": 30}).status_code == 200, seconds_max=PATIENCE_S)
        ended = operator.get(f"/v1/runs/{run}/result").json()
    assert ended["status"] == ("failed" if fails else "succeeded"), ended
    assert fails or passenger in str(ended)
    return run


def cancelled(stack: LiveStack, passenger: str, email: str) -> str:
    """Start a claim, cancel it with a reason that says the name, and return its run."""
    body: Json = {"definition": "passenger-claim", "input": {"claim": {"passenger": passenger, "email": email, "fails": False}}}
    with stack.api("operator") as api:
        run: str = api.post("/v1/runs", json=body).json()["run"]
        wait_until(lambda: api.get(f"/v1/runs/{run}").json()["status"] == "waiting", seconds_max=PATIENCE_S)
        assert api.post(f"/v1/runs/{run}/cancel", json={"reason": f"{passenger} called"}).status_code == 202
        wait_until(lambda: api.get(f"/v1/runs/{run}").json()["closed_at"] is not None, seconds_max=PATIENCE_S)
    return run


def files_that_say(folder: Path, name: str) -> list[str]:
    """Return every file below the state folder in which the name stands, PostgreSQL's, Temporal's, objects and logs included."""
    found: list[str] = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            try:
                stored = path.read_bytes()
            except FileNotFoundError:  # PostgreSQL removes files of its own at any time
                continue
            if says(stored, name):
                found.append(str(path.relative_to(folder)))
    return found


def history_of(stack: LiveStack, run: str) -> bytes | None:
    """Return the bytes of a run's latest history as the server gives them, None when it has none."""

    async def read() -> bytes | None:
        client = await Client.connect(stack.dev["temporal_address"])
        try:
            history = await client.get_workflow_handle(run).fetch_history()
        except RPCError as failed:
            if failed.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return b"".join(event.SerializeToString() for event in history.events)

    return asyncio.run(read())


@pytest.mark.timeout(240)
class TestErasingAPassenger:
    def test_leaves_no_trace_of_the_name_and_the_ledgers_verify(self, stack: LiveStack) -> None:
        runs = [claim(stack, PASSENGER, EMAIL, fails=fails) for fails in (False, True)]
        runs.append(cancelled(stack, PASSENGER, EMAIL))
        other = claim(stack, NEIGHBOUR, "zebedee@example.com", fails=False)
        histories = [history_of(stack, run) for run in runs]
        assert all(history is not None and len(history) > 1000 and not says(history, PASSENGER) for history in histories)
        objects = list((stack.folder / "objects").rglob("*/*/*"))
        assert len(objects) >= 3

        planned = cli(stack, "erase", EMAIL, "--dry-run", role="admin")
        assert planned.returncode == 0, planned.stderr
        assert all(run in planned.stdout for run in runs)
        done = cli(stack, "erase", EMAIL, "--confirm", "--json", role="admin")
        assert done.returncode == 0, done.stderr

        with stack.api("auditor") as api:
            (erasure,) = api.get("/v1/erasures").json()["items"]
            place = f"/v1/erasures/{erasure['erasure']}"
            wait_until(lambda: api.get(place).json()["completed_at"] is not None, seconds_max=PATIENCE_S)
            erasure = api.get(place).json()
            assert (erasure["runs"], erasure["histories"], erasure["subject_keys"]) == (3, 3, 1)
            assert erasure["objects"] >= 2
            for run in runs:
                assert api.get(f"/v1/runs/{run}/ledger/verify").json()["ok"] is True
                assert api.get(f"/v1/runs/{run}").json()["erased_at"] is not None
            gone = api.get(f"/v1/runs/{runs[0]}/result")
            assert (gone.status_code, gone.json()["code"]) == (410, "erased")
            assert api.get(f"/v1/runs/{other}/result").json()["result"]["sent"] == NEIGHBOUR
        assert [history_of(stack, run) for run in runs] == [None, None, None]
        assert history_of(stack, other) is not None

        owner = stack.dev["database_owner_url"]
        assert not says(dump(owner, tenant="default"), PASSENGER)
        assert not says(dump(owner, tenant="default"), EMAIL)
        for name in (PASSENGER, EMAIL):
            assert files_that_say(stack.folder, name) == []
        for run in runs:
            verified = cli(stack, "verify", run, role="auditor")
            assert verified.returncode == 0, verified.stdout + verified.stderr

    def test_would_be_seen_by_that_search_if_a_column_said_the_name(self, stack: LiveStack) -> None:
        with psycopg.connect(stack.dev["database_owner_url"]) as connection:
            connection.execute("SET session_replication_role = replica")
            statement = sql.SQL("UPDATE runs SET reason = {} WHERE tenant_id = 'default'").format(sql.Literal(f"about {PASSENGER}"))
            assert connection.execute(statement).rowcount
        assert says(dump(stack.dev["database_owner_url"], tenant="default"), PASSENGER)
