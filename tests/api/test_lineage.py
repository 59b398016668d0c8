"""Redrives, forks and comparisons over HTTP: who may, what is refused and where, and that a repeated request is one request."""

import json

import httpx2
import pytest
from pydantic import JsonValue

from domain.effects import EffectClass, EffectState
from domain.errors import Unavailable
from domain.ledger import Kind
from domain.past import KnownEffect, Past
from domain.runs import Projection, RunStatus
from tests.api.gateway import Gateway, drafts_of

FAILED = Projection(status=RunStatus.FAILED, error={"code": "tool-failed", "detail": "the bank said no"})

TWO = """standfast: 1
name: two-steps
version: 1.0.0
input: {schema: {type: object}}
config: {schema: {type: object, properties: {limit: {type: integer}}}, defaults: {limit: 5}}
do:
  - first: {call: bank.pay, with: {limit: "${ config.limit }"}}
  - second: {call: bank.pay, with: {of: "${ steps.first.output.id }"}}
output: "${ steps.second.output.id }"
"""


def paid(step: str) -> KnownEffect:
    """Build the effect of a step that was done."""
    plain = {"visit": 1, "call": "call", "subject": "bank.pay@1.0.0", "digest": "d", "effect_class": EffectClass.MONEY}
    times = {"started_at": "2026-01-05T09:00:00Z", "ended_at": "2026-01-05T09:00:01Z"}
    return KnownEffect.model_validate(
        {"step": step, "state": EffectState.DONE, "output_ref": "r", "output": {"id": step}, **plain, **times}
    )


def failed_run(house: Gateway) -> str:
    """Start a run of two steps that failed at the second."""
    [draft] = drafts_of(TWO)
    house.register(draft)
    run = house.start(definition="two-steps", input={})
    house.project(run, FAILED)
    house.temporal.ended[run] = "failed"
    house.stores.lineage.pasts["default", run] = Past(run=run, epoch=1, fact_head=0, effects=(paid("first"),))
    return run


@pytest.fixture(name="failed")
def _failed(house: Gateway) -> str:
    return failed_run(house)


def redrive(
    house: Gateway, run: str, *, who: str = "operator", key: str | None = None, body: JsonValue = None, reason: str = ""
) -> httpx2.Response:
    """Redrive a run."""
    sent: JsonValue = body if body is not None else {"reason": reason}
    return house.client(who).post(f"/v1/runs/{run}/redrive", json=sent, headers={"Idempotency-Key": key} if key else {})


def fork(
    house: Gateway, run: str, at: str = "second", *, who: str = "developer", key: str | None = None, **body: JsonValue
) -> httpx2.Response:
    """Fork a run."""
    return send_fork(house, run, {"at": at, **body}, who=who, key=key)


def send_fork(house: Gateway, run: str, body: JsonValue, *, who: str = "developer", key: str | None = None) -> httpx2.Response:
    """Ask for a fork with a body as it is."""
    return house.client(who).post(f"/v1/runs/{run}/fork", json=body, headers={"Idempotency-Key": key} if key else {})


def faults(answer: httpx2.Response) -> list[str]:
    """Return where a problem says that something is wrong."""
    return [each["where"] for each in answer.json()["errors"]]


class TestRedrive:
    def test_goes_on_at_the_step_that_failed(self, house: Gateway, failed: str) -> None:
        answer = redrive(house, failed)
        assert (answer.status_code, answer.json()) == (202, {"run": failed, "status": "running", "epoch": 2, "step": "second", "kept": 1})
        assert (house.temporal.started[failed].epoch, house.temporal.followed[failed]) == (2, "t-1")

    def test_needs_no_body(self, house: Gateway, failed: str) -> None:
        assert house.client("operator").post(f"/v1/runs/{failed}/redrive").status_code == 202

    def test_writes_who_asked_and_seals_why(self, house: Gateway, failed: str) -> None:
        redrive(house, failed, reason="Mrs Green called")
        last = house.stores.database.entries["default", failed][-1]
        assert (last.kind, last.principal) == (Kind.RUN_REDRIVEN, house.principals["operator"].id)
        assert b"Green" not in last.body
        assert house.stores.database.payloads["default", json.loads(last.body)["data"]["payload"]] == {"reason": "Mrs Green called"}

    def test_with_the_same_key_is_done_once(self, house: Gateway, failed: str) -> None:
        first, again = redrive(house, failed, key="k"), redrive(house, failed, key="k")
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert redrive(house, failed, key="k", reason="other").json()["code"] == "idempotency-key-reused"
        assert [entry.kind for entry in house.stores.database.entries["default", failed]].count(Kind.RUN_REDRIVEN) == 1

    def test_of_a_run_that_is_open_or_ended_well_is_409(self, house: Gateway, failed: str) -> None:
        redrive(house, failed)
        assert (redrive(house, failed).status_code, redrive(house, failed).json()["code"]) == (409, "not-redrivable")
        well = house.start()
        house.succeed(well, None)
        assert redrive(house, well).json()["code"] == "not-redrivable"

    def test_of_a_strangers_run_is_404(self, house: Gateway, failed: str) -> None:
        assert (redrive(house, failed, who="stranger").status_code, house.temporal.followed) == (404, {})

    @pytest.mark.parametrize("who", ["viewer", "approver", "developer", "auditor"])
    def test_is_for_operators(self, house: Gateway, failed: str, who: str) -> None:
        assert redrive(house, failed, who=who).status_code == 403

    @pytest.mark.parametrize(("body", "where"), [({"reason": "x" * 501}, "/reason"), ({"reason": 7}, "/reason"), ({"why": "x"}, "/why")])
    def test_with_bad_input_is_422_and_says_where(self, house: Gateway, failed: str, body: dict[str, JsonValue], where: str) -> None:
        answer = redrive(house, failed, body=body)
        assert (answer.status_code, faults(answer)) == (422, [where])

    def test_while_temporal_is_down_changes_nothing(self, house: Gateway, failed: str) -> None:
        house.temporal.down = Unavailable("down")
        assert redrive(house, failed).status_code == 503
        assert house.stores.database.run("default", failed).status is RunStatus.FAILED

    def test_waits_for_the_former_execution_to_end(self, house: Gateway, failed: str) -> None:
        del house.temporal.ended[failed]
        answer = redrive(house, failed)
        assert (answer.status_code, "has not ended in Temporal yet" in answer.json()["detail"]) == (503, True)


class TestFork:
    def test_keeps_what_came_before_and_simulates_what_follows(self, house: Gateway, failed: str) -> None:
        answer = fork(house, failed)
        said = answer.json()
        assert (answer.status_code, said["parent"], said["at"], said["effects"], said["kept"]) == (202, failed, "second", "simulated", 1)
        shown = house.client("viewer").get(f"/v1/runs/{said['run']}").json()
        assert shown["forked_from"] == {"parent": failed, "step": "second", "effects": "simulated"}
        assert house.temporal.started[said["run"]].epoch == 1

    def test_with_the_same_key_is_the_same_run(self, house: Gateway, failed: str) -> None:
        first, again = fork(house, failed, key="k"), fork(house, failed, key="k")
        assert first.json() == again.json()
        house.forget_answers()
        assert fork(house, failed, key="k").json()["run"] == first.json()["run"]
        assert fork(house, failed, key="k", at="first").status_code == 422
        assert fork(house, failed).json()["run"] != first.json()["run"]

    def test_of_a_strangers_run_is_404(self, house: Gateway, failed: str) -> None:
        assert fork(house, failed, who="stranger").status_code == 404

    @pytest.mark.parametrize("who", ["viewer", "approver", "auditor"])
    def test_is_for_those_who_may_start_runs(self, house: Gateway, failed: str, who: str) -> None:
        assert fork(house, failed, who=who).status_code == 403

    def test_lets_only_operators_and_admins_allow_effects(self, house: Gateway, failed: str) -> None:
        refused = fork(house, failed, allow_effects=True)
        assert (refused.status_code, "leave allow_effects out" in refused.json()["detail"]) == (403, True)
        allowed = [fork(house, failed, who=who, allow_effects=True) for who in ("operator", "admin")]
        assert [answer.json()["effects"] for answer in allowed] == ["allowed", "allowed"]

    @pytest.mark.parametrize(
        ("body", "code", "where"),
        [
            ({}, "invalid-input", "/at"),
            ({"at": "Second Step"}, "invalid-input", "/at"),
            ({"at": "third"}, "unreached-step", "/at"),
            ({"at": "second", "changes": {"prompt": "x"}}, "invalid-input", "/changes/prompt"),
            ({"at": "second", "changes": {"instructions": "Be kind."}}, "invalid-input", "/changes/instructions"),
            ({"at": "second", "changes": {"model": "fake/other"}}, "invalid-input", "/changes/model"),
            ({"at": "second", "changes": {"arguments": ["x"]}}, "invalid-input", "/changes/arguments"),
            ({"at": "second", "changes": {"config": {"limit": "many"}}}, "invalid-input", "/changes/config/limit"),
            ({"at": "second", "allow_effects": "perhaps"}, "invalid-input", "/allow_effects"),
        ],
    )
    def test_with_bad_input_is_422_and_says_where(
        self, house: Gateway, failed: str, body: dict[str, JsonValue], code: str, where: str
    ) -> None:
        answer = send_fork(house, failed, body)
        assert (answer.status_code, answer.json()["code"], faults(answer)) == (422, code, [where]), answer.text

    def test_at_a_step_that_the_run_did_not_come_to_names_those_it_did(self, house: Gateway, failed: str) -> None:
        house.stores.lineage.pasts["default", failed] = Past(run=failed, epoch=1, fact_head=0)
        answer = fork(house, failed)
        assert (answer.json()["code"], answer.json()["detail"].endswith("it came to first")) == ("unreached-step", True)

    def test_checks_a_changed_definition_as_any_other(self, house: Gateway, failed: str) -> None:
        answer = fork(house, failed, changes={"arguments": {"of": "${ steps.nowhere.output }"}})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-definition")
        assert "nowhere" in answer.json()["detail"]


class TestCompare:
    def test_shows_both_runs_and_how_they_are_related(self, house: Gateway, failed: str) -> None:
        child = fork(house, failed).json()["run"]
        said = house.client("viewer").get(f"/v1/runs/{failed}/compare/{child}").json()
        assert (said["a"]["run"], said["b"]["run"], said["a"]["status"]) == (failed, child, "failed")
        assert said["related"] == f"{child} is a fork of {failed} at second, with effects simulated"
        assert said["same_outcome"] is False

    def test_of_a_run_with_itself_finds_no_difference(self, house: Gateway, failed: str) -> None:
        said = house.client("viewer").get(f"/v1/runs/{failed}/compare/{failed}").json()
        assert (said["same_outcome"], said["tokens_difference"], said["cost_difference_usd_micros"]) == (True, 0, 0)

    def test_of_a_strangers_run_is_404_on_either_side(self, house: Gateway, failed: str) -> None:
        house.register(drafts_of(TWO)[0], tenant="other")
        own = house.start("stranger", definition="two-steps", input={})
        for one, other in ((failed, own), (own, failed)):
            assert house.client("stranger").get(f"/v1/runs/{one}/compare/{other}").status_code == 404
            assert house.client("admin").get(f"/v1/runs/{one}/compare/{other}").status_code == 404

    def test_of_what_is_no_run_is_said_so(self, house: Gateway, failed: str) -> None:
        answer = house.client("viewer").get(f"/v1/runs/{failed}/compare/nonsense")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-id")


class TestRequests:
    def test_of_a_run_say_who_asked_and_why(self, house: Gateway, failed: str) -> None:
        redrive(house, failed, reason="the bank is back")
        house.client("admin").post(f"/v1/runs/{failed}/cancel", json={"reason": "duplicate claim"})
        house.client("admin").post(f"/v1/runs/{failed}/cancel")
        for shown in (
            house.client("viewer").get(f"/v1/runs/{failed}").json(),
            house.client("viewer").get(f"/v1/runs/{failed}/trace").json()["run"],
        ):
            said = [(each["what"], each["by"], each["reason"]) for each in shown["requests"]]
            admin = house.principals["admin"].id
            assert said == [
                ("redrive", house.principals["operator"].id, "the bank is back"),
                ("cancel", admin, "duplicate claim"),
                ("cancel", admin, None),
            ]
            assert all(each["at"].endswith("Z") for each in shown["requests"])

    def test_change_the_etag_of_the_run(self, house: Gateway) -> None:
        run = house.start()
        before = house.client("viewer").get(f"/v1/runs/{run}").headers["etag"]
        house.client("operator").post(f"/v1/runs/{run}/cancel", json={"reason": "duplicate claim"})
        assert house.client("viewer").get(f"/v1/runs/{run}").headers["etag"] != before

    def test_without_their_reason_when_it_is_erased(self, house: Gateway, failed: str) -> None:
        redrive(house, failed, reason="Mrs Green called")
        house.stores.database.payloads.clear()
        [request] = house.client("viewer").get(f"/v1/runs/{failed}").json()["requests"]
        assert (request["what"], request["reason"]) == ("redrive", None)
