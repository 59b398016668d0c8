"""`/v1/policies` over HTTP."""

from pydantic import JsonValue

from domain.principals import Role
from tests.api.gateway import Gateway
from tests.policy_calls import SHIPPED

SMALL = '@id("small") @reviewers("payer") permit (principal, action == Action::"money", resource) when { context.approved };'
CALL: dict[str, JsonValue] = {"tool": "bank.pay", "effect_class": "money", "arguments": {"to": "x"}}


def draft(version: str = "1.0.0", cedar: str = SMALL, **more: JsonValue) -> dict[str, JsonValue]:
    """Build a set to register."""
    return {"version": version, "cedar": cedar, **more}


class TestSets:
    def test_begin_with_the_shipped_one(self, house: Gateway) -> None:
        listed = house.client("viewer").get("/v1/policies").json()
        assert (listed["items"], listed["deciding"], listed["sha256"]) == ([], SHIPPED.version, SHIPPED.sha256)
        assert house.client("viewer").get("/v1/policies/shipped").json()["text"] == SHIPPED.text

    def test_decide_once_activated_and_may_be_taken_back(self, house: Gateway) -> None:
        admin = house.client("admin")
        assert admin.post("/v1/policies", json=draft()).json()["active"] is False
        assert admin.get("/v1/policies").json()["deciding"] == SHIPPED.version
        assert admin.post("/v1/policies/1.0.0/activate").json()["deciding"] == "1.0.0"
        assert admin.post("/v1/policies", json=draft("1.1.0", extends="1.0.0", activate=True)).json()["active"] is True
        assert admin.get("/v1/policies/1.1.0").json()["text"].startswith(SHIPPED.text.rstrip())
        assert admin.post("/v1/policies/1.0.0/activate").json()["deciding"] == "1.0.0"
        assert admin.post("/v1/policies/shipped/activate").json()["deciding"] == SHIPPED.version

    def test_never_change_under_a_version(self, house: Gateway) -> None:
        admin = house.client("admin")
        assert admin.post("/v1/policies", json=draft()).status_code == 201
        assert admin.post("/v1/policies", json=draft(comment="again")).status_code == 201
        assert admin.post("/v1/policies", json=draft(cedar=SMALL + "\n")).json()["code"] == "version-exists"

    def test_are_refused_with_what_is_wrong(self, house: Gateway) -> None:
        answer = house.client("admin").post("/v1/policies", json=draft(cedar=SMALL.replace("approved", "aproved")))
        assert answer.status_code == 422
        assert "aproved" in answer.text
        assert house.client("admin").post("/v1/policies", json=draft(extends="9.9.9")).status_code == 422

    def test_are_refused_when_a_test_fails(self, house: Gateway) -> None:
        tests: JsonValue = [{"name": "pays", "call": CALL, "expect": "allow"}, {"name": "asks", "call": CALL, "expect": "require_approval"}]
        answer = house.client("admin").post("/v1/policies", json=draft(tests=tests))
        assert answer.status_code == 422
        assert "pays: expected allow, got require_approval" in answer.text
        passing: JsonValue = [{"name": "asks", "call": CALL, "expect": "require_approval", "by": ["small"], "reviewers": ["payer"]}]
        assert house.client("admin").post("/v1/policies", json=draft(tests=passing)).status_code == 201

    def test_of_another_tenant_are_not_there(self, house: Gateway) -> None:
        house.client("admin").post("/v1/policies", json=draft(activate=True))
        house.add_key("stranger", Role.ADMIN, tenant="other")
        other = house.client("stranger")
        assert other.get("/v1/policies").json()["items"] == []
        assert other.get("/v1/policies/1.0.0").status_code == 404
        assert other.post("/v1/policies/1.0.0/activate").status_code == 404

    def test_are_an_admins_to_change(self, house: Gateway) -> None:
        assert house.client("developer").post("/v1/policies", json=draft()).status_code == 403


class TestExplain:
    def test_names_the_deciding_policies_and_the_set(self, house: Gateway) -> None:
        verdict = house.client("viewer").post("/v1/policies/explain", json={"call": CALL}).json()
        assert (verdict["effect"], verdict["policies"], verdict["policy_sha256"]) == (
            "require_approval",
            ["agent-changes-with-a-person"],
            SHIPPED.sha256,
        )

    def test_asks_another_set_on_demand(self, house: Gateway) -> None:
        house.client("admin").post("/v1/policies", json=draft())
        asked = {"call": {**CALL, "effect_class": "read"}, "version": "1.0.0"}
        assert house.client("viewer").post("/v1/policies/explain", json=asked).json()["effect"] == "deny"
        assert house.client("viewer").post("/v1/policies/explain", json={**asked, "version": "shipped"}).json()["effect"] == "allow"

    def test_refuses_a_misspelt_call(self, house: Gateway) -> None:
        assert house.client("viewer").post("/v1/policies/explain", json={"call": {**CALL, "efect": 1}}).status_code == 422
