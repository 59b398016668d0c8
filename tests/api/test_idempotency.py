"""Idempotency-Key on every mutation but the start, which keeps its own (test_start.py)."""

import pytest

from api.gate import KEYED_BY_THEMSELVES, MUTATIONS
from api.idempotency import LEASE_S
from api.permissions import PERMISSIONS
from domain.errors import Unavailable
from tests.api.gateway import Gateway

CANCEL = "POST /v1/runs/{run_id}/cancel"


class TestIdempotencyKey:
    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "caf\xe9"])
    @pytest.mark.parametrize(("method", "path"), sorted(route for route in PERMISSIONS if route[0] in MUTATIONS))
    def test_that_cannot_be_used_is_400_on_every_mutation(self, house: Gateway, method: str, path: str, key: str) -> None:
        authorization = f"Bearer {house.keys['admin']}".encode()
        answer = house.client(None).request(
            method, path, json={}, headers=[(b"Authorization", authorization), (b"Idempotency-Key", key.encode("latin-1"))]
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-idempotency-key")

    def test_of_255_characters_can_be_used(self, house: Gateway) -> None:
        assert house.client("operator").post(f"/v1/runs/{house.start()}/cancel", headers={"Idempotency-Key": "x" * 255}).status_code == 202

    def test_given_twice_is_400(self, house: Gateway) -> None:
        headers = [("Authorization", f"Bearer {house.keys['operator']}"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        assert house.client(None).post(f"/v1/runs/{house.start()}/cancel", headers=headers).json()["code"] == "invalid-idempotency-key"

    def test_is_kept_by_the_row_itself_for_starts_alone(self) -> None:
        assert {("POST", "/v1/runs")} == KEYED_BY_THEMSELVES


class TestRepeatedRequest:
    def cancel(self, house: Gateway, run: str, *, who: str = "operator", reason: str = "") -> tuple[int, bytes]:
        answer = house.client(who).post(f"/v1/runs/{run}/cancel", json={"reason": reason}, headers={"Idempotency-Key": "k"})
        return answer.status_code, answer.content

    def test_is_answered_byte_for_byte_and_done_once(self, house: Gateway) -> None:
        run = house.start()
        assert self.cancel(house, run) == self.cancel(house, run)
        assert house.temporal.cancelled == [run]

    def test_with_another_body_is_422(self, house: Gateway) -> None:
        run = house.start()
        self.cancel(house, run)
        assert self.cancel(house, run, reason="other")[0] == 422

    def test_on_another_run_is_422(self, house: Gateway) -> None:
        self.cancel(house, house.start())
        assert self.cancel(house, house.start())[0] == 422

    def test_by_another_principal_is_422(self, house: Gateway) -> None:
        run = house.start()
        self.cancel(house, run)
        assert self.cancel(house, run, who="admin")[0] == 422

    def test_on_another_route_is_a_request_of_its_own(self, house: Gateway) -> None:
        run = house.start()
        self.cancel(house, run)
        task = house.open_task(run)
        answer = house.client("operator").post(
            f"/v1/tasks/{task}/complete", json={"resolution": "give_up"}, headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == 200

    async def test_while_the_first_is_answered_is_409_and_again_possible_after_its_lease(self, house: Gateway) -> None:
        run = house.start()
        self.cancel(house, run)
        ((_, claim),) = house.stores.idempotency.claims.items()
        claim.answer = None
        status, body = self.cancel(house, run)
        assert (status, b"request-in-flight" in body) == (409, True)
        house.stores.database.pass_time(seconds=LEASE_S + 1)
        assert self.cancel(house, run)[0] == 202

    def test_after_a_failure_of_ours_is_tried_again(self, house: Gateway) -> None:
        run = house.start()
        house.temporal.down = Unavailable("down")
        assert self.cancel(house, run)[0] == 503
        house.temporal.down = None
        assert self.cancel(house, run)[0] == 202

    def test_after_a_refusal_that_stored_nothing_may_carry_a_mended_body(self, house: Gateway) -> None:
        run = house.start()
        assert self.cancel(house, run, reason="x" * 501)[0] == 422
        assert self.cancel(house, run, reason="short")[0] == 202
