"""Reading, cancelling and signalling runs."""

import json

import pytest

from domain.envelope import Usage
from domain.errors import Unavailable
from domain.ledger import Kind
from domain.runs import Projection, RunStatus
from domain.stores import EffectRow
from tests.api.gateway import Gateway, fresh_id


class TestListOfRuns:
    def test_comes_newest_first_in_pages(self, house: Gateway) -> None:
        started: list[str] = []
        for _ in range(5):
            started.append(house.start())
            house.stores.database.pass_time(seconds=1)
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = house.client("viewer").get("/v1/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
            seen += [run["run"] for run in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == started[::-1]

    def test_filters_by_several_states_and_by_definition(self, house: Gateway) -> None:
        done, waiting, fresh = house.start(), house.start(), house.start()
        house.succeed(done, None)
        house.project(waiting, Projection(status=RunStatus.WAITING, waits_for="an approval"))
        answer = house.client("viewer").get("/v1/runs?status=succeeded&status=waiting&definition=delay-claim").json()
        found = {run["run"] for run in answer["items"]}
        assert (found, fresh in found) == ({done, waiting}, False)
        assert house.client("viewer").get("/v1/runs?definition=other").json()["items"] == []

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "status=done", "state=open"])
    def test_refuses_filters_it_does_not_know(self, house: Gateway, query: str) -> None:
        answer = house.client("viewer").get(f"/v1/runs?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")
        assert answer.json()["errors"][0]["where"].startswith(f"query:{query.partition('=')[0]}")

    def test_refuses_a_cursor_that_is_none(self, house: Gateway) -> None:
        assert house.client("viewer").get("/v1/runs?cursor=zzz").status_code == 400

    def test_shows_nothing_of_another_tenant(self, house: Gateway) -> None:
        house.start()
        assert house.client("stranger").get("/v1/runs").json() == {"items": [], "next_cursor": None}


class TestOneRun:
    def test_shows_usage_ledger_head_and_error(self, house: Gateway) -> None:
        run = house.start()
        usage = Usage(input_tokens=7, output_tokens=3, cost_usd_micros=1200, model="scripted/claims")
        house.project(run, Projection(status=RunStatus.FAILED, error={"code": "tool-failed", "detail": "no"}, usage=usage))
        shown = house.client("viewer").get(f"/v1/runs/{run}").json()
        assert shown["usage"] == {"input_tokens": 7, "output_tokens": 3, "cost_usd_micros": 1200, "model": "scripted/claims"}
        assert shown["error"] == {"code": "tool-failed", "detail": "no"}
        assert shown["ledger"]["seq"] == 1
        assert "fingerprint" not in shown

    def test_answers_304_until_it_changes(self, house: Gateway) -> None:
        run, client = house.start(), house.client("viewer")
        etag = client.get(f"/v1/runs/{run}").headers["etag"]
        same = client.get(f"/v1/runs/{run}", headers={"If-None-Match": f'"other", W/{etag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        house.project(run, Projection(status=RunStatus.RUNNING))
        changed = client.get(f"/v1/runs/{run}", headers={"If-None-Match": etag})
        assert (changed.status_code, changed.headers["etag"] != etag) == (200, True)

    @pytest.mark.parametrize("tail", ["", "/result", "/trace", "/ledger", "/ledger/verify"])
    def test_foreign_and_absent_answer_the_same_404(self, house: Gateway, tail: str) -> None:
        run, absent = house.start(), fresh_id("run")
        answers = [house.client("stranger").get(f"/v1/runs/{one}{tail}") for one in (run, absent)]
        told = [{**answer.json(), "instance": "", "correlation_id": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert str(told[0]).replace(run, "ID") == str(told[1]).replace(absent, "ID")

    def test_with_an_id_that_is_none_is_a_400_that_shows_the_shape(self, house: Gateway) -> None:
        said = house.client("viewer").get("/v1/runs/run_1").json()
        assert (said["status"], said["code"], "26 characters" in said["detail"]) == (400, "invalid-id", True)


class TestResult:
    def test_is_202_with_what_the_run_waits_for_while_it_is_open(self, house: Gateway) -> None:
        run = house.start()
        house.project(run, Projection(status=RunStatus.WAITING, waits_for="a decision on gate"))
        answer = house.client("viewer").get(f"/v1/runs/{run}/result")
        assert (answer.status_code, answer.json()["waits_for"], answer.json()["closed"]) == (202, "a decision on gate", False)

    def test_is_200_with_the_output_of_a_run_that_succeeded(self, house: Gateway) -> None:
        run = house.start()
        house.succeed(run, {"paid": 250})
        answer = house.client("viewer").get(f"/v1/runs/{run}/result")
        assert (answer.status_code, answer.json()["result"], answer.json()["status"]) == (200, {"paid": 250}, "succeeded")

    def test_is_200_with_the_error_of_a_run_that_failed(self, house: Gateway) -> None:
        run = house.start()
        house.project(run, Projection(status=RunStatus.FAILED, error={"code": "tool-failed", "detail": "no"}))
        said = house.client("viewer").get(f"/v1/runs/{run}/result").json()
        assert (said["result"], said["error"]["code"]) == (None, "tool-failed")

    def test_comes_as_soon_as_the_run_ends(self, house: Gateway) -> None:
        run = house.start()
        house.succeed_soon(run, 1)
        assert house.client("viewer").get(f"/v1/runs/{run}/result?wait=30").json()["result"] == 1

    def test_comes_open_when_the_wait_is_over(self, house: Gateway) -> None:
        assert house.client("viewer").get(f"/v1/runs/{house.start()}/result?wait=0.1").status_code == 202

    def test_waits_thirty_seconds_at_most(self, house: Gateway) -> None:
        assert house.client("viewer").get(f"/v1/runs/{house.start()}/result?wait=31").status_code == 422


class TestTrace:
    def test_shows_effects_and_the_runs_own_open_approvals(self, house: Gateway) -> None:
        run, other = house.start(), house.start()
        approval = house.open_approval(run)
        house.open_approval(other)
        effect = EffectRow(
            step="settle.pay",
            visit=1,
            call="",
            subject="bank.pay@1.0.0",
            effect_class="money",
            state="done",
            attempt=1,
            started_at="2026-01-05T09:00:00Z",
            ended_at=None,
            input_tokens=0,
            output_tokens=0,
            cost_usd_micros=0,
            model=None,
            error=None,
        )
        house.stores.runs.effects["default", run] = [effect]
        shown = house.client("viewer").get(f"/v1/runs/{run}/trace").json()
        assert shown["effects"] == [effect.model_dump()]
        assert [one["approval"] for one in shown["approvals"]] == [approval]
        assert shown["run"]["run"] == run


class TestCancel:
    def test_asks_the_run_and_writes_who_asked_and_why(self, house: Gateway) -> None:
        run = house.start()
        answer = house.client("operator").post(f"/v1/runs/{run}/cancel", json={"reason": "duplicate claim"})
        last = house.stores.database.entries["default", run][-1]
        assert (answer.status_code, answer.json()["cancel_requested"]) == (202, True)
        assert house.temporal.cancelled == [run]
        assert (last.kind, last.principal) == (Kind.RUN_CANCEL_REQUESTED, house.principals["operator"].id)
        assert b"duplicate claim" not in last.body
        ref = json.loads(last.body)["data"]["payload"]
        assert house.stores.database.payloads["default", ref] == {"reason": "duplicate claim"}

    def test_needs_no_body(self, house: Gateway) -> None:
        assert house.client("operator").post(f"/v1/runs/{house.start()}/cancel").status_code == 202

    def test_of_an_ended_run_is_409_and_writes_nothing(self, house: Gateway) -> None:
        run = house.start()
        house.succeed(run, None)
        before = len(house.stores.database.entries["default", run])
        answer = house.client("operator").post(f"/v1/runs/{run}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "run-closed")
        assert len(house.stores.database.entries["default", run]) == before

    def test_of_a_run_nobody_started_yet_is_503_to_be_tried_again(self, house: Gateway) -> None:
        house.temporal.down = Unavailable("down")
        run = house.start()
        house.temporal.down = None
        answer = house.client("operator").post(f"/v1/runs/{run}/cancel")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    def test_while_temporal_is_down_is_503_with_retry_after(self, house: Gateway) -> None:
        run = house.start()
        house.temporal.down = Unavailable("Temporal does not answer", retry_after_s=4.2)
        answer = house.client("operator").post(f"/v1/runs/{run}/cancel")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")


class TestSignal:
    def test_whose_name_is_none_is_404(self, house: Gateway) -> None:
        run = house.start()
        answer = house.client("operator").post(f"/v1/runs/{run}/signals/complete_task", json={"payload": {"resolution": "happened"}})
        assert (answer.status_code, "no name of a signal" in answer.json()["detail"]) == (404, True)
        assert (house.temporal.completions, house.temporal.signals) == ([], [])
