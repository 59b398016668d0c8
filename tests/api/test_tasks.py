"""Human tasks: the answer is stored first, then told to the run."""

import httpx2

from api.completions import deliver_completion
from domain.errors import Unavailable
from tests.api.gateway import Gateway, fresh_id, wait_for


def complete(house: Gateway, task: str, who: str = "operator", **body: object) -> httpx2.Response:
    return house.client(who).post(f"/v1/tasks/{task}/complete", json={"resolution": "did_not_happen", **body})


class TestTasks:
    def test_are_listed_by_state(self, house: Gateway) -> None:
        done, left = house.open_task(house.start()), house.open_task(house.start())
        complete(house, done)
        client = house.client("viewer")
        assert [one["task"] for one in client.get("/v1/tasks?state=open").json()["items"]] == [left]
        assert {one["task"] for one in client.get("/v1/tasks").json()["items"]} == {done, left}

    def test_show_what_is_asked(self, house: Gateway) -> None:
        run = house.start()
        shown = house.client("viewer").get(f"/v1/tasks/{house.open_task(run)}").json()
        assert (shown["run"], shown["kind"], shown["title"], shown["state"]) == (run, "in_doubt", "Did bank.pay happen?", "open")

    def test_of_another_tenant_are_the_same_404_as_none(self, house: Gateway) -> None:
        task = house.open_task(house.start())
        assert [complete(house, one, "stranger").status_code for one in (task, fresh_id("tsk"))] == [404, 404]


class TestCompletion:
    def test_tells_the_run_what_happened_and_who_says_so(self, house: Gateway) -> None:
        answer = complete(house, house.open_task(house.start()), resolution="happened", output={"payment": "p-1"})
        (told,) = house.temporal.completions
        assert (answer.status_code, answer.json()["delivered"], answer.json()["resolution"]) == (200, True, "happened")
        assert (told.output, told.principal, told.late) == ({"payment": "p-1"}, house.principals["operator"].id, False)

    def test_twice_is_409(self, house: Gateway) -> None:
        task = house.open_task(house.start())
        complete(house, task)
        assert complete(house, task).json()["code"] == "task-closed"
        assert len(house.temporal.completions) == 1

    def test_while_temporal_is_down_is_stored_and_delivered_later(self, house: Gateway) -> None:
        task = house.open_task(house.start())
        house.temporal.down = Unavailable("down")
        answer = complete(house, task)
        assert (answer.status_code, answer.json()["delivered"], answer.json()["state"]) == (202, False, "completed")
        house.temporal.down = None
        ((row, output),) = wait_for(house.stores.tasks.undelivered("default", limit=10))
        wait_for(deliver_completion(house.deps, "default", row, output))
        assert [told.task for told in house.temporal.completions] == [task]
        assert wait_for(house.stores.tasks.undelivered("default", limit=10)) == []

    def test_of_an_ended_run_has_nobody_to_tell(self, house: Gateway) -> None:
        task = house.open_task(house.start())
        house.temporal.started.clear()
        assert complete(house, task).json()["delivered"] is True

    def test_of_a_late_outcome_says_that_the_journal_has_it_and_which(self, house: Gateway) -> None:
        task = wait_for(house.stores.tasks.get("default", house.open_task(house.start())))
        for outcome in ("done", "failed"):
            late = task.model_copy(update={"state": "closed_late", "resolution": outcome, "delivered": False})
            wait_for(deliver_completion(house.deps, "default", late, None))
        assert [(told.resolution, told.late) for told in house.temporal.completions] == [("happened", True), ("did_not_happen", True)]

    def test_with_an_output_for_something_that_did_not_happen_is_422(self, house: Gateway) -> None:
        task = house.open_task(house.start())
        answer = complete(house, task, output={"payment": "p-1"})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "/output")
        assert house.client("viewer").get(f"/v1/tasks/{task}").json()["state"] == "open"

    def test_with_a_resolution_there_is_not_is_422(self, house: Gateway) -> None:
        assert complete(house, house.open_task(house.start()), resolution="maybe").json()["errors"][0]["where"] == "/resolution"
