"""`/sagas` and `/compensate` over HTTP: what is shown, who may ask, and that asking leaves a trace."""

import json

import pytest

from domain.effects import EffectState
from domain.ledger import Kind
from domain.past import Past
from domain.runs import Projection, RunStatus
from tests.api.gateway import Gateway, drafts_of
from tests.api.test_lineage import paid

SETTLE = """standfast: 1
name: settle
version: 1.0.0
input: {schema: {type: object}}
do:
  - s:
      saga:
        mode: parallel
        steps:
          - a: {call: bank.pay, compensate: {call: bank.pay}}
          - b: {call: bank.pay, compensate: {call: bank.pay}}
"""


def settling_run(house: Gateway) -> str:
    """Start a run of a saga with one step done and one under way."""
    [draft] = drafts_of(SETTLE)
    house.register(draft)
    run = house.start(definition="settle", input={})
    house.project(run, Projection(status=RunStatus.RUNNING))
    under_way = paid("s.b").model_copy(update={"state": EffectState.INTENT})
    house.stores.lineage.pasts["default", run] = Past(run=run, epoch=1, fact_head=0, effects=(paid("s.a"), under_way))
    return run


@pytest.fixture(name="run")
def _run(house: Gateway) -> str:
    return settling_run(house)


class TestSagas:
    def test_show_the_state_of_each_step(self, house: Gateway, run: str) -> None:
        answer = house.client("viewer").get(f"/v1/runs/{run}/sagas")
        [saga] = answer.json()["sagas"]
        assert (answer.status_code, saga["saga"], saga["mode"], saga["state"]) == (200, "s", "parallel", "running")
        assert [(step["step"], step["state"], step["undo_tool"]) for step in saga["steps"]] == [
            ("s.a", "done", "bank.pay"),
            ("s.b", "running", "bank.pay"),
        ]

    def test_of_a_run_without_any_are_none(self, house: Gateway) -> None:
        assert house.client("viewer").get(f"/v1/runs/{house.start()}/sagas").json()["sagas"] == []

    def test_of_a_strangers_run_are_404(self, house: Gateway, run: str) -> None:
        assert house.client("stranger").get(f"/v1/runs/{run}/sagas").status_code == 404


class TestCompensate:
    def test_asks_the_run_and_writes_who_asked_and_why(self, house: Gateway, run: str) -> None:
        answer = house.client("operator").post(f"/v1/runs/{run}/compensate", json={"reason": "Mrs Green called"})
        last = house.stores.database.entries["default", run][-1]
        assert (answer.status_code, answer.json()) == (202, {"run": run, "status": "running", "compensate_requested": True})
        assert house.temporal.compensated == [run]
        assert (last.kind, last.principal) == (Kind.RUN_COMPENSATE_REQUESTED, house.principals["operator"].id)
        assert b"Green" not in last.body
        assert house.stores.database.payloads["default", json.loads(last.body)["data"]["payload"]] == {"reason": "Mrs Green called"}
        [request] = house.client("viewer").get(f"/v1/runs/{run}").json()["requests"]
        assert (request["what"], request["reason"]) == ("compensate", "Mrs Green called")

    def test_with_the_same_key_asks_once(self, house: Gateway, run: str) -> None:
        for _ in range(2):
            asked = house.client("operator").post(f"/v1/runs/{run}/compensate", headers={"Idempotency-Key": "k"})
            assert asked.status_code == 202
        assert house.temporal.compensated == [run]

    def test_is_for_operators(self, house: Gateway, run: str) -> None:
        assert house.client("developer").post(f"/v1/runs/{run}/compensate").status_code == 403
        assert house.client("stranger").post(f"/v1/runs/{run}/compensate").status_code in (403, 404)
        assert house.temporal.compensated == []

    def test_of_an_ended_run_is_409_and_writes_nothing(self, house: Gateway, run: str) -> None:
        house.succeed(run, None)
        before = len(house.stores.database.entries["default", run])
        answer = house.client("operator").post(f"/v1/runs/{run}/compensate")
        assert (answer.status_code, answer.json()["code"]) == (409, "run-closed")
        assert len(house.stores.database.entries["default", run]) == before
