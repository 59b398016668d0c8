"""Every error is an RFC 9457 problem; the map is total, and crashes tell nothing."""

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.correlation import CorrelationMiddleware
from api.problems import Mistake, Mistaken, install_problems
from domain.errors import InvalidInput, StandfastError, Unavailable, error_classes
from tests.api.gateway import Gateway


def answer_to(raised: Exception) -> TestClient:
    """Return a client of an app whose only route raises."""
    app = FastAPI()

    async def broken() -> None:
        raise raised

    app.add_api_route("/broken", broken)
    install_problems(app)
    app.add_middleware(CorrelationMiddleware)
    return TestClient(app, raise_server_exceptions=False)


class TestProblem:
    @pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.code)
    def test_of_every_domain_error_has_its_code_status_and_title(self, error: type[StandfastError]) -> None:
        answer = answer_to(error("told to a person")).get("/broken")
        said = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, said["status"]) == (error.status, error.status)
        assert (said["code"], said["type"], said["title"]) == (error.code, f"urn:standfast:problem:{error.code}", error.title)
        assert (said["detail"], said["instance"], said["retryable"]) == ("told to a person", "/broken", error.retryable)
        assert ("retry-after" in answer.headers) is error.retryable

    def test_codes_are_unique(self) -> None:
        codes = [error.code for error in error_classes()]
        assert len(codes) == len(set(codes))

    def test_lists_single_mistakes(self) -> None:
        raised = Mistaken(InvalidInput("two mistakes"), [Mistake(where="/a", detail="x", instead="y"), Mistake(where="/b", detail="z")])
        said = answer_to(raised).get("/broken").json()
        assert said["errors"] == [{"where": "/a", "detail": "x", "instead": "y"}, {"where": "/b", "detail": "z", "instead": ""}]

    def test_names_the_place_of_an_error_that_has_one(self) -> None:
        said = answer_to(InvalidInput("no", where="/input/x")).get("/broken").json()
        assert said["errors"] == [{"where": "/input/x", "detail": "no", "instead": ""}]

    def test_of_a_crash_tells_nothing_and_logs_all(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR, logger="api.problems"):
            answer = answer_to(KeyError("password=hunter2")).get("/broken", headers={"X-Correlation-ID": "abc"})
        assert (answer.status_code, answer.json()["code"], answer.headers["x-correlation-id"]) == (500, "internal", "abc")
        assert "hunter2" not in answer.text
        assert "abc" in caplog.text
        assert "hunter2" in caplog.text

    @pytest.mark.parametrize("raised", [ConnectionRefusedError("no"), TimeoutError()])
    def test_of_a_part_that_does_not_answer_is_503(self, raised: Exception) -> None:
        answer = answer_to(raised).get("/broken")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "2")

    def test_rounds_retry_after_up_to_whole_seconds(self) -> None:
        assert answer_to(Unavailable("no", retry_after_s=0.1)).get("/broken").headers["retry-after"] == "1"


class TestCorrelationId:
    def test_of_the_caller_comes_back_in_header_and_problem(self, house: Gateway) -> None:
        answer = house.client("viewer").get("/v1/runs/x", headers={"X-Correlation-ID": "order-7/a"})
        assert (answer.headers["x-correlation-id"], answer.json()["correlation_id"]) == ("order-7/a", "order-7/a")

    @pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "<script>"])
    def test_is_made_when_there_is_no_usable_one(self, house: Gateway, given: str | None) -> None:
        headers = {} if given is None else {"X-Correlation-ID": given}
        made = {house.client("viewer").get("/v1/principal", headers=headers).headers["x-correlation-id"] for _ in range(2)}
        assert (len(made), {len(one) for one in made}) == (2, {32})

    def test_stands_beside_headers_that_keep_answers_out_of_caches(self, house: Gateway) -> None:
        headers = house.client("viewer").get("/v1/principal").headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
