"""Inbound webhooks over HTTP: what senders are told, how hooks are managed, and signals that callers send."""

import json
from datetime import timedelta

import pytest
from pydantic import JsonValue

from api.rates import Rates
from domain.ledger import Kind
from tests.api.gateway import Gateway
from tests.api.hook_bench import SIGNAL, START, register
from tests.api.test_hook_requests import kinds, the_run


class TestSender:
    def test_is_told_of_no_hook_and_no_tenant(self, house: Gateway) -> None:
        sender = register(house)
        for source in ("hok_00000000000000000000000000", "nonsense", "run_00000000000000000000000001", sender.hook.upper()):
            answer = house.client(None).post(f"/hooks/{source}", content=b"{}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    def test_of_a_disabled_or_removed_hook_gets_404(self, house: Gateway) -> None:
        off, gone = register(house, name="off", enabled=False), register(house, name="gone")
        assert house.client("developer").delete(f"/v1/hooks/{gone.hook}").json() == {"hook": gone.hook, "removed": True}
        assert [sender.send().status_code for sender in (off, gone)] == [404, 404]

    def test_is_refused_before_its_body_is_read(self, house: Gateway) -> None:
        sender = register(house)
        answer = house.client(None).post(sender.address, content=b"x" * (2 * 1024 * 1024))
        assert (answer.status_code, answer.json()["code"]) == (401, "signature-refused")
        assert "webhook-signature" in answer.json()["detail"]

    def test_with_a_body_over_the_limit_gets_413(self, house: Gateway) -> None:
        sender = register(house)
        assert sender.send(raw=b"x" * (1024 * 1024 + 1)).status_code == 413

    def test_needs_no_content_type(self, house: Gateway) -> None:
        sender = register(house)
        assert sender.post(sender.make().with_header("content-type", b"text/plain")).json()["state"] == "started"

    def test_over_its_rate_waits(self, house: Gateway) -> None:
        sender = register(house, rate_per_minute=6)
        assert [sender.send(f"e-{number}").status_code for number in range(2)] == [202, 429]
        answer = sender.send("e-3")
        assert (answer.json()["code"], answer.json()["retryable"]) == ("too-many-requests", True)
        assert 1 <= int(answer.headers["Retry-After"]) <= 10

    def test_that_is_refused_uses_up_no_rate(self, house: Gateway) -> None:
        sender = register(house, rate_per_minute=6)
        for _ in range(5):
            assert sender.send(secret="whsec_" + "A" * 43 + "=").status_code == 401
        assert sender.send().status_code == 202

    def test_slack_is_told_that_the_address_is_ours(self, house: Gateway) -> None:
        sender = register(house, "slack", secret="8f742231b10e8888abcd99yyyzzz85a5")
        asked = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}).encode()
        answer = sender.send(raw=asked)
        assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
        assert house.stores.hook_requests.rows == {}

    def test_slack_may_send_a_form(self, house: Gateway) -> None:
        sender = register(house, "slack", action={**START, "input": {"claim": {"id": "${ input.body.user_id }"}}})
        assert sender.send(raw=b"command=%2Fclaim&user_id=U2CERLKJA").json()["state"] == "started"
        assert house.stores.database.accepted["default", the_run(house).run].input == {"claim": {"id": "U2CERLKJA"}}

    def test_slack_may_send_a_form_with_a_payload(self, house: Gateway) -> None:
        sender = register(house, "slack", action={**START, "input": {"claim": {"id": "${ input.body.user.id }"}}})
        sender.send(raw=b"payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%7D")
        assert house.stores.database.accepted["default", the_run(house).run].input == {"claim": {"id": "U1"}}


class TestSecrets:
    def test_one_is_made_shown_once_and_never_again(self, house: Gateway) -> None:
        sender = register(house)
        assert sender.secret.startswith("whsec_")
        shown = house.client("developer").get(f"/v1/hooks/{sender.hook}").text
        assert sender.secret not in shown
        assert sender.secret not in house.client("viewer").get("/v1/hooks").text

    def test_one_that_was_brought_is_not_shown_at_all(self, house: Gateway) -> None:
        body = {"name": "slack", "scheme": "slack", "action": START, "secret": "8f742231b10e8888abcd99yyyzzz85a5"}
        answer = house.client("developer").post("/v1/hooks", json=body)
        assert answer.json()["secret"] is None
        assert "8f742231" not in answer.text

    def test_a_rotation_takes_both_for_a_while(self, house: Gateway) -> None:
        sender = register(house)
        rotated = house.client("developer").post(f"/v1/hooks/{sender.hook}/secrets", json={"keep_s": 60}).json()
        assert len(rotated["secrets"]) == 2
        assert sender.send("e-1").status_code == 202
        assert sender.send("e-2", secret=rotated["secret"]).status_code == 202
        house.stores.database.pass_time(seconds=61)
        assert sender.send("e-3").status_code == 401
        assert sender.send("e-4", secret=rotated["secret"]).status_code == 202

    def test_a_rotation_can_end_the_old_one_at_once(self, house: Gateway) -> None:
        sender = register(house)
        rotated = house.client("developer").post(f"/v1/hooks/{sender.hook}/secrets", json={"keep_s": 0}).json()
        assert len(rotated["secrets"]) == 1
        assert sender.send("e-1").status_code == 401


class TestHooks:
    def test_shows_address_and_rules(self, house: Gateway) -> None:
        sender = register(house)
        shown = house.client("viewer").get(f"/v1/hooks/{sender.hook}").json()
        assert (shown["address"], shown["scheme"], shown["tolerance_s"]) == (f"/hooks/{sender.hook}", "standard-webhooks", 300)
        assert shown["action"] == {**START, "config": {}}

    def test_another_tenants_is_absent(self, house: Gateway) -> None:
        sender = register(house)
        stranger = house.client("stranger")
        assert stranger.get(f"/v1/hooks/{sender.hook}").status_code == 404
        assert stranger.delete(f"/v1/hooks/{sender.hook}").status_code == 404
        assert stranger.post(f"/v1/hooks/{sender.hook}/secrets", json={}).status_code == 404
        assert stranger.get(f"/v1/hooks/{sender.hook}/requests").status_code == 404
        assert stranger.get("/v1/hooks").json()["items"] == []

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"action": {**START, "definition": "no-such"}}, "/action/definition"),
            ({"action": {**START, "input": "${ steps.a }"}}, "/action/input"),
            ({"action": {**START, "input": "${ input.body. }"}}, "/action/input"),
            ({"action": {**START, "config": {"a": "${ config.x }"}}}, "/action/config"),
            ({"action": {"kind": "signal", "signal": "paid"}}, "/action"),
            ({"action": {**SIGNAL, "run": "${ input.body.run }"}}, "/action"),
            ({"action": {**SIGNAL, "correlate": "${ self.x }"}}, "/action/correlate"),
            ({"action": {**SIGNAL, "signal": "No Name"}}, "/action/signal/signal"),
            ({"when": "${ 1 + }"}, "/when"),
            ({"when": "always"}, "/when"),
            ({"when": "${ 'text' }"}, "/when"),
            ({"secret": "short"}, "/secret"),
            ({"tolerance_s": 301}, "/tolerance_s"),
            ({"scheme": "none"}, "/scheme"),
            ({"name": "No Name"}, "/name"),
        ],
    )
    def test_refuses_what_can_never_work_and_says_where(self, house: Gateway, change: dict[str, JsonValue], where: str) -> None:
        body = {"name": "bank", "scheme": "standard-webhooks", "action": START, **change}
        answer = house.client("developer").post("/v1/hooks", json=body)
        assert answer.status_code == 422, answer.text
        assert where in [error["where"] for error in answer.json()["errors"]]

    def test_a_name_is_taken_once(self, house: Gateway) -> None:
        register(house)
        answer = house.client("developer").post("/v1/hooks", json={"name": "from-standard-webhooks", "scheme": "github", "action": START})
        assert answer.status_code == 409


class TestRates:
    def test_hold_ten_seconds_worth(self) -> None:
        now = [0.0]
        rates = Rates(lambda: now[0])
        assert [rates.take("a", per_minute=60) for _ in range(11)] == [0.0] * 10 + [1.0]
        now[0] = 1.0
        assert rates.take("a", per_minute=60) == 0.0
        assert rates.take("a", per_minute=60) == 1.0

    def test_do_not_mix_names(self) -> None:
        rates = Rates(lambda: 0.0)
        assert rates.take("a", per_minute=1) == 0.0
        assert rates.take("b", per_minute=1) == 0.0
        assert rates.take("a", per_minute=1) == timedelta(minutes=1).total_seconds()


class TestSignalOfACaller:
    def test_goes_to_the_run_with_its_stored_payload(self, house: Gateway) -> None:
        run = house.start()
        answer = house.client("operator").post(f"/v1/runs/{run}/signals/payment.settled", json={"payload": {"sum": 5}, "key": "c-1"})
        assert answer.status_code == 202, answer.text
        [(told, signal)] = house.temporal.signals
        assert answer.json() == {"run": run, "signal": "payment.settled", "id": signal.id}
        assert (told, signal.payload, signal.key, signal.source) == (run, {"sum": 5}, "c-1", house.principals["operator"].id)
        assert house.stores.database.payloads["default", signal.ref or ""] == {"key": "c-1", "payload": {"sum": 5}}
        assert kinds(house, run)[-1] == Kind.SIGNAL_SENT

    def test_has_one_id_per_idempotency_key(self, house: Gateway) -> None:
        run = house.start()
        for _ in range(2):
            house.forget_answers()
            headers = {"Idempotency-Key": "k-1"}
            assert house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={}, headers=headers).status_code == 202
        assert len({signal.id for _, signal in house.temporal.signals}) == 1

    @pytest.mark.parametrize("name", ["deliver_signal", "complete_task", "No", "a" * 64])
    def test_needs_a_name_that_can_be_listened_for(self, house: Gateway, name: str) -> None:
        run = house.start()
        assert house.client("operator").post(f"/v1/runs/{run}/signals/{name}", json={}).status_code == 404

    def test_is_refused_when_it_is_too_large_or_the_run_has_ended(self, house: Gateway) -> None:
        run = house.start()
        large = house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={"payload": "x" * 9000})
        assert (large.status_code, large.json()["errors"][0]["where"]) == (422, "/payload")
        house.succeed(run, None)
        assert house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={}).json()["code"] == "run-closed"

    def test_to_a_run_that_has_not_started_comes_later(self, house: Gateway) -> None:
        run = house.start()
        house.temporal.started.clear()
        answer = house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
