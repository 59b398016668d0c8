"""Outgoing webhooks over HTTP: registered, signed for, tested, replayed, redelivered, and closed to other tenants."""

import base64

import pytest
from pydantic import JsonValue

from api.delivery_redriving import DeliveryRedriver
from domain.dead_letters import DeadLetterKind, NewDeadLetter
from domain.deliveries import AttemptResult, DeliveryState, Next, Outgoing
from tests.api.gateway import Gateway, fresh_id, gateway, wait_for

RULES: dict[str, JsonValue] = {"url": "https://hooks.example/in?token=t0p", "events": ["run.*"]}
GIVEN = "whsec_" + base64.b64encode(b"g" * 32).decode()
FAILED = AttemptResult(outcome="failed", status=500, detail="HTTP 500")


def created(house: Gateway, **more: JsonValue) -> dict[str, JsonValue]:
    """Register a webhook."""
    answer = house.client("developer").post("/v1/webhooks", json={**RULES, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def delivered(house: Gateway, webhook: JsonValue, *, state: DeliveryState = DeliveryState.DELIVERED) -> str:
    """Send a test event and settle its delivery."""
    delivery = house.client("operator").post(f"/v1/webhooks/{webhook}/test").json()["delivery"]
    sent = wait_for(house.stores.deliveries.begin("default", delivery, round_=1, attempt=1))
    assert isinstance(sent, Outgoing)
    result = FAILED if state is DeliveryState.DEAD else AttemptResult(outcome="sent", status=200, detail="HTTP 200")
    wait_for(house.stores.deliveries.settle(sent, result, Next(state=state)))
    return delivery


class TestRegistering:
    def test_answers_the_secret_once_and_never_again(self, house: Gateway) -> None:
        made = created(house, description="ours")
        secret = str(made["secret"])
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        shown = house.client("operator").get(f"/v1/webhooks/{made['webhook']}")
        listed = house.client("operator").get("/v1/webhooks")
        assert shown.json() == {name: value for name, value in made.items() if name != "secret"}
        assert secret.removeprefix("whsec_") not in shown.text + listed.text
        assert [item["webhook"] for item in listed.json()["items"]] == [made["webhook"]]

    def test_takes_a_secret_that_is_brought_along_and_does_not_repeat_it(self, house: Gateway) -> None:
        made = created(house, secret=GIVEN)
        assert made["secret"] is None
        target = wait_for(house.stores.subscriptions.target("default", str(made["webhook"])))
        assert target is not None
        assert target.secrets == (GIVEN,)

    def test_the_same_idempotency_key_makes_one(self, house: Gateway) -> None:
        client = house.client("developer")
        first, second = (client.post("/v1/webhooks", json=RULES, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
        assert first.content == second.content
        assert len(client.get("/v1/webhooks").json()["items"]) == 1

    @pytest.mark.parametrize(
        ("changes", "status", "where"),
        [
            ({"url": "http://hooks.example/in"}, 422, "/url"),
            ({"url": "http://127.0.0.1/in"}, 422, "/url"),
            ({"events": ["run.suceeded"]}, 422, "/events"),
            ({"events": []}, 422, None),
            ({"secret": "whsec_c2hvcnQ="}, 422, "/secret"),
            ({"kind": "webhook"}, 422, None),
        ],
    )
    def test_says_what_cannot_be_used_and_makes_nothing(
        self, house: Gateway, changes: dict[str, JsonValue], status: int, where: str | None
    ) -> None:
        answer = house.client("developer").post("/v1/webhooks", json={**RULES, **changes})
        assert answer.status_code == status, answer.text
        assert where is None or answer.json()["errors"][0]["where"] == where
        assert house.client("developer").get("/v1/webhooks").json()["items"] == []

    def test_is_changed_and_taken_away(self, house: Gateway) -> None:
        made, client = created(house), house.client("developer")
        place = f"/v1/webhooks/{made['webhook']}"
        changed = client.put(place, json={**RULES, "events": ["*"], "ordered": True, "enabled": False}).json()
        assert (changed["events"], changed["ordered"], changed["enabled"]) == (["*"], True, False)
        assert client.delete(place).json() == {"webhook": made["webhook"], "removed": True}
        assert client.get(place).status_code == client.delete(place).status_code == 404

    def test_rotates_with_both_secrets_valid_for_a_while(self, house: Gateway) -> None:
        made = created(house)
        rotated = house.client("developer").post(f"/v1/webhooks/{made['webhook']}/rotate", json={"overlap_s": 3600}).json()
        assert rotated["old_secret_until"] is not None
        target = wait_for(house.stores.subscriptions.target("default", str(made["webhook"])))
        assert target is not None
        assert target.secrets == (rotated["secret"], made["secret"])


class TestDeliveries:
    def test_a_test_event_goes_out_whatever_the_filters_say(self, house: Gateway) -> None:
        made = created(house, events=["budget.passed"])
        answer = house.client("operator").post(f"/v1/webhooks/{made['webhook']}/test")
        assert answer.status_code == 202
        [row] = house.client("operator").get(f"/v1/webhooks/{made['webhook']}/deliveries").json()["items"]
        assert (row["delivery"], row["event"]) == (answer.json()["delivery"], answer.json()["event"])
        assert (row["type"], row["state"], row["run"]) == ("webhook.test", "pending", None)

    def test_shows_the_log_and_the_body_of_one(self, house: Gateway) -> None:
        made = created(house)
        delivery = delivered(house, made["webhook"])
        shown = house.client("operator").get(f"/v1/webhooks/{made['webhook']}/deliveries/{delivery}").json()
        assert [(line["attempt"], line["outcome"], line["status"]) for line in shown["log"]] == [(1, "sent", 200)]
        assert shown["body"]["type"] == "webhook.test"
        assert shown["body"]["id"] == shown["event"]

    def test_redelivers_under_the_same_id(self, house: Gateway) -> None:
        made = created(house)
        delivery = delivered(house, made["webhook"], state=DeliveryState.DEAD)
        place = f"/v1/webhooks/{made['webhook']}/deliveries/{delivery}"
        before = house.client("operator").get(place).json()
        answer = house.client("operator").post(f"{place}/redeliver")
        assert (answer.status_code, answer.json()["state"], answer.json()["round"]) == (202, "pending", 2)
        assert answer.json()["event"] == before["event"]

    def test_lists_by_state_and_pages(self, house: Gateway) -> None:
        made, client = created(house), house.client("operator")
        delivered(house, made["webhook"])
        for _ in range(2):
            client.post(f"/v1/webhooks/{made['webhook']}/test")
        place = f"/v1/webhooks/{made['webhook']}/deliveries"
        assert len(client.get(place, params={"state": "delivered"}).json()["items"]) == 1
        first = client.get(place, params={"limit": 2}).json()
        rest = client.get(place, params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert len(first["items"] + rest["items"]) == 3
        assert client.get(place, params={"state": "lost"}).status_code == 422

    def test_of_another_webhook_is_absent(self, house: Gateway) -> None:
        one, other = created(house), created(house)
        delivery = delivered(house, one["webhook"])
        assert house.client("operator").get(f"/v1/webhooks/{other['webhook']}/deliveries/{delivery}").status_code == 404

    def test_a_dead_letter_is_redriven_by_a_new_round(self) -> None:
        house = gateway()
        house = gateway({DeadLetterKind.DELIVERY: DeliveryRedriver(house.stores.deliveries)}, webhooks=house.deps.webhooks)
        client = house.client("operator")
        made = created(house)
        delivery = client.post(f"/v1/webhooks/{made['webhook']}/test").json()["delivery"]
        now = house.stores.database.now()
        letter = NewDeadLetter(
            tenant="default",
            kind=DeadLetterKind.DELIVERY,
            subject=delivery,
            occasion="1",
            cause="delivery-failed",
            first_at=now,
            last_at=now,
        )
        name = wait_for(house.stores.dead_letters.add(letter))
        assert client.post(f"/v1/dead-letters/{name}/redrive").json()["state"] == "redriven"
        assert client.get(f"/v1/webhooks/{made['webhook']}/deliveries/{delivery}").json()["round"] == 2


class TestReplay:
    def test_sends_past_events_of_a_run_again_under_the_ids_they_had(self, house: Gateway) -> None:
        run = house.start()
        made, client = created(house, events=["run.accepted"]), house.client("operator")
        place = f"/v1/webhooks/{made['webhook']}"
        first = client.post(f"{place}/replay", json={"run": run}).json()
        assert (first["queued"], first["next"]) == (1, None)
        [row] = client.get(f"{place}/deliveries").json()["items"]
        assert (row["run"], row["sequence"], row["type"]) == (run, 1, "run.accepted")
        assert client.post(f"{place}/replay", json={"run": run}).json()["queued"] == 0, "what is pending goes out anyway"

    def test_goes_through_the_log_in_portions(self, house: Gateway) -> None:
        for _ in range(3):
            house.start()
        made, client = created(house), house.client("operator")
        place, position, queued = f"/v1/webhooks/{made['webhook']}/replay", 0, 0
        while position is not None:
            answer = client.post(place, json={"from_position": position, "limit": 2}).json()
            position, queued = answer["next"], queued + answer["queued"]
        assert queued == 3

    @pytest.mark.parametrize("body", [{}, {"from_position": 0, "run": "run_1"}, {"from_position": -1}, {"run": "x"}])
    def test_asks_for_one_beginning(self, house: Gateway, body: dict[str, JsonValue]) -> None:
        made = created(house)
        assert house.client("operator").post(f"/v1/webhooks/{made['webhook']}/replay", json=body).status_code in (400, 422)

    def test_of_a_run_that_is_absent_is_404(self, house: Gateway) -> None:
        made = created(house)
        answer = house.client("operator").post(f"/v1/webhooks/{made['webhook']}/replay", json={"run": fresh_id("run")})
        assert answer.status_code == 404


class TestOtherTenants:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("POST", "/rotate"),
            ("POST", "/test"),
            ("POST", "/replay"),
            ("GET", "/deliveries"),
            ("GET", "/deliveries/{}"),
            ("POST", "/deliveries/{}/redeliver"),
        ],
    )
    def test_find_nothing(self, house: Gateway, method: str, path: str) -> None:
        made = created(house)
        delivery = delivered(house, made["webhook"])
        bodies: dict[tuple[str, str], JsonValue] = {("PUT", ""): RULES, ("POST", "/rotate"): {}, ("POST", "/replay"): {"from_position": 0}}
        url = f"/v1/webhooks/{made['webhook']}{path.format(delivery)}"
        answer = house.client("stranger").request(method, url, json=bodies.get((method, path)))
        assert answer.status_code == 404, answer.text
