"""Erasure and retention over HTTP: who may, what is refused, what is answered."""

import json
from datetime import timedelta

import pytest

from api.residue import ResidueRemover
from domain.runs import Projection, RunStatus
from tests.api.gateway import Gateway, fresh_id, wait_for
from tests.fake_objects import FakeObjects
from tests.fakes_subjects import FakeHistories

NAME = "Ada Byron King"


def ended(house: Gateway, *, subject: str | None = NAME) -> str:
    """Start a run for a data subject and end it well."""
    run = house.start(**({"subject": subject} if subject else {}))
    house.succeed(run, {"paid": NAME})
    return run


class TestDataSubject:
    def test_of_a_run_is_shown_as_a_pseudonym_only(self, house: Gateway) -> None:
        first, second, other = ended(house), ended(house, subject=f" {NAME} "), ended(house, subject="Bob")
        shown = [house.client().get(f"/v1/runs/{run}").json() for run in (first, second, other)]
        assert shown[0]["subject"].startswith("sub_")
        assert shown[0]["subject"] == shown[1]["subject"] != shown[2]["subject"]
        assert NAME not in json.dumps(shown)

    def test_is_the_run_itself_when_none_is_named(self, house: Gateway) -> None:
        run = ended(house, subject=None)
        assert house.stores.database.run("default", run).subject is None
        assert house.client().post("/v1/erasures", json={"subject": run, "dry_run": True}).json()["runs"] == [run]

    def test_belongs_to_a_start_as_its_body_does(self, house: Gateway) -> None:
        starts = [
            house.client().post(
                "/v1/runs",
                json={"definition": "delay-claim", "input": {"claim": {"id": "c"}}, "subject": subject},
                headers={"Idempotency-Key": "k"},
            )
            for subject in (NAME, NAME, "Bob")
        ]
        assert [answer.status_code for answer in starts] == [202, 202, 422]

    def test_differs_from_tenant_to_tenant(self, house: Gateway) -> None:
        deps = house.deps.subjects
        assert deps.pseudonym("default", NAME) != deps.pseudonym("other", NAME)


class TestErasure:
    def test_that_is_dry_changes_nothing(self, house: Gateway) -> None:
        run = ended(house)
        plan = house.client().post("/v1/erasures", json={"subject": NAME, "dry_run": True})
        assert (plan.status_code, plan.json()["allowed"], plan.json()["runs"]) == (200, True, [run])
        assert house.client().get(f"/v1/runs/{run}/result").json()["result"] == {"paid": NAME}
        assert house.client().get("/v1/erasures").json()["items"] == []

    def test_answers_with_a_certificate_that_stays(self, house: Gateway) -> None:
        run = ended(house)
        done = house.client().post("/v1/erasures", json={"subject": NAME})
        assert (done.status_code, done.json()["runs"], done.json()["completed_at"] is not None) == (200, 1, True)
        kinds = [entry["kind"] for entry in done.json()["certificate"]]
        assert kinds == ["gateway:subject:erased", "platform:removal:completed"]
        assert house.client("auditor").get(done.headers["location"]).json() == done.json()
        assert house.client().get(f"/v1/runs/{run}/ledger/verify").json()["ok"] is True
        assert [item["erasure"] for item in house.client("auditor").get("/v1/erasures").json()["items"]] == [done.json()["erasure"]]

    def test_leaves_410_where_the_content_was(self, house: Gateway) -> None:
        run = ended(house)
        house.client().post("/v1/erasures", json={"subject": NAME})
        gone = house.client().get(f"/v1/runs/{run}/result")
        assert (gone.status_code, gone.json()["code"], gone.json()["retryable"]) == (410, "erased", False)
        shown = house.client().get(f"/v1/runs/{run}").json()
        assert (shown["status"], shown["erased_at"] is not None) == ("succeeded", True)

    def test_is_refused_while_a_run_is_open(self, house: Gateway) -> None:
        ended(house)
        run = house.start(subject=NAME)
        refused = house.client().post("/v1/erasures", json={"subject": NAME})
        assert (refused.status_code, refused.json()["code"]) == (409, "erasure-refused")
        assert run in refused.json()["detail"]

    def test_of_an_unknown_or_foreign_name_is_404(self, house: Gateway) -> None:
        ended(house)
        assert house.client().post("/v1/erasures", json={"subject": "nobody"}).status_code == 404
        assert house.client("stranger").post("/v1/erasures", json={"subject": NAME}).status_code == 404

    def test_never_says_the_name_in_what_it_answers_or_stores(self, house: Gateway) -> None:
        ended(house)
        house.client().post("/v1/erasures", json={"subject": NAME}, headers={"Idempotency-Key": "k"})
        stored = repr(house.stores.idempotency.claims) + repr(house.stores.removals.done) + repr(house.stores.database.entries)
        assert NAME not in stored

    def test_that_anonymises_replaces_the_pseudonym(self, house: Gateway) -> None:
        run = ended(house)
        before = house.client().get(f"/v1/runs/{run}").json()["subject"]
        done = house.client().post("/v1/erasures", json={"subject": NAME, "mode": "anonymise"}).json()
        after = house.client().get(f"/v1/runs/{run}").json()["subject"]
        assert (done["mode"], done["subject"], before != after) == ("anonymise", after, True)
        assert house.client().post("/v1/erasures", json={"subject": NAME}).status_code == 404

    def test_is_202_while_a_history_is_still_there_and_completed_by_the_sweeper(self, house: Gateway) -> None:
        deps = house.deps.subjects
        assert isinstance(deps.histories, FakeHistories)
        deps.histories.away = True
        deps.histories.there[ended(house)] = 3
        going = house.client().post("/v1/erasures", json={"subject": NAME})
        assert (going.status_code, going.json()["completed_at"]) == (202, None)
        deps.histories.away = False
        wait_for(ResidueRemover(deps, tenants=house.deps.runs, now=house.deps.now).clear("default"))
        assert house.client().get(going.headers["location"]).json()["histories"] == 3

    def test_counts_each_history_once_though_the_first_to_delete_them_could_not_wait(self, house: Gateway) -> None:
        deps = house.deps.subjects
        assert isinstance(deps.histories, FakeHistories)
        deps.histories.there[ended(house)] = 3
        deps.histories.late = True
        going = house.client().post("/v1/erasures", json={"subject": NAME})
        assert (going.status_code, deps.histories.there) == (202, {})
        deps.histories.late = False
        wait_for(ResidueRemover(deps, tenants=house.deps.runs, now=house.deps.now).clear("default"))
        assert house.client().get(going.headers["location"]).json()["histories"] == 3


class TestRetention:
    def test_has_rules_that_are_set_and_removed(self, house: Gateway) -> None:
        set_one = house.client().post("/v1/retention", json={"definition": "delay-claim", "keep_days": 30}).json()
        assert [(rule["definition"], rule["keep_days"]) for rule in set_one["rules"]] == [("delay-claim", 30)]
        assert house.client("auditor").get("/v1/retention").json() == set_one
        assert house.client().post("/v1/retention", json={"definition": "delay-claim", "keep_days": None}).json()["rules"] == []

    @pytest.mark.parametrize("days", [0, -1, 36501, 1.5, "soon"])
    def test_refuses_days_that_are_none(self, house: Gateway, days: object) -> None:
        assert house.client().post("/v1/retention", json={"keep_days": days}).status_code == 422

    def test_purges_after_the_term_and_not_before(self, house: Gateway) -> None:
        run = ended(house, subject=None)
        house.client().post("/v1/retention", json={"keep_days": 30})
        early = house.client().post("/v1/retention/purge", json={"run": run})
        assert (early.status_code, early.json()["code"]) == (409, "inside-term")
        assert house.client().post("/v1/retention/purge", json={}).json()["runs"] == 0
        house.stores.database.pass_time(seconds=timedelta(days=31).total_seconds())
        planned = house.client().post("/v1/retention/purge", json={"dry_run": True}).json()
        done = house.client().post("/v1/retention/purge", json={}).json()
        assert (planned["runs"], done["mode"], done["runs"]) == ([run], "purge", 1)
        assert house.client().get(f"/v1/runs/{run}/result").status_code == 410

    def test_holds_keep_content_until_they_are_released(self, house: Gateway) -> None:
        ended(house)
        hold = house.client().post("/v1/retention/holds", json={"scope": "subject", "name": NAME, "reason": "a suit"})
        assert (hold.status_code, hold.json()["name"].startswith("sub_")) == (201, True)
        refused = house.client().post("/v1/erasures", json={"subject": NAME})
        assert (refused.status_code, refused.json()["code"]) == (409, "under-legal-hold")
        released = house.client().post(f"/v1/retention/holds/{hold.json()['hold']}/release")
        assert released.json()["released_at"] is not None
        assert house.client().post("/v1/erasures", json={"subject": NAME}).status_code == 200

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"scope": "run", "name": "run_x"}, 400),
            ({"scope": "run"}, 422),
            ({"scope": "tenant", "name": "x"}, 422),
            ({"scope": "world", "name": "x"}, 422),
        ],
    )
    def test_refuses_holds_on_what_cannot_be(self, house: Gateway, body: dict[str, str], status: int) -> None:
        assert house.client().post("/v1/retention/holds", json={**body, "reason": "a suit"}).status_code == status

    def test_refuses_a_hold_on_a_run_that_is_not_there(self, house: Gateway) -> None:
        body = {"scope": "run", "name": fresh_id("run"), "reason": "a suit"}
        assert house.client().post("/v1/retention/holds", json=body).status_code == 404


class TestLeftObjects:
    def test_of_a_removed_run_go_and_others_stay(self, house: Gateway) -> None:
        run, other = ended(house), ended(house, subject="Bob")
        objects = house.deps.subjects.objects
        assert isinstance(objects, FakeObjects)
        for each in (run, other):
            wait_for(objects.put(f"default/{each}/ref", b"sealed"))
        assert house.client().post("/v1/erasures", json={"subject": NAME}).json()["objects"] == 1
        assert list(objects.stored) == [f"default/{other}/ref"]

    def test_without_a_row_go_once_they_are_old(self, house: Gateway) -> None:
        objects = house.deps.subjects.objects
        assert isinstance(objects, FakeObjects)
        run = ended(house)
        kept = house.stores.database.store_payload("default", {"large": True})
        for ref in (kept, "orphan"):
            wait_for(objects.put(f"default/{run}/{ref}", b"sealed"))
        remover = ResidueRemover(house.deps.subjects, tenants=house.deps.runs, now=house.deps.now)
        assert wait_for(remover.sweep_orphans()) == 0
        assert wait_for(remover.sweep_orphans(age_s=-1.0)) == 1
        assert list(objects.stored) == [f"default/{run}/{kept}"]


def test_a_failed_run_keeps_its_error_code(house: Gateway) -> None:
    run = house.start(subject=NAME)
    house.project(run, Projection(status=RunStatus.FAILED, error={"code": "tool-failed", "detail": f"no account of {NAME}"}))
    house.client().post("/v1/erasures", json={"subject": NAME})
    assert house.client().get(f"/v1/runs/{run}").json()["error"] == {"code": "tool-failed", "detail": "(erased)"}
