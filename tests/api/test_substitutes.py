"""`/v1/substitutes` over HTTP."""

import pytest

from tests.api.gateway import Gateway


def named(house: Gateway, who: str) -> str:
    """Return a principal's id."""
    return house.principals[who].id


def body(house: Gateway, **changes: object) -> dict[str, object]:
    """Build a request: the second approver, for a week."""
    return {"substitute": named(house, "approver_2"), "to": "2026-03-08T00:00:00Z", **changes}


class TestSubstitutes:
    def test_are_named_by_reviewers_for_themselves(self, house: Gateway) -> None:
        answer = house.client("approver").post("/v1/substitutes", json=body(house, roles=["claims-approver"]))
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["reviewer"], made["set_by"], made["roles"]) == (
            named(house, "approver"),
            named(house, "approver"),
            ["claims-approver"],
        )
        assert (made["from"], made["to"]) == (house.stores.database.now(), "2026-03-08T00:00:00.000000Z")
        assert house.client("viewer").get(f"/v1/substitutes/{made['substitution']}").json() == made
        assert house.client("viewer").get("/v1/substitutes?standing=true").json()["items"] == [made]

    def test_are_named_for_others_by_admins_only(self, house: Gateway) -> None:
        asked = body(house, reviewer=named(house, "approver"))
        assert house.client("outsider").post("/v1/substitutes", json=asked).json()["code"] == "forbidden"
        assert house.client("admin").post("/v1/substitutes", json=asked).status_code == 201

    @pytest.mark.parametrize(
        ("changes", "where"),
        [
            ({"to": "2026-01-01T00:00:00Z"}, "/to"),
            ({"from": "2026-04-01T00:00:00Z"}, "/to"),
            ({"to": "2027-12-01T00:00:00Z"}, "/to"),
            ({"to": "2026-03-08T00:00:00"}, "/to"),
            ({"substitute": "prn_nobody"}, "/substitute"),
        ],
    )
    def test_with_a_mistake_are_refused_and_say_where(self, house: Gateway, changes: dict[str, object], where: str) -> None:
        answer = house.client("approver").post("/v1/substitutes", json=body(house, **changes))
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)

    @pytest.mark.parametrize("who", ["approver", "viewer", "stranger"])
    def test_are_others_who_may_decide_here(self, house: Gateway, who: str) -> None:
        answer = house.client("approver").post("/v1/substitutes", json=body(house, substitute=named(house, who)))
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "/substitute")

    def test_are_ended_by_one_of_the_two_or_an_admin(self, house: Gateway) -> None:
        for who in ("approver", "approver_2", "admin"):
            made = house.client("approver").post("/v1/substitutes", json=body(house)).json()["substitution"]
            assert house.client("outsider").post(f"/v1/substitutes/{made}/end").json()["code"] == "forbidden"
            ended = house.client(who).post(f"/v1/substitutes/{made}/end").json()
            assert (ended["ended_by"], house.client().post(f"/v1/substitutes/{made}/end").json()) == (named(house, who), ended)
        assert house.client().get("/v1/substitutes?standing=true").json()["items"] == []

    def test_of_another_tenant_are_not_there(self, house: Gateway) -> None:
        made = house.client("approver").post("/v1/substitutes", json=body(house)).json()["substitution"]
        assert house.client("stranger").get(f"/v1/substitutes/{made}").status_code == 404
        assert house.client("stranger").post(f"/v1/substitutes/{made}/end").status_code == 404
        assert house.client("stranger").get("/v1/substitutes").json()["items"] == []

    def test_are_made_once_for_one_idempotency_key(self, house: Gateway) -> None:
        asked = body(house)
        made = [house.client("approver").post("/v1/substitutes", json=asked, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
        assert made[0] == made[1]
