"""Both services fail exactly as they are told to, and never lie about what they applied."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.examples.bank_calls import pay, refund, reserve
from tests.examples.running_service import Caller, JsonBody, wait_until

MESSAGE: JsonBody = {"claim_id": "C1", "to": "ada@example.com", "subject": "Your claim", "body": "It is paid."}


class TestFaultRules:
    """Arming, matching and counting."""

    @pytest.mark.parametrize(
        ("rule", "named"),
        [
            ({"route": "loans", "mode": "refuse"}, "payments, refund, release, reservations"),
            ({"route": "payments", "mode": "explode"}, "timeout_after_apply"),
            ({"route": "payments", "mode": "refuse", "count": 0}, "count"),
            ({"route": "payments", "mode": "refuse", "match": "C1"}, "match"),
            ({"route": "payments", "mode": "refuse", "times": 2}, "times"),
        ],
    )
    def test_a_wrong_rule_is_refused_naming_what_is_possible(self, bank: Caller, rule: JsonBody, named: str) -> None:
        answer = bank.arm(**rule)

        assert answer.status_code == 422
        assert named in answer.json()["detail"]

    def test_a_rule_fires_for_its_claim_only_and_as_often_as_told(self, bank: Caller) -> None:
        for claim in ("C1", "C2"):
            reserve(bank, claim, key=f"reserve-{claim}")
        bank.arm(route="payments", mode="http_500", count=2, match={"claim_id": "C2"})

        assert pay(bank, "C1", key="p1").status_code == 201
        assert [pay(bank, "C2", key="p2").status_code for _ in range(3)] == [500, 500, 201]
        rule = bank.get("/faults")["faults"][0]
        assert (rule["fired"], rule["remaining"]) == (2, 0)
        assert bank.get("/summary")["faults_fired"] == {"http_500": 2}

    def test_a_rule_can_match_the_id_in_the_path(self, bank: Caller) -> None:
        bank.arm(route="refund", mode="http_500", match={"id": "pay-C2"})

        assert (refund(bank, "C1", key="a").status_code, refund(bank, "C2", key="b").status_code) == (200, 500)

    def test_disarming_ends_every_rule(self, bank: Caller) -> None:
        bank.arm(route="reservations", mode="refuse", count=5)

        assert bank.disarm() == 1
        assert reserve(bank).status_code == 201


class TestFailureModes:
    """What the caller sees, and what is true afterwards."""

    def test_refuse_is_final_and_applies_nothing(self, bank: Caller) -> None:
        reserve(bank)
        bank.arm(route="payments", mode="refuse")

        answer = pay(bank)

        assert (answer.status_code, answer.json()["code"]) == (403, "refused")
        assert bank.get("/summary")["payments"]["count"] == 0

    def test_refuse_does_not_deny_what_was_applied_before(self, bank: Caller) -> None:
        reserve(bank)
        pay(bank)
        bank.arm(route="payments", mode="refuse")

        assert pay(bank).headers["Idempotent-Replayed"] == "true"

    def test_http_429_says_when_to_come_back(self, bank: Caller) -> None:
        bank.arm(route="reservations", mode="http_429")

        answer = reserve(bank)

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert reserve(bank).status_code == 201

    def test_timeout_after_apply_pays_without_answering(self, bank: Caller) -> None:
        reserve(bank)
        bank.arm(route="payments", mode="timeout_after_apply")

        with pytest.raises(httpx2.TimeoutException):
            pay(bank, timeout_seconds=0.3)

        wait_until(lambda: bank.get("/summary")["payments"]["count"] == 1)
        assert pay(bank).headers["Idempotent-Replayed"] == "true"
        assert bank.get("/summary")["payments"]["count"] == 1
        wait_until(lambda: bank.holding() == [])  # the service notices that the caller has hung up

    def test_hold_keeps_the_call_unapplied_until_it_is_released(self, mail: Caller) -> None:
        mail.arm(route="messages", mode="hold", match={"claim_id": "C1"})
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(mail.post, "/messages", MESSAGE, key="m1")
            wait_until(lambda: bool(mail.holding()))

            assert mail.holding() == [{"path": "/messages", "key": "m1", "claim_id": "C1"}]
            assert mail.get("/messages") == {"messages": []}
            assert mail.release() == 1
            assert waiting.result().status_code == 201

    def test_a_call_held_past_its_caller_is_not_applied_twice(self, mail: Caller) -> None:
        mail.arm(route="messages", mode="hold")
        with pytest.raises(httpx2.TimeoutException):
            mail.post("/messages", MESSAGE, key="m1", timeout_seconds=0.3)
        wait_until(lambda: bool(mail.holding()))

        assert mail.post("/messages", MESSAGE, key="m1").status_code == 201
        assert mail.release() == 1
        wait_until(lambda: [call["outcome"] for call in mail.get("/log")["calls"]] == ["replayed", "applied"])
        assert mail.get("/summary")["messages"] == 1


class TestMail:
    """The mail service counts what it was given."""

    def test_a_message_is_kept_once_per_key(self, mail: Caller) -> None:
        first, second = (mail.post("/messages", MESSAGE, key="m1") for _ in range(2))

        assert first.json() == second.json()
        [kept] = mail.get("/messages?claim_id=C1")["messages"]
        assert {name: kept[name] for name in MESSAGE} == MESSAGE
        assert mail.get("/messages?claim_id=C9") == {"messages": []}

    def test_a_second_key_is_a_second_message(self, mail: Caller) -> None:
        for key in ("m1", "m2"):
            mail.post("/messages", MESSAGE, key=key)

        assert mail.get("/summary")["by_claim"] == {"C1": 2}

    def test_an_address_that_is_none_is_refused(self, mail: Caller) -> None:
        assert mail.post("/messages", {**MESSAGE, "to": "nobody"}, key="m").status_code == 422


class TestMalformedRequests:
    """Requests that are no calls at all."""

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
    def test_a_body_that_is_no_object_is_refused(self, mail: Caller, content: bytes) -> None:
        answer = mail.post_raw("/messages", content)

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_an_oversize_body_is_refused(self, mail: Caller) -> None:
        answer = mail.post_raw("/messages", b"x" * (64 * 1024 + 1))

        assert (answer.status_code, answer.headers["Connection"]) == (413, "close")
        assert mail.get("/messages") == {"messages": []}

    def test_an_unknown_path_is_named(self, mail: Caller) -> None:
        assert mail.post("/letters", {}, key="k").json()["detail"] == "there is no POST /letters"
