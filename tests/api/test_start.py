"""Starting runs: checked first, stored once, started once, whatever is repeated or lost on the way."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import pytest
from pydantic import JsonValue

from api.starting import start_accepted
from domain.errors import InvalidDefinition, Unavailable
from domain.runs import Projection, RunStatus
from domain.stores import RunFilter
from tests.api.gateway import CLAIM, Gateway, drafts_of, gateway, wait_for
from workflows.messages import PROGRAM_BYTES_MAX

START: dict[str, JsonValue] = {"definition": "delay-claim", "input": {"claim": {"id": "c-1"}}}


def post(house: Gateway, body: dict[str, JsonValue], *, key: str | None = None, who: str = "operator") -> httpx2.Response:
    return house.client(who).post("/v1/runs", json=body, headers={"Idempotency-Key": key} if key else {})


def stored_runs(house: Gateway) -> int:
    return len(wait_for(house.stores.runs.page("default", RunFilter())).items)


class TestStart:
    def test_answers_202_with_the_run_and_where_to_find_it(self, house: Gateway) -> None:
        answer = post(house, START)
        said = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/runs/{said['run']}"
        assert {"definition": "delay-claim", "version": "1.0.0", "status": "accepted"}.items() <= said.items()

    def test_stores_the_run_with_its_requester_and_correlation_id(self, house: Gateway) -> None:
        run = house.client("operator").post("/v1/runs", json=START, headers={"X-Correlation-ID": "order-7"}).json()["run"]
        row = house.stores.database.run("default", run)
        assert (row.principal, row.correlation_id) == (house.principals["operator"].id, "order-7")

    def test_starts_the_workflow_with_the_compiled_program_and_the_projected_input_only(self, house: Gateway) -> None:
        run = post(house, {**START, "input": {"claim": {"id": "c-1", "secret": "passport"}}}).json()["run"]
        started = house.temporal.started[run]
        assert started.input_fields == {"claim.id": "c-1"}
        assert (started.tenant, started.epoch, started.program.name) == ("default", 1, "delay-claim")
        assert house.temporal.summaries[run] == "delay-claim 1.0.0"

    def test_overlays_the_config_on_the_definitions_defaults(self, house: Gateway) -> None:
        run = post(house, {**START, "config": {"limit": 50}}).json()["run"]
        assert house.temporal.started[run].program.config == {"limit": 50}

    def test_takes_the_highest_version_in_the_range(self, house: Gateway) -> None:
        house.register(drafts_of(CLAIM.replace("1.0.0", "1.4.0"))[0])
        house.register(drafts_of(CLAIM.replace("1.0.0", "2.0.0"))[0])
        assert post(house, {**START, "definition": "delay-claim@^1"}).json()["version"] == "1.4.0"
        assert post(house, START).json()["version"] == "2.0.0"

    def test_waits_for_the_result_when_asked(self, house: Gateway) -> None:
        house.temporal.on_start = lambda start: house.succeed_soon(start.run, {"paid": 250})
        answer = post(house, {**START, "wait": 10})
        assert (answer.status_code, answer.json()["result"], answer.json()["closed"]) == (200, {"paid": 250}, True)

    def test_is_accepted_while_temporal_is_down_and_left_to_the_sweeper(self, house: Gateway) -> None:
        house.temporal.down = Unavailable("Temporal does not answer")
        run = post(house, START).json()["run"]
        house.temporal.down = None
        wait_for(start_accepted(house.deps, house.stores.database.run("default", run)))
        assert house.temporal.started[run].input_fields == {"claim.id": "c-1"}


class TestRefusedStart:
    @pytest.mark.parametrize(
        ("change", "status", "code", "where"),
        [
            ({"input": {"claim": {"id": 7}}}, 422, "invalid-input", "/input/claim/id"),
            ({"input": {}}, 422, "invalid-input", "/input"),
            ({"config": {"limit": "much"}}, 422, "invalid-input", "/config/limit"),
            ({"definition": "no-such"}, 404, "not-found", None),
            ({"definition": "delay-claim@^9"}, 404, "not-found", None),
            ({"definition": "Delay Claim"}, 422, "invalid-input", "/definition"),
            ({"wait": 31}, 422, "invalid-input", "/wait"),
            ({"wait": -1}, 422, "invalid-input", "/wait"),
            ({"inputs": {}}, 422, "invalid-input", "/inputs"),
        ],
    )
    def test_stores_nothing_and_says_where(
        self, house: Gateway, change: dict[str, JsonValue], status: int, code: str, where: str | None
    ) -> None:
        answer = post(house, {**START, **change})
        said = answer.json()
        assert (answer.status_code, said["code"]) == (status, code)
        assert where is None or where in [mistake["where"] for mistake in said["errors"]]
        assert stored_runs(house) == 0
        assert house.temporal.started == {}

    def test_names_the_versions_there_are(self, house: Gateway) -> None:
        assert "1.0.0" in post(house, {**START, "definition": "delay-claim@^9"}).json()["detail"]

    def test_of_a_definition_whose_tool_is_gone(self) -> None:
        house = gateway(tool_specs=list)
        assert post(house, START).json()["code"] == "invalid-definition"
        assert stored_runs(house) == 0

    def test_of_a_program_too_large_for_a_start(self, house: Gateway) -> None:
        padded = CLAIM.replace("name: delay-claim", "name: long-claim").replace(
            'limit: "${ config.limit }"', f'limit: &long "{"x" * (PROGRAM_BYTES_MAX // 50)}"'
        )
        more = "".join(f"  - again{n}:\n      call: bank.pay\n      with: {{limit: *long}}\n" for n in range(50))
        padded = padded.replace("output:", f"{more}output:")
        house.register(drafts_of(padded)[0])
        said = post(house, {**START, "definition": "long-claim"}).json()
        assert (said["code"], str(PROGRAM_BYTES_MAX) in said["detail"]) == ("invalid-definition", True)

    def test_of_another_tenants_definition_is_the_same_404(self, house: Gateway) -> None:
        foreign, absent = post(house, START, who="stranger"), post(house, {**START, "definition": "no-such"}, who="stranger")
        assert (foreign.status_code, foreign.json()["code"]) == (absent.status_code, absent.json()["code"]) == (404, "not-found")


class TestStartWithAnIdempotencyKey:
    def test_gives_the_same_bytes_however_far_the_run_is(self, house: Gateway) -> None:
        first = post(house, START, key="k-1")
        house.succeed(first.json()["run"], {"paid": 1})
        again = post(house, START, key="k-1")
        assert (again.status_code, again.content) == (202, first.content)
        assert stored_runs(house) == 1

    def test_starts_a_closed_run_no_second_time(self, house: Gateway) -> None:
        run = post(house, START, key="k-1").json()["run"]
        house.succeed(run, None)
        house.temporal.started.clear()
        post(house, START, key="k-1")
        assert house.temporal.started == {}

    def test_refuses_another_body(self, house: Gateway) -> None:
        post(house, START, key="k-1")
        answer = post(house, {**START, "input": {"claim": {"id": "c-2"}}}, key="k-1")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
        assert stored_runs(house) == 1

    def test_refuses_another_principal(self, house: Gateway) -> None:
        post(house, START, key="k-1", who="operator")
        assert post(house, START, key="k-1", who="developer").json()["code"] == "idempotency-key-reused"

    def test_of_another_tenant_starts_that_tenants_own_run(self, house: Gateway) -> None:
        house.register(drafts_of(CLAIM)[0], tenant="other")
        ours, theirs = post(house, START, key="k-1", who="admin").json()["run"], post(house, START, key="k-1", who="stranger").json()["run"]
        assert ours != theirs

    def test_started_concurrently_makes_one_run(self, house: Gateway) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = [future.result() for future in [pool.submit(post, house, START, key="k-1") for _ in range(8)]]
        assert {answer.content for answer in answers} == {answers[0].content}
        assert stored_runs(house) == 1

    def test_heals_a_crash_between_row_and_workflow(self, house: Gateway) -> None:
        run = post(house, START, key="k-1").json()["run"]
        house.temporal.started.clear()
        post(house, START, key="k-1")
        assert list(house.temporal.started) == [run]

    def test_keeps_the_version_it_accepted_when_a_newer_one_comes(self, house: Gateway) -> None:
        first = post(house, START, key="k-1")
        house.temporal.started.clear()
        house.register(drafts_of(CLAIM.replace("1.0.0", "1.9.0"))[0])
        again = post(house, START, key="k-1")
        assert again.content == first.content
        assert house.temporal.started[first.json()["run"]].program.version == "1.0.0"

    def test_lets_a_refused_key_carry_a_mended_body(self, house: Gateway) -> None:
        assert post(house, {**START, "input": {}}, key="k-1").status_code == 422
        assert post(house, START, key="k-1").status_code == 202


class TestStartAccepted:
    async def test_says_why_a_row_can_never_start(self, house: Gateway) -> None:
        house.temporal.down = Unavailable("down")
        run = post(house, START).json()["run"]
        toolless = replace(house.deps, tool_specs=list)
        with pytest.raises(InvalidDefinition):
            await start_accepted(toolless, house.stores.database.run("default", run))


class TestStatusOfAStartedRun:
    def test_comes_from_the_workers_projection(self, house: Gateway) -> None:
        run = house.start()
        house.project(run, Projection(status=RunStatus.RUNNING))
        assert house.client("viewer").get(f"/v1/runs/{run}").json()["status"] == "running"
