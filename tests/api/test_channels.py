"""Channels and contacts over HTTP: what is kept, what is never shown, and who may."""

from collections.abc import Mapping

import pytest

from tests.api.gateway import REVIEWER_ROLE, Gateway, fresh_id

MAIL = {"name": "Claims by mail", "kind": "email", "role": REVIEWER_ROLE, "events": ["approval.opened", "approval.reminded"]}
ROOM = {"name": "Room", "kind": "slack", "target": "https://hooks.example/services/T1/secret", "events": ["approval.*"]}


def made(house: Gateway, body: Mapping[str, object] = MAIL) -> str:
    answer = house.client().post("/v1/channels", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["channel"]


class TestChannel:
    def test_is_added_listed_and_shown(self, house: Gateway) -> None:
        channel = made(house)
        listed = house.client("viewer").get("/v1/channels").json()
        shown = house.client("viewer").get(f"/v1/channels/{channel}").json()
        assert listed == {"items": [shown], "kinds": ["email", "slack"]}
        assert (shown["role"], shown["events"], shown["enabled"]) == (REVIEWER_ROLE, ["approval.opened", "approval.reminded"], True)
        assert shown["created_by"] == house.principals["admin"].id

    def test_begins_to_relay_the_tenants_ledgers(self, house: Gateway) -> None:
        assert "default" not in house.stores.delivery_tables.since
        made(house)
        assert "default" in house.stores.delivery_tables.since

    def test_never_shows_its_target(self, house: Gateway) -> None:
        channel = made(house, ROOM)
        client = house.client()
        answers = [client.get("/v1/channels"), client.get(f"/v1/channels/{channel}"), client.put(f"/v1/channels/{channel}", json=ROOM)]
        assert all("secret" not in answer.text for answer in answers)
        assert answers[1].json()["has_target"] is True

    def test_keeps_its_target_over_a_change_that_does_not_name_it(self, house: Gateway) -> None:
        channel, client = made(house, ROOM), house.client()
        changed = client.put(f"/v1/channels/{channel}", json={key: ROOM[key] for key in ("name", "kind", "events")})
        assert (changed.status_code, changed.json()["has_target"]) == (200, True)
        gone = client.put(f"/v1/channels/{channel}", json={**ROOM, "target": None, "role": REVIEWER_ROLE})
        assert gone.json()["has_target"] is False

    def test_is_removed(self, house: Gateway) -> None:
        channel, client = made(house), house.client()
        assert client.delete(f"/v1/channels/{channel}").json() == {"channel": channel, "removed": True}
        assert client.get(f"/v1/channels/{channel}").status_code == 404
        assert client.delete(f"/v1/channels/{channel}").status_code == 404

    def test_has_a_name_of_its_own(self, house: Gateway) -> None:
        made(house)
        assert house.client().post("/v1/channels", json=MAIL).status_code == 409

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"kind": "pigeon"}, "/kind"),
            ({"role": None}, "/role"),
            ({"principal": "prn_1"}, "/principal"),
            ({"events": ["run.succeeded"]}, "/events"),
            ({"events": ["approval.eaten"]}, "/events"),
            ({"events": []}, "/events"),
            ({"target": "not-an-address"}, "/target"),
            ({"target": "a@b.example\nBcc: c@d.example"}, "/target"),
            ({"name": "a\nb"}, "/name"),
            ({"tenant_id": "other"}, "/tenant_id"),
        ],
    )
    def test_with_a_mistake_is_refused_where_it_stands(self, house: Gateway, change: dict[str, object], where: str) -> None:
        answer = house.client().post("/v1/channels", json={**MAIL, **change})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)

    def test_of_another_tenant_is_the_same_404_as_none(self, house: Gateway) -> None:
        channel = made(house)
        answers = [house.client("stranger").get(f"/v1/channels/{one}").status_code for one in (channel, fresh_id("chn"))]
        assert answers == [404, 404]

    def test_is_added_once_for_one_idempotency_key(self, house: Gateway) -> None:
        first, second = (house.client().post("/v1/channels", json=MAIL, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
        assert first.json() == second.json()


class TestTestMessage:
    @pytest.mark.parametrize("to_reviewer", [True, False])
    def test_is_a_delivery(self, house: Gateway, *, to_reviewer: bool) -> None:
        channel, reviewer = made(house), house.principals["approver"].id if to_reviewer else None
        answer = house.client().post(f"/v1/channels/{channel}/test", json={"reviewer": reviewer})
        query = f"?reviewer={reviewer}" if reviewer else ""
        (listed,) = house.client("operator").get(f"/v1/channels/{channel}/deliveries{query}").json()["items"]
        assert (answer.status_code, listed["delivery"], listed["type"]) == (202, answer.json()["delivery"], "channel.test")

    def test_of_no_channel_is_404(self, house: Gateway) -> None:
        assert house.client().post(f"/v1/channels/{fresh_id('chn')}/test", json={}).status_code == 404


class TestContact:
    def test_is_set_by_its_reviewer_and_by_an_administrator(self, house: Gateway) -> None:
        mine, other = house.principals["approver"].id, house.principals["approver_2"].id
        approver, admin = house.client("approver"), house.client()
        assert approver.put(f"/v1/contacts/{mine}/email", json={"address": "ada@example.org"}).status_code == 200
        assert admin.put(f"/v1/contacts/{other}/email", json={"address": "bob@example.org"}).status_code == 200
        assert approver.put(f"/v1/contacts/{other}/email", json={"address": "ada@example.org"}).status_code == 404
        assert approver.delete(f"/v1/contacts/{other}/email").status_code == 404
        shown = {one["principal"]: one for one in admin.get("/v1/contacts").json()["items"]}
        assert [shown[who]["set_by"] for who in (mine, other)] == [mine, house.principals["admin"].id]

    def test_are_the_callers_as_me(self, house: Gateway) -> None:
        approver = house.client("approver")
        answer = approver.put("/v1/contacts/me/email", json={"address": "ada@example.org"})
        assert (answer.status_code, answer.json()["principal"]) == (200, house.principals["approver"].id)
        assert approver.delete("/v1/contacts/me/email").json()["principal"] == house.principals["approver"].id
        assert approver.get("/v1/contacts").json() == {"items": []}

    def test_and_channels_leave_in_the_log_who_changed_them(self, house: Gateway, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="api.routes.channels"):
            channel = made(house)
            house.client().put(f"/v1/contacts/{house.principals['approver'].id}/email", json={"address": "eve@evil.example"})
            house.client().delete(f"/v1/channels/{channel}")
            house.client().post("/v1/channels/links/rotate", json={"revoke": True})
        admin = house.principals["admin"].id
        said = [record.getMessage() for record in caplog.records if record.name == "api.routes.channels"]
        assert [f"by {admin} of tenant default" in each for each in said] == [True] * 4
        assert f"contact of kind email set for {house.principals['approver'].id}" in said[1]
        assert "eve@" not in "".join(said)

    def test_is_seen_by_its_reviewer_and_by_an_administrator(self, house: Gateway) -> None:
        for who in ("approver", "approver_2"):
            house.client().put(f"/v1/contacts/{house.principals[who].id}/email", json={"address": f"{who}@example.org"})
        assert [one["address"] for one in house.client("approver").get("/v1/contacts").json()["items"]] == ["approver@example.org"]
        assert len(house.client().get("/v1/contacts").json()["items"]) == 2
        asked = house.client("approver").get(f"/v1/contacts?principal={house.principals['approver_2'].id}").json()["items"]
        assert [one["address"] for one in asked] == ["approver@example.org"]

    def test_is_forgotten(self, house: Gateway) -> None:
        mine, client = house.principals["approver"].id, house.client("approver")
        client.put(f"/v1/contacts/{mine}/slack", json={"address": "https://hooks.example/T1"})
        assert client.delete(f"/v1/contacts/{mine}/slack").status_code == 200
        assert client.get("/v1/contacts").json() == {"items": []}

    @pytest.mark.parametrize(("kind", "address"), [("email", "nobody"), ("slack", "http://hooks.example"), ("email", "a@b.c\r\nx: y")])
    def test_that_is_no_address_is_refused(self, house: Gateway, kind: str, address: str) -> None:
        answer = house.client().put(f"/v1/contacts/{house.principals['approver'].id}/{kind}", json={"address": address})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "/address")

    def test_of_nobody_is_404(self, house: Gateway) -> None:
        assert house.client().put(f"/v1/contacts/{fresh_id('prn')}/email", json={"address": "a@b.example"}).status_code == 404
        stranger = house.principals["stranger"].id
        assert house.client().put(f"/v1/contacts/{stranger}/email", json={"address": "a@b.example"}).status_code == 404


class TestLinkKeys:
    def test_are_rotated_and_revoked_by_an_administrator(self, house: Gateway) -> None:
        rotate = "/v1/channels/links/rotate"
        assert house.client("approver").post(rotate, json={}).status_code == 403
        assert house.client().post(rotate, json={}).json() == {"generation": 2, "oldest": 1}
        assert house.client().post(rotate, json={"revoke": True}).json() == {"generation": 3, "oldest": 3}
