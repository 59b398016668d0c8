"""Work for people over HTTP: made, found, taken, handed on, answered with a form, overdue."""

import httpx2
import pytest

from api.tasking import Tasking
from tests.api.gateway import REVIEWER_ROLE, Gateway, fresh_id, wait_for

FORM = {"type": "object", "required": ["iban"], "properties": {"iban": {"type": "string", "minLength": 4}}, "additionalProperties": False}


def make(house: Gateway, /, **body: object) -> httpx2.Response:
    """Make a task."""
    return house.client("operator").post("/v1/tasks", json={"title": "Call Ada", **body})


def made(house: Gateway, **body: object) -> str:
    """Make a task and return its id."""
    answer = make(house, **body)
    assert answer.status_code == 201, answer.text
    return answer.json()["task"]


def act(house: Gateway, task: str, what: str, who: str = "operator", /, **body: object) -> httpx2.Response:
    """Do something with a task."""
    return house.client(who).post(f"/v1/tasks/{task}/{what}", json=body)


def shown(house: Gateway, task: str) -> dict[str, object]:
    """Return a task as a viewer sees it."""
    return house.client("viewer").get(f"/v1/tasks/{task}").json()


def found(house: Gateway, query: str, who: str = "viewer") -> list[str]:
    """Return the ids of a list."""
    return [one["task"] for one in house.client(who).get(f"/v1/tasks?{query}").json()["items"]]


def later(house: Gateway, seconds: float) -> None:
    """Let time pass, and the sweeper look."""
    house.stores.database.pass_time(seconds=seconds)
    wait_for(Tasking(house.deps).move("default"))


class TestMaking:
    def test_of_a_task_says_who_made_it_and_by_when_it_is_due(self, house: Gateway) -> None:
        run = house.start()
        answer = make(house, run=run, instructions="ask for the IBAN", form=FORM, due="1h", priority="high").json()
        assert (answer["kind"], answer["run"], answer["own"], answer["state"]) == ("human", run, True, "open")
        assert (answer["created_by"], answer["detail"]) == (house.principals["operator"].id, "ask for the IBAN")
        assert answer["due"].startswith("2026-01-05T10:00:00")

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ({"title": ""}, "/title"),
            ({"due": "soon"}, "/due"),
            ({"due": "0s"}, "/due"),
            ({"form": {"type": "nonsense"}}, "/form/type"),
            ({"assign": {"role": "a", "principal": "b"}}, "/assign"),
            ({"assign": {"principal": "prn_nobody"}}, "/assign/principal"),
            ({"escalate": [{"after": "1h", "to": {"principal": "x"}}]}, "/escalate/0"),
            ({"colour": "red"}, "/colour"),
        ],
    )
    def test_with_a_mistake_says_where_it_is(self, house: Gateway, body: dict[str, object], where: str) -> None:
        answer = make(house, **body)
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)

    def test_for_a_run_that_is_not_there_is_404(self, house: Gateway) -> None:
        assert make(house, run=fresh_id("run")).status_code == 404


class TestFinding:
    def test_narrows_to_mine_and_to_what_is_overdue(self, house: Gateway) -> None:
        own = made(house, assign={"principal": house.principals["approver"].id})
        ours = made(house, assign={"role": REVIEWER_ROLE}, due="1h")
        other = made(house, assign={"role": "somebody-else"}, due="30m")
        assert sorted(found(house, "mine=true", "approver")) == sorted([own, ours])
        assert found(house, "sort=due") == [other, ours, own]
        later(house, 2000)
        assert found(house, "overdue=true") == [other]
        assert found(house, f"role={REVIEWER_ROLE}") == [ours]
        assert found(house, "kind=in_doubt") == []

    def test_with_an_unknown_filter_is_422(self, house: Gateway) -> None:
        assert house.client("viewer").get("/v1/tasks?sort=colour").json()["errors"][0]["where"] == "query:sort"


class TestAssigning:
    def test_lets_one_of_two_take_it_and_give_it_back(self, house: Gateway) -> None:
        task = made(house, assign={"role": REVIEWER_ROLE})
        assert act(house, task, "assign", "approver", to="me").json()["assignee"] == house.principals["approver"].id
        assert act(house, task, "assign", "approver_2", to="me").status_code == 403
        assert act(house, task, "assign", "approver", release=True).json()["assignee"] is None
        assert act(house, task, "assign", "approver_2", to="me").status_code == 200

    def test_is_refused_to_those_it_is_not_for(self, house: Gateway) -> None:
        task = made(house, assign={"role": REVIEWER_ROLE})
        assert REVIEWER_ROLE in act(house, task, "assign", "outsider", to="me").json()["detail"]
        assert act(house, task, "assign", "approver", to=house.principals["approver_2"].id).status_code == 403

    def test_by_an_operator_reaches_anybody_who_is_there(self, house: Gateway) -> None:
        task = made(house)
        given = act(house, task, "assign", to=house.principals["approver_2"].id)
        assert given.json()["assignee"] == house.principals["approver_2"].id
        assert act(house, task, "assign", to="prn_nobody").json()["errors"][0]["where"] == "/to"
        assert act(house, task, "assign", role="desk").json()["role"] == "desk"

    @pytest.mark.parametrize("body", [{}, {"to": "me", "release": True}])
    def test_without_one_clear_choice_is_422(self, house: Gateway, body: dict[str, object]) -> None:
        assert act(house, made(house), "assign", **body).status_code == 422

    def test_of_another_tenants_task_is_the_same_404_as_none(self, house: Gateway) -> None:
        task = made(house)
        assert [act(house, one, "assign", "stranger", to="me").status_code for one in (task, fresh_id("tsk"))] == [404, 404]


class TestEscalation:
    def test_by_time_records_that_it_is_overdue_and_goes_up_the_ladder(self, house: Gateway) -> None:
        rungs = [{"after": "2h", "to": {"role": "lead"}}, {"after": "3h", "to": {"role": "chief"}}]
        task = made(house, run=house.start(), assign={"principal": house.principals["approver"].id}, due="1h", escalate=rungs)
        later(house, 3601)
        seen = shown(house, task)
        assert (seen["breached_at"], seen["level"]) == (seen["due"], 0)
        later(house, 3 * 3600)
        seen = shown(house, task)
        assert (seen["role"], seen["assignee"], seen["level"]) == ("chief", None, 2)

    def test_by_a_person_goes_to_a_role_or_the_next_of_the_ladder(self, house: Gateway) -> None:
        task = made(house, escalate=[{"after": "2h", "to": {"role": "lead"}}])
        assert act(house, task, "escalate").json()["role"] == "lead"
        assert act(house, task, "escalate").json()["errors"][0]["where"] == "/role"
        assert act(house, task, "escalate", role="chief").json()["role"] == "chief"


class TestCompleting:
    def test_stores_what_the_form_asks_for(self, house: Gateway) -> None:
        task = made(house, form=FORM)
        answer = act(house, task, "complete", output={"iban": "DE12"})
        assert (answer.status_code, answer.json()["state"], answer.json()["resolution"]) == (200, "completed", "completed")
        assert (shown(house, task)["answer"], house.temporal.completions) == ({"iban": "DE12"}, [])
        assert act(house, task, "complete", output={"iban": "DE12"}).json()["code"] == "task-closed"

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ({"output": {"iban": "x"}}, "/output/iban"),
            ({"output": {}}, "/output"),
            ({}, "/output"),
            ({"output": {"iban": "DE12", "more": 1}}, "/output"),
            ({"resolution": "happened"}, "/resolution"),
        ],
    )
    def test_with_an_answer_that_does_not_fit_says_where(self, house: Gateway, body: dict[str, object], where: str) -> None:
        task = made(house, form=FORM)
        answer = act(house, task, "complete", **body)
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
        assert shown(house, task)["state"] == "open"

    def test_is_for_whom_the_task_is(self, house: Gateway) -> None:
        task = made(house, assign={"role": REVIEWER_ROLE})
        assert [act(house, task, "complete", who).status_code for who in ("outsider", "operator")] == [403, 403]
        assert act(house, task, "complete", "approver_2").status_code == 200

    def test_of_a_question_about_an_effect_is_for_operators(self, house: Gateway) -> None:
        task = house.open_task(house.start())
        assert act(house, task, "complete", "approver", resolution="happened").status_code == 403
        assert act(house, task, "complete", resolution="completed").json()["errors"][0]["where"] == "/resolution"
        assert act(house, task, "complete", resolution="happened").status_code == 200
