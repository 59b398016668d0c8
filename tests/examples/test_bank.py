"""The bank moves money once per key, undoes it once, and keeps books that balance."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2
import pytest

from tests.examples.bank_calls import AMOUNT, OPENING, balance, pay, refund, release, reserve
from tests.examples.running_service import Caller, JsonBody

THREADS = 8


class TestMovingMoney:
    """One claim from reservation to payment."""

    def test_a_reservation_moves_money_out_of_the_airlines_account(self, bank: Caller) -> None:
        answer = reserve(bank)

        told = {"reservation_id": "res-C1", "claim_id": "C1", "amount_micros": AMOUNT, "currency": "USD", "state": "held"}
        assert (answer.status_code, answer.json()) == (201, told)
        assert (balance(bank, "airline"), balance(bank, "held")) == (OPENING - AMOUNT, AMOUNT)

    def test_a_payment_takes_the_reserved_money(self, bank: Caller) -> None:
        reserve(bank)

        assert pay(bank).json()["state"] == "paid"
        assert (balance(bank, "held"), balance(bank, "payee:passenger-of-C1")) == (0, AMOUNT)
        summary = bank.get("/summary")
        assert summary["payments"] == {"count": 1, "amount_micros": AMOUNT}
        assert summary["by_claim"]["C1"]["net_paid_micros"] == AMOUNT
        assert summary["balanced"]

    def test_a_payment_without_a_reservation_is_refused(self, bank: Caller) -> None:
        answer = pay(bank)

        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-reservation")

    def test_a_payment_of_another_amount_than_reserved_is_refused(self, bank: Caller) -> None:
        reserve(bank)

        answer = pay(bank, amount=AMOUNT + 1)

        assert (answer.status_code, answer.json()["code"]) == (409, "differs")
        assert bank.get("/summary")["payments"]["count"] == 0

    def test_more_than_the_airline_has_cannot_be_reserved(self, bank: Caller) -> None:
        answer = reserve(bank, amount=OPENING + 1)

        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-funds")
        assert balance(bank, "airline") == OPENING

    @pytest.mark.parametrize(
        ("field", "value"),
        [("amount_micros", 1.5), ("amount_micros", 0), ("amount_micros", True), ("currency", "EUR"), ("claim_id", ""), ("claim_id", "a/b")],
    )
    def test_a_wrong_field_is_named(self, bank: Caller, field: str, value: object) -> None:
        body: JsonBody = {"reservation_id": "r", "claim_id": "C1", "amount_micros": 5, "currency": "USD", field: value}

        answer = bank.post("/reservations", body, key="k")

        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(field)


class TestIdempotencyKey:
    """One key, one effect."""

    def test_a_mutation_without_a_key_is_refused(self, bank: Caller) -> None:
        answer = bank.post("/reservations", {}, key=None)

        assert (answer.status_code, answer.json()["code"]) == (400, "key-missing")

    def test_the_same_call_gets_the_stored_answer(self, bank: Caller) -> None:
        first, second = reserve(bank), reserve(bank)

        assert (second.status_code, second.content) == (first.status_code, first.content)
        assert "Idempotent-Replayed" not in first.headers
        assert second.headers["Idempotent-Replayed"] == "true"
        assert bank.get("/summary")["reservations"]["count"] == 1

    def test_the_same_key_with_another_body_is_refused(self, bank: Caller) -> None:
        reserve(bank)

        answer = reserve(bank, amount=AMOUNT + 1)

        assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")

    def test_the_same_key_on_another_path_is_refused(self, bank: Caller) -> None:
        reserve(bank, key="one")

        assert release(bank, key="one").status_code == 422
        assert balance(bank, "held") == AMOUNT

    def test_parallel_calls_with_one_key_pay_once(self, bank: Caller) -> None:
        reserve(bank)
        together = Barrier(THREADS)

        def race(_: int) -> httpx2.Response:
            together.wait()
            return pay(bank)

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(race, range(THREADS)))

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == THREADS - 1
        log = bank.get("/log?key=pay-1")
        assert (len(log["calls"]), len(log["effects"])) == (THREADS, 1)

    def test_a_caller_that_changes_its_key_is_found_out(self, bank: Caller) -> None:
        reserve(bank)
        pay(bank, key="pay-1")

        assert pay(bank, key="pay-2").status_code == 201
        summary = bank.get("/summary")
        assert (summary["payments"]["count"], summary["paid_more_than_once"]) == (2, ["C1"])
        assert summary["balanced"]

    def test_a_refused_call_leaves_its_key_unused(self, bank: Caller) -> None:
        assert pay(bank).status_code == 404
        reserve(bank)

        assert pay(bank).status_code == 201


class TestUndoing:
    """Release and refund: once, harmless when there is nothing to undo, final."""

    def test_a_release_gives_the_money_back_once(self, bank: Caller) -> None:
        reserve(bank)

        first, again = release(bank, key="a").json(), release(bank, key="b").json()

        assert first == {"reservation_id": "res-C1", "released": True, "amount_micros": AMOUNT, "reason": None}
        assert again == {"reservation_id": "res-C1", "released": False, "amount_micros": 0, "reason": "already-released"}
        assert balance(bank, "airline") == OPENING

    def test_a_refund_gives_the_money_back_once(self, bank: Caller) -> None:
        reserve(bank)
        pay(bank)

        first, again = refund(bank, key="a").json(), refund(bank, key="b").json()

        assert first == {"payment_id": "pay-C1", "refunded": True, "amount_micros": AMOUNT, "reason": None}
        assert again["reason"] == "already-refunded"
        summary = bank.get("/summary")
        assert (summary["net_paid_micros"], summary["balanced"], balance(bank, "airline")) == (0, True, OPENING)

    def test_undoing_a_whole_claim_in_reverse_leaves_nothing(self, bank: Caller) -> None:
        reserve(bank)
        pay(bank)
        refund(bank)

        assert release(bank).json() == {"reservation_id": "res-C1", "released": False, "amount_micros": 0, "reason": "already-paid"}
        assert (balance(bank, "airline"), balance(bank, "held")) == (OPENING, 0)

    def test_a_release_of_nothing_is_a_no_op_that_stops_a_late_reservation(self, bank: Caller) -> None:
        early = release(bank)

        assert (early.status_code, early.json()["released"], early.json()["reason"]) == (200, False, "never-reserved")
        late = reserve(bank)
        assert (late.status_code, late.json()["code"]) == (409, "closed")
        assert bank.get("/log")["effects"] == []

    def test_a_refund_of_nothing_is_a_no_op_that_stops_a_late_payment(self, bank: Caller) -> None:
        reserve(bank)

        assert refund(bank).json()["reason"] == "never-paid"
        assert pay(bank).status_code == 409
        assert bank.get("/summary")["payments"]["count"] == 0

    def test_a_released_reservation_cannot_be_paid(self, bank: Caller) -> None:
        reserve(bank)
        release(bank)

        assert pay(bank).json()["code"] == "closed"

    def test_a_repeat_of_an_undone_reservation_moves_nothing(self, bank: Caller) -> None:
        reserve(bank)
        release(bank)

        assert reserve(bank).headers["Idempotent-Replayed"] == "true"
        assert balance(bank, "held") == 0

    def test_a_refund_repays_every_payment_made_under_its_id(self, bank: Caller) -> None:
        reserve(bank)
        pay(bank, key="pay-1")
        pay(bank, key="pay-2")

        assert refund(bank).json()["amount_micros"] == 2 * AMOUNT
        assert bank.get("/summary")["balanced"]


class TestEvidence:
    """What an outside checker reads."""

    def test_a_key_tells_what_became_of_it(self, bank: Caller) -> None:
        told = reserve(bank).json()
        pay(bank, key="elsewhere", amount=1)

        known = bank.get("/keys/reserve-1")
        assert (known["applied"], known["answer"], known["calls"]) == (True, {"status": 201, "body": told}, 1)
        assert [effect["kind"] for effect in known["effects"]] == ["reservation"]
        assert bank.get("/keys/elsewhere")["applied"] is False
        assert bank.status_of("/keys/never-sent") == 404

    def test_the_log_holds_every_call_with_its_outcome(self, bank: Caller) -> None:
        reserve(bank)
        reserve(bank)
        reserve(bank, amount=1)

        calls = bank.get("/log")["calls"]
        assert [(call["outcome"], call["status"]) for call in calls] == [("applied", 201), ("replayed", 201), ("key-reused", 422)]
        assert calls[0]["body"]["claim_id"] == "C1"

    def test_reservations_and_payments_are_listed_with_their_state(self, bank: Caller) -> None:
        reserve(bank)
        pay(bank)
        refund(bank)

        assert [row["state"] for row in bank.get("/reservations")["reservations"]] == ["paid"]
        assert [row["state"] for row in bank.get("/payments")["payments"]] == ["refunded"]
