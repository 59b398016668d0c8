"""What does not parse is 400, what parses and breaks a rule is 422, what is too large is 413; never a half-made thing."""

import json

import pytest

from api.json_body import BODY_BYTES_MAX, BODY_DEPTH_MAX, parsed
from domain.errors import BadRequest, BodyTooLarge, InvalidInput
from tests.api.gateway import Gateway

JSON = {"Content-Type": "application/json"}


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


class TestParsedBody:
    @pytest.mark.parametrize("body", [b"{}", b'{"a": [1, 2.5, null, true, "\xc3\xa9"]}', b'"\\ud83d\\ude00"', nested(BODY_DEPTH_MAX)])
    def test_is_what_the_json_says(self, body: bytes) -> None:
        assert parsed(body) == json.loads(body)

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (b'{"a": 1,}', "line 1, column"),
            (b"{'a': 1}", "line 1, column 2"),
            (b"\xff\xfe{}", "not UTF-8: byte 0"),
            (b'{"a": NaN}', "NaN"),
            (b'{"a": -Infinity}', "-Infinity"),
            (b'{"a": 1e999}', "too large for a double"),
            (b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
            (b"9" * 5000, "cannot be read|can be read"),
        ],
    )
    def test_that_does_not_parse_says_what_and_where(self, body: bytes, told: str) -> None:
        with pytest.raises(BadRequest, match=told):
            parsed(body)

    @pytest.mark.parametrize("depth", [BODY_DEPTH_MAX + 1, 100_000])
    def test_that_is_too_deep_is_refused_however_deep(self, depth: int) -> None:
        with pytest.raises(BodyTooLarge, match="64 levels"):
            parsed(nested(depth))

    @pytest.mark.parametrize("body", [b'"a\\u0000b"', b'{"\\u0000": 1}', b'["\\ud800"]', b'{"\\udfff": 1}'])
    def test_with_a_text_that_cannot_be_stored_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidInput):
            parsed(body)


class TestBadBody:
    @pytest.mark.parametrize("body", [b"{", b"", b"[]", b'"text"', b"null"])
    def test_of_a_start_is_no_server_error(self, house: Gateway, body: bytes) -> None:
        answer = house.client("operator").post("/v1/runs", content=body, headers=JSON)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_that_is_not_json_by_its_type_is_400(self, house: Gateway, kind: str) -> None:
        answer = house.client("operator").post("/v1/runs", content=b"{}", headers={"Content-Type": kind})
        assert (answer.status_code, "application/json" in answer.json()["detail"]) == (400, True)

    def test_over_one_mebibyte_is_413_by_its_length_alone(self, house: Gateway) -> None:
        answer = house.client("operator").post("/v1/runs", content=b" " * (BODY_BYTES_MAX + 1), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")

    def test_over_one_mebibyte_in_pieces_of_unknown_length_is_413(self, house: Gateway) -> None:
        pieces = (b" " * 65536 for _ in range(17))
        answer = house.client("operator").post("/v1/runs", content=pieces, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")

    def test_at_the_limit_is_read(self, house: Gateway) -> None:
        body = json.dumps({"definition": "delay-claim", "input": {"claim": {"id": "c"}}}).encode()
        answer = house.client("operator").post("/v1/runs", content=body + b" " * (BODY_BYTES_MAX - len(body)), headers=JSON)
        assert answer.status_code == 202

    def test_with_a_number_beyond_the_canonical_range_is_422(self, house: Gateway) -> None:
        body = {"definition": "delay-claim", "input": {"claim": {"id": "c"}, "n": 2**60}}
        assert house.client("operator").post("/v1/runs", json=body).json()["code"] == "invalid-input"

    def test_of_a_stranger_is_never_read(self, house: Gateway) -> None:
        assert house.client(None).post("/v1/runs", content=b"{", headers=JSON).status_code == 401
        assert house.client("viewer").post("/v1/runs", content=b"{", headers=JSON).status_code == 403


class TestUnknownQueryName:
    @pytest.mark.parametrize("path", ["/v1/runs", "/v1/approvals", "/v1/tasks", "/v1/definitions/delay-claim"])
    def test_is_refused_by_name(self, house: Gateway, path: str) -> None:
        answer = house.client("viewer").get(path, params={"colour": "red"})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query:colour")


class TestRouteThatIsNone:
    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/run", "/v1/runs/", "/v1/runs/../x", "/metrics.php"])
    def test_is_a_404_problem(self, house: Gateway, path: str) -> None:
        answer = house.client("admin").get(path)
        assert (answer.status_code, answer.json()["code"], answer.headers["content-type"]) == (404, "not-found", "application/problem+json")

    def test_with_another_method_is_a_405_problem_that_names_the_allowed_one(self, house: Gateway) -> None:
        answer = house.client("admin").put("/v1/principal")
        assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method-not-allowed", "GET")
        assert "GET" in answer.json()["detail"]
