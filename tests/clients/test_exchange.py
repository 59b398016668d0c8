"""Repeats, idempotency keys, and what becomes of answers nobody documented."""

import httpx2
import pytest

from standfast_client import (
    ApiError,
    AsyncStandfast,
    ConflictError,
    GatewayUnreachableError,
    InvalidInputError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    Standfast,
    StandfastError,
    UnavailableError,
    UnexpectedAnswerError,
)
from standfast_client.errors import error_class
from tests.clients.played import RUN, URL, Played, client_of, problem


class TestRepeats:
    def test_repeats_a_mutation_under_one_key(self) -> None:
        played = Played(problem(503, "unavailable"), httpx2.ReadTimeout("slow"), httpx2.Response(202, json=RUN))
        assert client_of(played).runs.start("d").id == "run_1"
        assert len(played.asked) == 3
        assert len(played.keys) == 1
        assert None not in played.keys

    def test_sends_another_key_for_another_call(self) -> None:
        played = Played(httpx2.Response(202, json=RUN))
        client = client_of(played)
        client.runs.start("d")
        client.runs.start("d")
        assert len(played.keys) == 2

    def test_does_not_repeat_what_is_wrong(self) -> None:
        played = Played(problem(422, "invalid-input"))
        with pytest.raises(InvalidInputError):
            client_of(played).runs.start("d")
        assert len(played.asked) == 1

    def test_repeats_a_conflict_only_while_the_first_request_is_answered(self) -> None:
        played = Played(problem(409, "request-in-flight"), problem(409, "run-closed"))
        with pytest.raises(ConflictError) as caught:
            client_of(played).runs.handle("run_1").cancel()
        assert caught.value.code == "run-closed"
        assert len(played.asked) == 2

    @pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (503, UnavailableError), (502, UnavailableError)])
    def test_gives_up_after_the_last_attempt(self, status: int, error: type[ApiError]) -> None:
        played = Played(problem(status, "later"))
        with pytest.raises(error):
            client_of(played, attempts=3).runs.get("run_1")
        assert len(played.asked) == 3

    def test_does_not_repeat_a_failure_inside_the_gateway(self) -> None:
        played = Played(problem(500, "internal"))
        with pytest.raises(ServerError):
            client_of(played).runs.get("run_1")
        assert len(played.asked) == 1


class TestRetryPolicy:
    def test_doubles_and_leaves_out_at_most_half(self) -> None:
        policy = RetryPolicy(first_delay_s=1.0, delay_s_max=3.0)
        assert all(0.5 <= policy.delay_s(1, None) <= 1.0 for _ in range(50))
        assert all(1.0 <= policy.delay_s(2, None) <= 2.0 for _ in range(50))
        assert all(1.5 <= policy.delay_s(9, None) <= 3.0 for _ in range(50))

    def test_waits_as_long_as_the_gateway_asks_up_to_the_limit(self) -> None:
        policy = RetryPolicy(delay_s_max=3.0)
        assert policy.delay_s(1, 2.0) == 2.0
        assert policy.delay_s(1, 60.0) == 3.0


class TestUnreachableGateway:
    def test_says_where_and_what_to_do_when_nothing_listens(self) -> None:
        with pytest.raises(GatewayUnreachableError, match=r"127\.0\.0\.1:9.*standfast dev"):
            Standfast("http://127.0.0.1:9", "k", retry=RetryPolicy(first_delay_s=0.0)).runs.list()

    async def test_says_so_asynchronously_too(self) -> None:
        async with AsyncStandfast("http://127.0.0.1:9", "k", retry=RetryPolicy(first_delay_s=0.0)) as client:
            with pytest.raises(GatewayUnreachableError, match="standfast dev"):
                await client.runs.list()

    def test_names_the_reason_when_no_answer_came(self) -> None:
        with pytest.raises(GatewayUnreachableError, match="ReadTimeout"):
            client_of(Played(httpx2.ReadTimeout("slow"))).runs.get("run_1")


class TestAnswersOfOthers:
    @pytest.mark.parametrize("content", [b"<html>hello</html>", b'{"run": 1}', b"", b"[]"])
    def test_refuses_an_answer_of_another_form(self, content: bytes) -> None:
        with pytest.raises(UnexpectedAnswerError, match="is no Run"):
            client_of(Played(httpx2.Response(200, content=content))).runs.get("run_1")

    def test_shows_the_text_of_a_failure_that_is_no_problem(self) -> None:
        with pytest.raises(ServerError, match=r"HTTP 500: <html>oops") as caught:
            client_of(Played(httpx2.Response(500, content=b"<html>oops</html>"))).runs.get("run_1")
        assert caught.value.code == "unknown"

    def test_ignores_members_it_does_not_know(self) -> None:
        assert client_of(Played(httpx2.Response(200, json={**RUN, "later": 1}))).runs.get("run_1").run == "run_1"


class TestRequests:
    def test_carry_the_key_and_quote_the_id(self) -> None:
        played = Played(httpx2.Response(200, json=RUN))
        client_of(played).runs.get("../keys")
        assert played.asked[0].url.raw_path == b"/v1/runs/..%2Fkeys"
        assert played.asked[0].headers["Authorization"] == "Bearer sf_key"
        assert str(played.asked[0].url).startswith(URL)


class TestErrors:
    @pytest.mark.parametrize("status", [*range(400, 420), 422, 429, *range(500, 512)])
    def test_every_status_has_a_class_of_the_tree(self, status: int) -> None:
        assert issubclass(error_class(status), StandfastError)
        assert issubclass(error_class(status), ServerError) == (status >= 500)
