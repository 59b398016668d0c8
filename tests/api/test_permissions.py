"""Who may do what: every route stands in the table, and the gate holds to it."""

import re

import pytest
from fastapi.routing import APIRoute

from api.permissions import OPEN_ROUTES, PERMISSIONS
from domain.principals import Role
from tests.api.gateway import Gateway, fresh_id, gateway, wait_for

APP = gateway().app


def routes() -> set[tuple[str, str]]:
    """Return (method, path) of everything the app answers; a route of another class than ours has no gate."""
    found: set[tuple[str, str]] = set()
    for route in APP.routes:
        assert isinstance(route, APIRoute), route
        assert type(route).__name__ == "GatedRoute", route.path
        found |= {(method, route.path) for method in route.methods or ()}
    return found


def concrete(path: str) -> str:
    """Return a template with ids that no store knows."""
    ids = {
        "run_id": fresh_id("run"),
        "other_run_id": fresh_id("run"),
        "approval_id": fresh_id("apr"),
        "task_id": fresh_id("tsk"),
        "erasure_id": fresh_id("era"),
        "hold_id": fresh_id("hld"),
        "channel_id": fresh_id("chn"),
        "principal_id": fresh_id("prn"),
        "kind": "email",
        "dead_letter_id": fresh_id("dlq"),
        "redrive_id": fresh_id("rdv"),
        "substitution_id": fresh_id("sbs"),
        "webhook_id": fresh_id("whk"),
        "delivery_id": fresh_id("dlv"),
        "hook_id": fresh_id("hok"),
        "grant_id": fresh_id("tgr"),
        "version": "1.0.0",
        "name": "some-name",
        "alias": "fast",
        "scope": "tenant",
        "server_name": "files",
        "environment": "test",
        "tree_size": "1",
        "record_id": "mem_" + "a" * 26,
    }
    return re.sub(r"\{(\w+)\}", lambda match: ids[match.group(1)], path)


class TestPermissionTable:
    def test_has_a_row_for_every_route_and_no_other(self) -> None:
        assert routes() == PERMISSIONS.keys() | OPEN_ROUTES

    def test_lets_somebody_through_everywhere(self) -> None:
        assert all(PERMISSIONS.values())

    def test_keeps_no_route_both_open_and_closed(self) -> None:
        assert not PERMISSIONS.keys() & OPEN_ROUTES

    def test_opens_nothing_under_v1(self) -> None:
        assert not [path for _, path in OPEN_ROUTES if path.startswith("/v1")]

    @pytest.mark.parametrize(("method", "path"), sorted(PERMISSIONS))
    def test_is_what_the_gate_does(self, method: str, path: str) -> None:
        house = gateway()
        refused = {role for role in Role if house.client(role.value).request(method, concrete(path)).status_code == 403}
        assert refused == set(Role) - PERMISSIONS[method, path]
        assert house.client(None).request(method, concrete(path)).status_code == 401

    def test_without_a_row_refuses_everybody(self, house: Gateway) -> None:
        async def forgotten() -> dict[str, str]:
            return {"secret": "yes"}

        house.app.router.add_api_route("/v1/forgotten", forgotten, methods=["GET"])
        assert house.client("admin").get("/v1/forgotten").json()["code"] == "forbidden"


class TestApiKey:
    def test_names_its_principal(self, house: Gateway) -> None:
        said = house.client("approver").get("/v1/principal").json()
        assert said == house.principals["approver"].model_dump(mode="json")

    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "Bearer sf_test_x_y", "bearer\tsf_test"],
    )
    def test_that_is_malformed_is_401_and_says_what_to_send(self, house: Gateway, header: str) -> None:
        answer = house.client(None).get("/v1/principal", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["code"], "sf_" in answer.json()["detail"]) == (401, "unauthenticated", True)
        assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_with_one_letter_changed_is_401(self, house: Gateway) -> None:
        key = house.keys["viewer"]
        changed = key[:-9] + ("0" if key[-9] != "0" else "1") + key[-8:]
        assert house.client(None).get("/v1/principal", headers={"Authorization": f"Bearer {changed}"}).status_code == 401

    def test_with_the_secret_of_another_key_is_401(self, house: Gateway) -> None:
        other = gateway()
        assert house.client(None).get("/v1/principal", headers={"Authorization": f"Bearer {other.keys['viewer']}"}).status_code == 401

    def test_is_dead_at_once_when_revoked(self, house: Gateway) -> None:
        client = house.client("viewer")
        assert client.get("/v1/principal").status_code == 200
        wait_for(house.stores.keys.revoke("default", house.keys["viewer"].split("_")[2]))
        assert client.get("/v1/principal").status_code == 401
